//! Scanners that people own already: on which topics they report, and what their messages say.
//!
//! The profile of a device names the format. Each has a file here, which says where the format is described.

mod espresense;
mod instant;
mod mapping;
mod theengs;
mod value;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::beacon::Frame;
use crate::{
    BatchError, BeaconTelemetry, Fault, Identifier, MAX_BATCH_BYTES, MAX_PINGS, Ping, Reason, Timestamp,
};

pub use instant::{Moment, Unit};
pub use mapping::{Mapping, Naming};

/// The format that a scanner reports in. In a profile as `reporter`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "snake_case", deny_unknown_fields)]
pub enum Reporter {
    /// `ESPresense`, on `espresense/devices/{id}/{room}`.
    Espresense {},
    /// Theengs Gateway and `OpenMQTTGateway` for Bluetooth, which speak alike.
    Theengs {
        /// Where it reports; `home/+/BTtoMQTT/+` unless given. See [`Reporter::filter`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<String>,
    },
    /// Any other that sends JSON.
    Json(Mapping),
}

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// What was heard: with `refused` at most [`MAX_PINGS`].
    pub pings: Vec<Ping>,
    /// What should be a ping and is none, by its position among both, ascending.
    pub refused: Vec<(u32, Reason)>,
    /// What is wrong with the first of these.
    pub fault: Option<Fault>,
    /// What beacons said of themselves: one for each ping at most.
    pub telemetry: Vec<BeaconTelemetry>,
}

/// Why a message cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct Unreadable {
    /// As of a batch.
    pub error: BatchError,
    /// What is wrong with it, and where.
    pub fault: Fault,
}

/// Where `ESPresense` reports (github.com/ESPresense/ESPresense `src/main.cpp`, `reportDevice`).
const ESPRESENSE: &str = "espresense/devices/+/+";
/// Where Theengs Gateway (docs `use/use.md`) and `OpenMQTTGateway` (docs `use/ble.md`) report unless told otherwise.
const THEENGS: &str = "home/+/BTtoMQTT/+";

/// Longest filter, in bytes.
const MAX_TOPIC: usize = 256;
/// Longest JSON pointer, in bytes.
const MAX_POINTER: usize = 128;

impl Reporter {
    /// Whether a scanner can be described so.
    pub fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Espresense {} | Self::Theengs { topic: None } => Ok(()),
            Self::Theengs { topic: Some(topic) } => check_topic(topic),
            Self::Json(mapping) => mapping.check(),
        }
    }

    /// The filter of the topics that sightings come on: levels, of which `+` stands for any, but never the first.
    pub fn filter(&self) -> &str {
        match self {
            Self::Espresense {} => ESPRESENSE,
            Self::Theengs { topic } => topic.as_deref().unwrap_or(THEENGS),
            Self::Json(mapping) => &mapping.topic,
        }
    }

    /// Reads a message on a topic of [the filter](Self::filter). What it does not date was heard when it was `received`.
    ///
    /// Objects that name no signal strength are no sightings, but notices of other kinds, and are passed over.
    pub fn read(&self, payload: &[u8], received: Timestamp) -> Result<Report, Unreadable> {
        let mut report = Report::default();
        // What takes a retained message away (MQTT 3.1.1 section 3.3.1.3) says nothing.
        if payload.is_empty() {
            return Ok(report);
        }
        if payload.len() > MAX_BATCH_BYTES {
            let fault = Fault::new("", format_args!("at most {MAX_BATCH_BYTES} bytes"));
            return Err(Unreadable { error: BatchError::TooLarge(None), fault });
        }
        // A radio's name may be any bytes, and scanners pass it on as it is: no reason to lose the sighting.
        let text = String::from_utf8_lossy(payload);
        let message: Value = serde_json::from_str(&text).map_err(|error| Unreadable {
            error: BatchError::Unreadable(None),
            fault: Fault::new("", format_args!("JSON: {error}")),
        })?;
        let read = match self {
            Self::Espresense {} => espresense::read,
            Self::Theengs { .. } => theengs::read,
            Self::Json(mapping) => {
                mapping.read(&message, received, &mut report)?;
                return Ok(report);
            }
        };
        if !message.is_object() {
            return Err(not_an_object(""));
        }
        report.add(read(&message, received));
        Ok(report)
    }
}

/// What one object says.
#[derive(Debug, Default, PartialEq)]
struct Sighting {
    /// None if nothing was heard.
    ping: Option<Ping>,
    telemetry: Option<BeaconTelemetry>,
}

/// Why an object that should be a sighting is none.
#[derive(Debug, PartialEq)]
struct Flaw {
    reason: Reason,
    fault: Fault,
}

impl Flaw {
    fn new(reason: Reason, path: &str, what: &str) -> Self {
        Self { reason, fault: Fault::new(path, what) }
    }

    fn identifier(path: &str, what: &str) -> Self {
        Self::new(Reason::BadIdentifier, path, what)
    }
}

impl Report {
    fn add(&mut self, read: Result<Sighting, Flaw>) {
        match read {
            Ok(sighting) => {
                self.pings.extend(sighting.ping);
                self.telemetry.extend(sighting.telemetry);
            }
            Err(Flaw { reason, fault }) => {
                self.refused.push((self.len() as u32, reason));
                self.fault.get_or_insert(fault);
            }
        }
    }

    fn len(&self) -> usize {
        self.pings.len() + self.refused.len()
    }

    /// Whether nothing in it was heard, or should have been.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a frame says of its beacon.
fn telemetry(frame: &Frame, id: &Identifier, at: Timestamp) -> Option<BeaconTelemetry> {
    let Frame::Tlm(tlm) = frame else { return None };
    Some(BeaconTelemetry {
        battery_mv: tlm.battery_mv,
        temperature_c: tlm.celsius(),
        advertisements: Some(tlm.advertisements),
        uptime_s: Some(tlm.uptime_ds / 10),
        ..silent(id.clone(), at)
    })
}

/// A beacon that says nothing of itself.
fn silent(id: Identifier, at: Timestamp) -> BeaconTelemetry {
    BeaconTelemetry {
        id,
        at,
        battery_mv: None,
        battery_percent: None,
        temperature_c: None,
        advertisements: None,
        uptime_s: None,
    }
}

fn not_an_object(path: &str) -> Unreadable {
    Unreadable { error: BatchError::Unreadable(None), fault: Fault::new(path, "an object") }
}

fn too_many(path: &str) -> Unreadable {
    let fault = Fault::new(path, format_args!("at most {MAX_PINGS} in a message"));
    Unreadable { error: BatchError::TooManyPings(None), fault }
}

/// Checks a filter: what a device may publish on follows from it, so it begins with a level of its own, which is neither the
/// platform's nor the server's.
fn check_topic(topic: &str) -> Result<(), Fault> {
    let first = topic.split('/').next().unwrap_or_default();
    let is_level = |level: &str| level == "+" || !level.contains(['+', '#']);
    let what = if topic.is_empty() || topic.len() > MAX_TOPIC || topic.contains(char::is_control) {
        format!("1 to {MAX_TOPIC} bytes of text")
    } else if !topic.split('/').all(is_level) {
        "levels, of which + stands for any; no other wildcards".to_owned()
    } else if first == "+" || first == "v1" || first.starts_with('$') {
        "a first level of its own: not +, v1 or what begins with $".to_owned()
    } else {
        return Ok(());
    };
    Err(Fault::new("/topic", what))
}

#[cfg(test)]
mod tests;
