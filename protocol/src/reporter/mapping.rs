//! JSON of any other scanner: its owner says where in it things stand.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::instant::Moment;
use super::value::{self, Kind};
use super::{
    Flaw, MAX_POINTER, Report, Sighting, Unreadable, check_topic, not_an_object, telemetry, too_many,
};
use crate::beacon::Frame;
use crate::{BeaconTelemetry, Fault, Identifier, MAX_PINGS, Ping, Timestamp};

/// How to read a scanner's JSON. Pointers are JSON pointers (RFC 6901) into one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Where it reports; see [`Reporter::filter`](super::Reporter::filter).
    pub topic: String,
    /// Where in the message the items are: a list, or one of them. The whole message unless given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub items: String,
    /// What was heard.
    pub id: Naming,
    /// Its signal strength in dBm.
    pub rssi: String,
    /// When; when the message is received unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Moment>,
    /// The power in dBm that it is heard at from one metre.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx: Option<String>,
}

/// What an item calls what was heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "snake_case", deny_unknown_fields)]
pub enum Naming {
    /// By its address.
    Ble {
        /// The address, with or without colons.
        mac: String,
        /// Whether it is random: `true`, `1` or `random`, or `false`, `0` or `public`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        random: Option<String>,
    },
    /// As an iBeacon.
    Ibeacon {
        /// The UUID, with or without hyphens.
        uuid: String,
        /// Major.
        major: String,
        /// Minor.
        minor: String,
    },
    /// As an Eddystone UID.
    Eddystone {
        /// 20 digits.
        namespace: String,
        /// 12 digits.
        instance: String,
    },
    /// By a text or a number of its own.
    App {
        /// The text.
        value: String,
    },
    /// By what it advertised.
    Advertising {
        /// The advertising data in hexadecimal.
        hex: String,
        /// The address, for what names itself in none of the known formats. Without it that is passed over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<String>,
        /// As for an address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        random: Option<String>,
    },
    /// By an [`Identifier`] as it is written here.
    Text {
        /// The identifier.
        value: String,
    },
}

impl Mapping {
    pub(super) fn check(&self) -> Result<(), Fault> {
        check_topic(&self.topic)?;
        if !self.items.is_empty() {
            check_pointer("/items", &self.items)?;
        }
        check_pointer("/rssi", &self.rssi)?;
        check_pointers(
            "",
            &[("/tx", self.tx.as_ref()), ("/at/pointer", self.at.as_ref().map(|at| &at.pointer))],
        )?;
        let named = match &self.id {
            Naming::Ble { mac, random } => vec![("/mac", Some(mac)), ("/random", random.as_ref())],
            Naming::Ibeacon { uuid, major, minor } => {
                vec![("/uuid", Some(uuid)), ("/major", Some(major)), ("/minor", Some(minor))]
            }
            Naming::Eddystone { namespace, instance } => {
                vec![("/namespace", Some(namespace)), ("/instance", Some(instance))]
            }
            Naming::Advertising { hex, mac, random } => {
                vec![("/hex", Some(hex)), ("/mac", mac.as_ref()), ("/random", random.as_ref())]
            }
            Naming::App { value } | Naming::Text { value } => vec![("/value", Some(value))],
        };
        check_pointers("/id", &named)
    }

    pub(super) fn read(
        &self,
        message: &Value,
        received: Timestamp,
        report: &mut Report,
    ) -> Result<(), Unreadable> {
        let items = match message.pointer(&self.items) {
            Some(Value::Array(items)) => items.as_slice(),
            Some(item) => std::slice::from_ref(item),
            None => return Err(not_an_object(&self.items)),
        };
        if items.len() > MAX_PINGS {
            return Err(too_many(&self.items));
        }
        for item in items {
            report.add(self.item(item, received));
        }
        Ok(())
    }

    fn item(&self, item: &Value, received: Timestamp) -> Result<Sighting, Flaw> {
        let Some(rssi) = value::rssi(item.pointer(&self.rssi), &self.rssi)? else {
            return Ok(Sighting::default());
        };
        let at = match &self.at {
            Some(moment) => moment.read(item)?,
            None => received,
        };
        let Some(Named { id, tx, telemetry }) = self.id.read(item, at)? else {
            return Ok(Sighting::default());
        };
        let tx = self.tx.as_ref().and_then(|tx| value::dbm(item.pointer(tx))).or(tx);
        Ok(Sighting { ping: Some(Ping { id, rssi, at, tx, max: None, n: None }), telemetry })
    }
}

/// What was heard, and what its frame says beside who it is.
struct Named {
    id: Identifier,
    tx: Option<i8>,
    telemetry: Option<BeaconTelemetry>,
}

impl From<Identifier> for Named {
    fn from(id: Identifier) -> Self {
        Self { id, tx: None, telemetry: None }
    }
}

impl Naming {
    /// None for an advertisement of nobody in particular.
    fn read(&self, item: &Value, at: Timestamp) -> Result<Option<Named>, Flaw> {
        let id = match self {
            Self::Ble { mac, random } => address(item, mac, random.as_deref())?,
            Self::Ibeacon { uuid, major, minor } => Identifier::IBeacon {
                uuid: bytes(item, uuid, "a UUID")?,
                major: number(item, major)?,
                minor: number(item, minor)?,
            },
            Self::Eddystone { namespace, instance } => Identifier::Eddystone {
                namespace: bytes(item, namespace, "20 digits")?,
                instance: bytes(item, instance, "12 digits")?,
            },
            Self::App { value } => {
                let text = text(item, value)?;
                let flaw = |_| Flaw::identifier(value, "1 to 64 visible characters of ASCII");
                format!("app:{text}").parse().map_err(flaw)?
            }
            Self::Text { value } => {
                let flaw = |_| Flaw::identifier(value, "an identifier");
                text(item, value)?.parse().map_err(flaw)?
            }
            Self::Advertising { hex, mac, random } => {
                let address = || mac.as_ref().map(|mac| address(item, mac, random.as_deref())).transpose();
                return advertised(item, hex, at, address);
            }
        };
        Ok(Some(id.into()))
    }
}

/// Who advertised: what its frame says, or else its address, if it is to be had.
fn advertised(
    item: &Value,
    hex: &str,
    at: Timestamp,
    address: impl Fn() -> Result<Option<Identifier>, Flaw>,
) -> Result<Option<Named>, Flaw> {
    let data = value::all_bytes(&text(item, hex)?);
    let data = data.ok_or_else(|| Flaw::identifier(hex, "bytes in hexadecimal"))?;
    // Most of what is advertised is no beacon, and some of it is broken.
    let frame = Frame::from_advertising(&data).ok();
    let id = match frame.as_ref().and_then(Frame::identifier) {
        Some(id) => Some(id),
        None => address()?,
    };
    let tx = frame.as_ref().and_then(Frame::tx);
    Ok(id.map(|id| Named { telemetry: frame.and_then(|frame| telemetry(&frame, &id, at)), id, tx }))
}

fn address(item: &Value, mac: &str, random: Option<&str>) -> Result<Identifier, Flaw> {
    let kind = match random.and_then(|random| item.pointer(random)) {
        None => Kind::Unknown,
        Some(Value::Bool(random)) => {
            if *random {
                Kind::Random
            } else {
                Kind::Public
            }
        }
        Some(Value::String(word)) if word == "random" => Kind::Random,
        Some(Value::String(word)) if word == "public" => Kind::Public,
        said => match value::number16(said) {
            Some(0) => Kind::Public,
            Some(1) => Kind::Random,
            _ => Kind::Unknown,
        },
    };
    Ok(value::address(bytes(item, mac, "an address of 12 digits")?, kind))
}

/// A text, or a whole number as one.
fn text<'a>(item: &'a Value, pointer: &str) -> Result<Cow<'a, str>, Flaw> {
    match item.pointer(pointer) {
        Some(Value::String(text)) => Ok(text.into()),
        Some(Value::Number(number)) if !number.is_f64() => Ok(number.to_string().into()),
        _ => Err(Flaw::identifier(pointer, "a text")),
    }
}

fn bytes<const N: usize>(item: &Value, pointer: &str, what: &str) -> Result<[u8; N], Flaw> {
    let written = item.pointer(pointer).and_then(Value::as_str);
    written.and_then(value::bytes).ok_or_else(|| Flaw::identifier(pointer, what))
}

fn number(item: &Value, pointer: &str) -> Result<u16, Flaw> {
    let flaw = || Flaw::identifier(pointer, "a whole number from 0 to 65535");
    value::number16(item.pointer(pointer)).ok_or_else(flaw)
}

fn check_pointers(before: &str, named: &[(&str, Option<&String>)]) -> Result<(), Fault> {
    named.iter().try_for_each(|(name, pointer)| match pointer {
        Some(pointer) => check_pointer(&format!("{before}{name}"), pointer),
        None => Ok(()),
    })
}

/// Checks a pointer to a part of something (RFC 6901 section 3).
fn check_pointer(path: &str, pointer: &str) -> Result<(), Fault> {
    let is_escaped = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if pointer.starts_with('/') && pointer.len() <= MAX_POINTER && is_escaped {
        return Ok(());
    }
    Err(Fault::new(path, format_args!("a JSON pointer such as /rssi, at most {MAX_POINTER} bytes")))
}
