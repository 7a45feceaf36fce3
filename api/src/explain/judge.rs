//! From what is known of a device to what is wrong with it.

mod air;
mod commands;
mod connection;
mod work;

use protocol::{DeviceKind, Timestamp};
use store::Registered;

use super::air::Air;
use super::facts::Facts;
use super::finding::{Code, Finding};
use super::words::ago;
use crate::devices::certificates::Certificate;
use crate::devices::losses::Loss;

pub(super) use commands::Ordered;

/// What is known of a device at a time.
pub(super) struct Evidence {
    pub(super) kind: DeviceKind,
    /// Whether it reports in a format of its own.
    pub(super) has_format: bool,
    pub(super) place: Place,
    /// Since when it is connected; none when it is not.
    pub(super) connected_since: Option<Timestamp>,
    /// Whether it cannot be, since no server is running.
    pub(super) is_stopped: bool,
    pub(super) facts: Facts,
    pub(super) certificates: Vec<Certificate>,
    pub(super) open_losses: Vec<Loss>,
    /// Who hears it; none where nobody could.
    pub(super) air: Option<Air>,
    pub(super) ordered: Ordered,
    pub(super) now: Timestamp,
}

/// Whether a device stands somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Somewhere,
    /// Nowhere yet; from then on it will.
    From(Timestamp),
    Nowhere,
}

impl Place {
    pub(super) fn of(registered: &Registered, now: Timestamp) -> Place {
        let later = || registered.placements.iter().find(|(from, place)| *from > now && place.is_some());
        match registered.placement_at(now) {
            Some(_) => Place::Somewhere,
            None => later().map_or(Place::Nowhere, |(from, _)| Place::From(*from)),
        }
    }
}

/// Whether the device is well, if that can be known, and what was found, the most likely cause first.
pub(super) fn judge(evidence: &Evidence) -> (Option<bool>, Vec<Finding>) {
    let signs_in = evidence.signs_in();
    if !signs_in && evidence.air.is_none() {
        let findings = [Some(evidence.transmits_only()), evidence.not_placed()];
        return (None, findings.into_iter().flatten().collect());
    }
    let mut findings = evidence.of_air();
    if signs_in {
        findings.extend(evidence.of_connection());
        findings.extend(evidence.of_work());
        findings.extend(evidence.of_commands());
    } else {
        findings.extend(evidence.not_placed());
    }
    // What keeps it from its work comes first, and of that what causes the rest.
    findings.sort_by_key(|finding| (!finding.is_problem, finding.code));
    let healthy = !findings.iter().any(|finding| finding.is_problem);
    if healthy && signs_in {
        findings.push(evidence.healthy());
    }
    (Some(healthy), findings)
}

impl Evidence {
    /// Beacons and tags have no way to sign in, unless one of them did.
    fn signs_in(&self) -> bool {
        let facts = &self.facts;
        !matches!(self.kind, DeviceKind::Beacon | DeviceKind::Tag)
            || self.connected_since.is_some()
            || facts.sign_in.is_some()
            || facts.refused_sign_in.is_some()
    }

    /// Fixed receivers hear something most of the time.
    fn hears(&self) -> bool {
        matches!(self.kind, DeviceKind::Gateway | DeviceKind::Kiosk)
    }

    fn is_connected(&self) -> bool {
        self.connected_since.is_some()
    }

    fn transmits_only(&self) -> Finding {
        let what =
            format!("A {} only transmits and never signs in, so nothing is known of it here.", self.kind);
        let remedy = match self.kind {
            DeviceKind::Beacon => {
                "Give it the identifier that it sends, or the key with which that changes: PATCH /api/v1/devices/{device}. Then it is known \
                 who hears it."
            }
            _ => "Look at the gateways and phones around it: they report what they hear of it.",
        };
        Finding::note(Code::TransmitsOnly, what, remedy)
    }

    fn healthy(&self) -> Finding {
        let said = self.facts.last_message_at.map(|at| format!("; its last message came {}", self.ago(at)));
        let said = said.unwrap_or_default();
        let what = match self.connected_since {
            Some(since) => format!("Nothing keeps it from its work. It connected {}{said}.", self.ago(since)),
            None => format!("Nothing keeps it from its work{said}."),
        };
        Finding::note(Code::Healthy, what, "Nothing needs to be done.")
    }

    fn ago(&self, at: Timestamp) -> String {
        ago(at, self.now)
    }
}

#[cfg(test)]
mod tests;
