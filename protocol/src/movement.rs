//! The live notice of a stay or visit beginning or ending.

use serde::{Deserialize, Serialize};

use crate::{StayId, Subject, Timestamp, VenueId, VisitId, ZoneId};

/// Body of `v1/organizations/{organization}/venues/{venue}/movements` and of the live stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// What happened; `type` in JSON.
    #[serde(rename = "type")]
    pub kind: MovementKind,
    /// When it happened, which is before it was noticed.
    pub at: Timestamp,
    /// Where.
    pub venue: VenueId,
    /// The zone entered or left; null for visits.
    pub zone: Option<ZoneId>,
    /// Who.
    pub subject: Subject,
    /// The visit it belongs to.
    pub visit: VisitId,
    /// The stay that began or ended; null for visits.
    pub stay: Option<StayId>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MovementKind {
    /// A stay began.
    Entered,
    /// A stay ended.
    Left,
    /// A run of pings became a visit: it reached the interior and lasted long enough.
    VisitStarted,
    /// A visit ended.
    VisitEnded,
}

impl MovementKind {
    /// Every kind, in the order of declaration.
    pub const ALL: &[Self] = &[Self::Entered, Self::Left, Self::VisitStarted, Self::VisitEnded];

    /// The word for it in JSON, also the event name of the live stream.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entered => "entered",
            Self::Left => "left",
            Self::VisitStarted => "visit_started",
            Self::VisitEnded => "visit_ended",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_word_of_the_live_stream() {
        for &kind in MovementKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
