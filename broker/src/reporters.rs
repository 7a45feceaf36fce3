//! Scanners that report in a format of their own, on topics of their own: which those are, and what becomes of what comes there.
//!
//! The profile of a device names its format (`protocol::reporter` reads it). What it hears goes to ingest like any batch of
//! pings; whatever else it says on its topics goes nowhere, since a refused PUBLISH would end its connection.

use protocol::{
    Batch, BatchError, BeaconTelemetry, Boot, Decoded, Fault, Identifier, OrganizationId, Ping, Reporter,
    Timestamp,
};

use crate::access::{Access, Identity, Route};
use crate::filter::covers;
use crate::namespace::{is_platform, is_system};
use crate::registry::{Registry, View};

/// Where scanners announce themselves to Home Assistant, unless told otherwise.
const DISCOVERY: &str = "homeassistant";

/// What becomes of a message of a scanner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Something was heard, or should have been.
    Read,
    /// It came where sightings come and names no signal strength.
    Empty,
    /// It cannot be read.
    Unreadable,
    /// It came elsewhere among the scanner's topics.
    Aside,
}

impl Outcome {
    /// The word for it in counters and in what is known of a device.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Empty => "empty",
            Self::Unreadable => "unreadable",
            Self::Aside => "aside",
        }
    }
}

/// What was read of a message of sightings.
pub(crate) struct Reading {
    pub(crate) outcome: Outcome,
    /// The batch that it makes; none where there is nothing in it.
    pub(crate) decoded: Option<Result<Decoded, BatchError>>,
    /// What beacons said of themselves.
    pub(crate) telemetry: Vec<BeaconTelemetry>,
    /// The first thing in it that is wrong.
    pub(crate) fault: Option<Fault>,
}

/// The batches of one connection: a boot of their own, numbered from 0.
#[derive(Debug)]
pub(crate) struct Numbering {
    boot: Boot,
    next: u32,
}

/// Where a message of a device goes that reports in a format of its own. Looked up for each: the profile may have been changed
/// since it signed in.
pub(crate) fn route(registry: &Registry, access: &Access, topic: &str) -> Option<Route> {
    let Identity::Device(device) = access.identity else { return None };
    let known = registry.view().reporter(device)?;
    route_in(known.format()?, topic)
}

/// Whether a filter reaches nothing but the topics of such a device.
pub(crate) fn is_own(registry: &Registry, access: &Access, filter: &str) -> bool {
    let Identity::Device(device) = access.identity else { return false };
    let known = registry.view().reporter(device);
    known.is_some_and(|known| known.format().is_some_and(|format| is_in_tree(format, filter)))
}

fn route_in(format: &Reporter, topic: &str) -> Option<Route> {
    if is_platform(topic) || is_system(topic) || !is_in_tree(format, topic) {
        return None;
    }
    Some(if covers(format.filter(), topic) { Route::Sightings } else { Route::Aside })
}

/// Whether a topic or filter begins as the scanner's do.
fn is_in_tree(format: &Reporter, name: &str) -> bool {
    let first = first_level(name);
    first == first_level(format.filter()) || first == DISCOVERY
}

fn first_level(name: &str) -> &str {
    name.split('/').next().unwrap_or_default()
}

impl Numbering {
    /// A boot that no other connection of the device has: when it began, and a number that tells those of one moment apart.
    pub(crate) fn new(since: Timestamp, number: u64, next: u32) -> Self {
        // 11 digits last until the year 2527; 16 characters are a boot.
        let name = format!("{:x}-{:x}", since.0 & 0xfff_ffff_ffff, number & 0xffff);
        Self { boot: name.parse().expect("a boot has these characters"), next }
    }

    /// The number of the next batch.
    pub(crate) fn next(&self) -> u32 {
        self.next
    }

    fn batch(&mut self, pings: Vec<Ping>) -> Batch {
        let (boot, seq) = (self.boot, u64::from(self.next));
        // A hundred messages a second take a year and more to get here; then the scanner has to connect anew.
        self.next = self.next.saturating_add(1);
        // What was refused for want of quota is gone with its message: nothing is held to be sent again.
        Batch { boot, seq, first: Some(seq), sent: None, pings }
    }
}

/// Reads a message of sightings.
pub(crate) fn read(
    view: &View,
    organization: OrganizationId,
    format: &Reporter,
    payload: &[u8],
    now: Timestamp,
    numbering: &mut Numbering,
) -> Reading {
    let mut report = match format.read(payload, now) {
        Ok(report) if report.is_empty() => {
            return Reading { outcome: Outcome::Empty, decoded: None, telemetry: Vec::new(), fault: None };
        }
        Ok(report) => report,
        Err(unreadable) => {
            let decoded = Some(Err(unreadable.error));
            let (telemetry, fault) = (Vec::new(), Some(unreadable.fault));
            return Reading { outcome: Outcome::Unreadable, decoded, telemetry, fault };
        }
    };
    let heard = report.pings.iter_mut().map(|ping| &mut ping.id);
    for id in heard.chain(report.telemetry.iter_mut().map(|telemetry| &mut telemetry.id)) {
        settle_address(view, organization, id);
    }
    let batch = numbering.batch(report.pings);
    let decoded = Some(Ok(Decoded { batch, refused: report.refused }));
    Reading { outcome: Outcome::Read, decoded, telemetry: report.telemetry, fault: report.fault }
}

/// Scanners do not always say whether an address is random. Their organization may have registered the address the other way.
fn settle_address(view: &View, organization: OrganizationId, id: &mut Identifier) {
    let Identifier::Ble { address, random } = *id else { return };
    let other = Identifier::Ble { address, random: !random };
    if !view.is_own(organization, id) && view.is_own(organization, &other) {
        *id = other;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn format(value: serde_json::Value) -> Reporter {
        serde_json::from_value(value).expect("a format")
    }

    #[test]
    fn a_scanner_has_its_tree_and_nothing_else() {
        let json = json!({"format": "json", "topic": "/gw/+/status", "id": {"as": "app", "value": "/i"}, "rssi": "/r"});
        for (format, sightings, aside, others) in [
            (
                format(json!({"format": "espresense"})),
                &["espresense/devices/keys/hall", "espresense/devices/a:b/hall"][..],
                &["espresense/rooms/hall/status", "espresense/devices/keys/hall/battery", "espresense"][..],
                &["espresense2/devices/keys/hall", "home/OMG/BTtoMQTT/AABBCCDDEEFF", "v1/x/pings"][..],
            ),
            (
                format(json!({"format": "theengs"})),
                &["home/TheengsGateway/BTtoMQTT/AABBCCDDEEFF", "home/OMG/BTtoMQTT/undecoded"],
                &["home/OMG/LWT", "home/OMG/SYStoMQTT", "home/OMG/BTtoMQTT", "homeassistant/sensor/x/config"],
                &["work/OMG/BTtoMQTT/AABBCCDDEEFF", "$SYS/home", "homeassistants/x", ""],
            ),
            (format(json), &["/gw/x/status"], &["/gw/x", "/", "homeassistant"], &["gw/x/status", "v1"]),
        ] {
            for topic in sightings {
                assert_eq!(route_in(&format, topic), Some(Route::Sightings), "{topic}");
            }
            for topic in aside {
                assert_eq!(route_in(&format, topic), Some(Route::Aside), "{topic}");
            }
            for topic in others {
                assert_eq!(route_in(&format, topic), None, "{topic}");
            }
        }
    }

    #[test]
    fn boots_differ_and_numbers_count() {
        let mut first = Numbering::new(Timestamp(1_790_000_000_000), 7, 0);
        let other = Numbering::new(Timestamp(1_790_000_000_000), 8, 0);
        assert_ne!(first.boot, other.boot);
        assert_eq!((first.batch(Vec::new()).seq, first.batch(Vec::new()).first), (0, Some(1)));
        Numbering::new(Timestamp(i64::MIN), u64::MAX, 0);
        Numbering::new(Timestamp(i64::MAX), u64::MAX, u32::MAX);
    }

    #[test]
    fn an_address_is_what_the_registry_knows() {
        let view = View::default();
        let mut id: Identifier = "ble:~4a:00:11:22:33:44".parse().expect("an identifier");
        settle_address(&view, OrganizationId::new(Timestamp(1), [1; 10]), &mut id);
        assert_eq!(id.to_string(), "ble:~4a:00:11:22:33:44", "nobody's");
    }
}
