//! What goes wrong with gateways: with their networks, their clocks and their adapters.
//!
//! A fault names its gateways or takes a share of them, and everything random about it is drawn from the seed. Where several
//! faults meet on one gateway, they add up.

use super::LocalTime;
use crate::chance::Span;
use serde::Deserialize;

/// Everything that goes wrong.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Bad networks.
    pub network: Vec<NetworkFault>,
    /// Wrong clocks.
    pub clock: Vec<ClockFault>,
    /// Deaf adapters.
    pub adapter: Vec<AdapterFault>,
}

/// Which gateways have a fault.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Whom {
    /// Those of these names.
    Named(Vec<String>),
    /// So many of all, above 0 to 1, at least one; which, the seed decides.
    Share(f64),
}

/// A bad network. What it loses is sent again, so everything arrives, some of it late and some of it twice.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFault {
    /// Whose it is; that of all if left out.
    #[serde(default)]
    pub gateways: Whom,
    /// Share of the batches with whose PUBACK the connection is lost. All that have none yet are sent again.
    #[serde(default)]
    pub cuts: f64,
    /// Share of the batches that are sent twice, as by a device that has missed the PUBACK.
    #[serde(default)]
    pub duplicates: f64,
    /// How long each batch is under way, on the virtual clock. None overtakes another of its gateway.
    #[serde(default)]
    pub latency: Option<Span>,
    /// When there is no connection at all, and everything is delivered afterwards.
    #[serde(default)]
    pub away: Option<Spells>,
}

/// A wrong clock. Its batches say what it shows when they are sent (`sent`), so that the platform can correct their times.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockFault {
    /// Whose it is; that of all if left out.
    #[serde(default)]
    pub gateways: Whom,
    /// How far ahead it is, seconds.
    #[serde(default)]
    pub offset_s: f64,
    /// By how much it is too fast, parts in a million of the time since the day began.
    #[serde(default)]
    pub drift_ppm: f64,
    /// Sudden changes.
    #[serde(default)]
    pub jumps: Vec<Jump>,
    /// Until then it counts from 1970, as a machine without a battery does until somebody sets its clock. What is heard
    /// before is stamped with times that the platform refuses.
    #[serde(default)]
    pub unset_until: Option<LocalTime>,
}

/// A sudden change of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jump {
    /// When.
    pub at: LocalTime,
    /// By how much; negative sets it back. Seconds.
    pub by_s: f64,
}

/// An adapter that hears nothing, or less than it should: from one time to another, or in spells.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterFault {
    /// Whose it is; that of all if left out.
    #[serde(default)]
    pub gateways: Whom,
    /// From when.
    #[serde(default)]
    pub from: Option<LocalTime>,
    /// Until when; for the rest of the day if left out.
    #[serde(default)]
    pub to: Option<LocalTime>,
    /// At random times instead.
    #[serde(default)]
    pub spells: Option<Spells>,
    /// How much weaker it hears, dB; it hears nothing at all if left out.
    #[serde(default)]
    pub weaker_db: Option<f32>,
}

/// Times at random moments of the day.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spells {
    /// How many.
    pub count: u32,
    /// How long each is.
    pub lasting: Span,
}

impl Default for Whom {
    fn default() -> Self {
        Self::Share(1.0)
    }
}
