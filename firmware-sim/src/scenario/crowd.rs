//! Who comes: crowds with a curve of arrivals, how they walk and what their transmitters call themselves.

use crate::chance::Span;
use serde::Deserialize;

/// People of one kind.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crowd {
    /// What they do.
    pub kind: CrowdKind,
    /// Expected arrivals in each of the 24 local hours; the real ones are a Poisson process of that rate.
    pub per_hour: [f64; 24],
    /// How long they dwell: inside for visitors, bouncers and staff, in front of the window for passers-by. The walk
    /// there and back comes on top.
    pub dwell: Span,
    /// Fewest and most places one dwells at.
    #[serde(default = "one_stop")]
    pub stops: [u32; 2],
    /// Whether some come back on the same day.
    #[serde(default)]
    pub returns: Option<Returns>,
}

/// What the people of a crowd do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CrowdKind {
    /// Walks through the outside zone only.
    PasserBy,
    /// Goes in, looks around shortly and leaves.
    Bouncer,
    /// Goes in and dwells at one or more places.
    Visitor,
    /// Comes through a door of a staff zone and stays there.
    Staff,
}

/// People who come back.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Returns {
    /// The share of the crowd that does.
    pub share: f64,
    /// How long they are away.
    pub after: Span,
}

/// How people walk.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Walking {
    /// Mean speed between places, metres a second.
    pub speed_mps: f32,
    /// Standard deviation of the speed between people.
    pub speed_sigma: f32,
    /// How far one drifts around a place while dwelling, metres.
    pub drift_m: f32,
}

impl Default for Walking {
    fn default() -> Self {
        Self { speed_mps: 1.3, speed_sigma: 0.2, drift_m: 0.8 }
    }
}

/// What the shoppers' transmitters call themselves: weights, and how many are registered.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentifierMix {
    /// Weight of fixed Bluetooth addresses, `ble:…`.
    pub ble: f32,
    /// Weight of the identifiers a phone app hands out, `app:…`.
    pub app: f32,
    /// Weight of iBeacon identities of `ibeacon_uuid`, which the venue is told to admit.
    pub ibeacon: f32,
    /// Weight of private random addresses, `ble:~…`, that change every 15 minutes and are never counted.
    pub random: f32,
    /// How many of the fixed addresses are registered as tags.
    pub registered_tags: u32,
    /// The UUID of the iBeacon identities.
    pub ibeacon_uuid: String,
}

impl Default for IdentifierMix {
    fn default() -> Self {
        Self {
            ble: 1.0,
            app: 1.0,
            ibeacon: 0.0,
            random: 0.0,
            registered_tags: 0,
            ibeacon_uuid: "6d1f6a52-3c0e-4b57-9d41-2f1f5c8b7a10".to_owned(),
        }
    }
}

/// Phones that sleep: the screen is off, and they advertise far less often than others.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sleep {
    /// The share of the people whose transmitter sleeps all the time they are there.
    pub share: f64,
    /// How long it is silent between two advertisements, drawn anew each time.
    pub silence: Span,
}

fn one_stop() -> [u32; 2] {
    [1, 1]
}
