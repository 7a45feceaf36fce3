//! `ESPresense` (github.com/ESPresense/ESPresense `src/BleFingerprint.cpp`, `fill` and `setId`): one object for each device
//! heard, on a topic of its own.
//!
//! `id` says how the firmware knows the device. Some of its words name one device, others a make or a model of them, and those
//! must not become one visitor: then `mac` is all that is known of it.

use serde_json::Value;

use super::value::{self, Kind, number};
use super::{Flaw, Sighting, silent};
use crate::{BeaconTelemetry, Identifier, Ping, Timestamp};

/// The beacon that `ESPresense` nodes are themselves (`src/util.h`, `espresenseUUID`).
const NODE: [u8; 16] = [0xe5, 0xca, 0x1a, 0xde, 0xf0, 0x07, 0xba, 0x11, 0, 0, 0, 0, 0, 0, 0, 0];

/// Words before the address of a device that keeps it: those of a type above `ID_TYPE_UNIQUE` (`src/BleFingerprint.h`).
const MAKES: &[&str] = &[
    "dexa", "flora", "garmin", "iTrack", "itag", "meater", "miTherm", "mifit", "nut", "sonos", "tile",
    "trackr", "tractive", "vanmoof",
];
/// Words before what many devices have in common.
const CLASSES: &[&str] = &["ad", "apple", "exp", "md", "msft", "name", "samsung", "sd", "smarttag"];

/// Who was heard.
enum Heard {
    Device(Identifier),
    /// One of many that are alike.
    Class,
    /// Another `ESPresense` node.
    Node,
}

/// Reads one message.
pub(super) fn read(message: &Value, at: Timestamp) -> Result<Sighting, Flaw> {
    let Some(rssi) = value::rssi(message.get("rssi"), "/rssi")? else { return Ok(Sighting::default()) };
    let mac = message.get("mac").and_then(Value::as_str).and_then(value::bytes::<6>);
    let id = message.get("id").and_then(Value::as_str).ok_or_else(|| Flaw::identifier("/id", "a text"))?;
    let id = match heard(id, mac)? {
        Heard::Device(id) => id,
        Heard::Class => {
            let address = mac.ok_or_else(|| Flaw::identifier("/mac", "an address of 12 digits"))?;
            value::address(address, Kind::Unknown)
        }
        Heard::Node => return Ok(Sighting::default()),
    };
    let telemetry = telemetry(message, &id, at);
    let tx = value::dbm(message.get("rssi@1m"));
    Ok(Sighting { ping: Some(Ping { id, rssi, at, tx, max: None, n: None }), telemetry })
}

fn heard(id: &str, mac: Option<[u8; 6]>) -> Result<Heard, Flaw> {
    let fixed = |address| Heard::Device(value::address(address, Kind::Fixed));
    let Some((word, rest)) = id.split_once(':') else {
        // An address by itself is public or static: what has a private one is reported under another word, or not at all.
        return match value::bytes::<6>(id) {
            Some(address) => Ok(fixed(address)),
            None => alias(id),
        };
    };
    let broken = || Flaw::identifier("/id", "what belongs behind its first word");
    match word {
        "node" => Ok(Heard::Node),
        "iBeacon" => match beacon(rest).ok_or_else(broken)? {
            (NODE, _, _) => Ok(Heard::Node),
            (uuid, major, minor) => Ok(Heard::Device(Identifier::IBeacon { uuid, major, minor })),
        },
        "altBeacon" => {
            let (uuid, major, minor) = beacon(rest).ok_or_else(broken)?;
            Ok(Heard::Device(value::altbeacon(uuid, major, minor)))
        }
        "eddy" => eddystone(rest).map(Heard::Device).ok_or_else(broken),
        "known" => value::bytes::<6>(rest).map(fixed).ok_or_else(broken),
        word if MAKES.contains(&word)
            && value::bytes::<6>(rest).is_some_and(|address| Some(address) == mac) =>
        {
            value::bytes::<6>(rest).map(fixed).ok_or_else(broken)
        }
        word if MAKES.contains(&word) || CLASSES.contains(&word) => Ok(Heard::Class),
        // `irk:` and what people called a device of theirs.
        _ => alias(id),
    }
}

fn alias(id: &str) -> Result<Heard, Flaw> {
    let opaque = format!("app:{id}").parse();
    let flaw = |_| Flaw::identifier("/id", "1 to 64 visible characters of ASCII");
    opaque.map(Heard::Device).map_err(flaw)
}

/// `UUID-MAJOR-MINOR`.
fn beacon(text: &str) -> Option<([u8; 16], u16, u16)> {
    let (rest, minor) = text.rsplit_once('-')?;
    let (uuid, major) = rest.rsplit_once('-')?;
    Some((value::bytes(uuid)?, major.parse().ok()?, minor.parse().ok()?))
}

/// `NAMESPACE-INSTANCE`. The firmware writes the fifth byte of the namespace twice.
fn eddystone(text: &str) -> Option<Identifier> {
    let (namespace, instance) = text.split_once('-')?;
    let instance = value::bytes(instance)?;
    let namespace = match value::bytes::<11>(namespace) {
        Some(written) if written[4] == written[5] => {
            let mut namespace = [0; 10];
            namespace[..5].copy_from_slice(&written[..5]);
            namespace[5..].copy_from_slice(&written[6..]);
            namespace
        }
        _ => value::bytes(namespace)?,
    };
    Some(Identifier::Eddystone { namespace, instance })
}

fn telemetry(message: &Value, id: &Identifier, at: Timestamp) -> Option<BeaconTelemetry> {
    let battery_mv = value::number16(message.get("mV"));
    let battery_percent = value::percent(message.get("batt"));
    let temperature_c = number(message.get("temp")).map(|celsius| celsius as f32);
    let says_something = battery_mv.is_some() || battery_percent.is_some() || temperature_c.is_some();
    says_something.then(|| BeaconTelemetry {
        battery_mv,
        battery_percent,
        temperature_c,
        ..silent(id.clone(), at)
    })
}
