//! Theengs Gateway (gateway.theengs.io, "Use") and `OpenMQTTGateway` (docs.openmqttgateway.com, "BLE gateway"): one object for
//! each advertisement.
//!
//! It holds what was advertised, or what Theengs Decoder made of it (decoder.theengs.io, "Properties"), or both. What was
//! advertised is read here by itself.

use serde_json::Value;

use super::value::{self, Kind, number};
use super::{Flaw, Sighting, silent};
use crate::beacon::Frame;
use crate::{BeaconTelemetry, Identifier, Ping, Timestamp};

/// The 16 bits of a service are in the middle of these (Bluetooth Core Specification 5.4, volume 3 part B section 2.5.1).
const BASE_UUID: &str = "-0000-1000-8000-00805f9b34fb";

/// Reads one message.
pub(super) fn read(message: &Value, at: Timestamp) -> Result<Sighting, Flaw> {
    let Some(rssi) = value::rssi(message.get("rssi"), "/rssi")? else { return Ok(Sighting::default()) };
    let frame = advertised(message);
    let decoded = decoded_ibeacon(message);
    // `id` is the UUID of an iBeacon where the gateway was told so, and `mac` the address then.
    let written = text(message, "mac").or(text(message, "id"));
    let address = written.and_then(value::bytes).map(|address| value::address(address, kind(message)));
    let id = frame.as_ref().and_then(Frame::identifier).or(decoded).or(address);
    let id = id.ok_or_else(|| Flaw::identifier("/id", "an address of 12 digits"))?;
    let tx = match &frame {
        Some(frame) => frame.tx(),
        // Of other advertisements it is the power at the sender, and not what is heard of it from a metre.
        None if matches!(id, Identifier::IBeacon { .. }) => value::dbm(message.get("txpower")),
        None => None,
    };
    let telemetry = telemetry(message, frame.as_ref(), &id, at);
    Ok(Sighting { ping: Some(Ping { id, rssi, at, tx, max: None, n: None }), telemetry })
}

fn text<'a>(message: &'a Value, field: &str) -> Option<&'a str> {
    message.get(field).and_then(Value::as_str)
}

/// The frame in what was advertised, if there is one.
fn advertised(message: &Value) -> Option<Frame> {
    let manufacturer = || {
        let data = value::all_bytes(text(message, "manufacturerdata")?)?;
        let (company, data) = data.split_first_chunk()?;
        Frame::from_manufacturer_data(u16::from_le_bytes(*company), data).ok()
    };
    let service = || {
        let data = value::all_bytes(text(message, "servicedata")?)?;
        Frame::from_service_data(service(text(message, "servicedatauuid")?)?, &data).ok()
    };
    manufacturer().or_else(service)
}

/// `feaa`, `0xfeaa` or the whole UUID.
fn service(text: &str) -> Option<u16> {
    let short = text.strip_prefix("0x").unwrap_or(text);
    let short = match short.strip_suffix(BASE_UUID) {
        Some(whole) => whole.strip_prefix("0000")?,
        None => short,
    };
    value::bytes(short).map(u16::from_be_bytes)
}

/// What the decoder made of an iBeacon.
fn decoded_ibeacon(message: &Value) -> Option<Identifier> {
    Some(Identifier::IBeacon {
        uuid: value::bytes(text(message, "uuid")?)?,
        major: value::number16(message.get("major"))?,
        minor: value::number16(message.get("minor"))?,
    })
}

/// What is said of the address. `mac_type` is that of HCI (Bluetooth Core Specification 5.4, volume 4 part E section
/// 7.7.65.2), which Theengs Gateway does not know; of the models that it decodes it says which have private addresses.
fn kind(message: &Value) -> Kind {
    match value::number16(message.get("mac_type")) {
        Some(0 | 2) => return Kind::Public,
        Some(1 | 3) => return Kind::Random,
        _ => {}
    }
    let is_private = text(message, "type") == Some("RMAC") || message.get("prmac").is_some();
    if text(message, "model_id").is_some() && !is_private { Kind::Fixed } else { Kind::Unknown }
}

fn telemetry(
    message: &Value,
    frame: Option<&Frame>,
    id: &Identifier,
    at: Timestamp,
) -> Option<BeaconTelemetry> {
    if let Some(said) = frame.and_then(|frame| super::telemetry(frame, id, at)) {
        return Some(said);
    }
    let millivolts = number(message.get("volt")).map(|volts| (volts * 1000.0).round());
    let battery_mv = millivolts.filter(|mv| (0.0..=f64::from(u16::MAX)).contains(mv)).map(|mv| mv as u16);
    let battery_percent = value::percent(message.get("batt"));
    let temperature_c = number(message.get("tempc")).map(|celsius| celsius as f32);
    let says_something = battery_mv.is_some() || battery_percent.is_some() || temperature_c.is_some();
    says_something.then_some(BeaconTelemetry {
        battery_mv,
        battery_percent,
        temperature_c,
        ..silent(id.clone(), at)
    })
}
