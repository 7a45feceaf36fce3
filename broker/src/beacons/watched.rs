//! What is known of one beacon, and what follows from it. Pure: times are arguments, and they are those of the events.

use std::collections::BTreeMap;

use protocol::beacon::BeaconState;
use protocol::{DeviceId, Timestamp, ZoneId};
use serde::{Deserialize, Serialize};

use super::air::Sighting;
use super::listener::Listener;

/// A beacon is silent after this long at the least: the longest gap inside one visit.
const SILENT_MS: f32 = 15.0 * 60_000.0;
/// And after so many of its usual gaps: one that is heard by chance only is missed later.
const SILENT_GAPS: f32 = 20.0;
/// Gaps that the usual one is the mean of.
const GAPS: f32 = 100.0;
/// A beacon is heard otherwise when it is so much stronger or weaker than usual, in dB: three times as far or as near (free
/// space, 20 dB for ten times), which people in between do not do for long.
const OTHERWISE_DB: f32 = 10.0;
/// Another place is nearer when the beacon is so much stronger there, in dB: half as far.
const NEARER_DB: f32 = 6.0;
/// It was moved when that lasts so long.
const LASTING_MS: i64 = 10 * 60_000;
/// A coin cell of 3 V gives 2.4 V when it is nearly empty: most of its charge is gone below 2.5 V (data sheets of CR2032 cells), and
/// radios stop near 2 V.
const LOW_MV: u16 = 2_400;
const LOW_PERCENT: u8 = 10;
/// It is not low any more from here on: a cold night makes a battery weak for a while.
const FINE_MV: u16 = 2_500;
const FINE_PERCENT: u8 = 15;
/// Who has not heard it for so long has nothing to say any more.
const FORGOTTEN_MS: i64 = 7 * 24 * 3_600_000;
/// Gateways that are remembered for one beacon; above that whoever has not heard it longest is forgotten.
const MOST_LISTENERS: usize = 16;

/// What is known of one beacon. What is saved of it, `api` reads.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Watched {
    pub(super) state: BeaconState,
    /// Since when.
    pub(super) since: Timestamp,
    /// By whom and how strongly it was heard last.
    pub(super) heard: Option<Heard>,
    listeners: BTreeMap<DeviceId, Listener>,
    /// How long it is mostly not heard, in milliseconds.
    gap_ms: f32,
    gaps: u32,
    /// Since when it has been heard otherwise.
    otherwise_since: Option<Timestamp>,
    pub(super) moved_at: Option<Timestamp>,
    pub(super) low_at: Option<Timestamp>,
    battery_mv: Option<u16>,
    battery_percent: Option<u8>,
    /// From when its newest placement holds, as far as this was learned there.
    placed_from: Option<Timestamp>,
    /// What its twin says.
    pub(super) told: Option<(BeaconState, Timestamp)>,
}

/// The last time that a beacon was heard.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Heard {
    pub(super) at: Timestamp,
    /// The gateway or kiosk; none where it was something that moves.
    pub(super) by: Option<DeviceId>,
    /// In dBm; none where only what it says of itself was passed on.
    pub(super) rssi: Option<f32>,
}

/// What is to be known of those who hear beacons.
pub(super) trait Surroundings {
    /// The zone that a gateway stood in.
    fn zone(&self, gateway: DeviceId, at: Timestamp) -> Option<ZoneId>;

    /// The newest time of what it has reported, whatever it was.
    fn reported_until(&self, gateway: DeviceId) -> Option<Timestamp>;
}

impl Watched {
    /// A beacon that was registered at `at`.
    pub(super) fn new(at: Timestamp) -> Self {
        Self { since: at, ..Self::default() }
    }

    /// It was heard by `by`, or by something that moves.
    pub(super) fn hear(
        &mut self,
        sighting: &Sighting,
        by: Option<DeviceId>,
        surroundings: &impl Surroundings,
    ) {
        let Sighting { at, rssi, count, .. } = *sighting;
        self.note_gap(at, count);
        self.note_heard(Heard { at, by, rssi: by.is_some().then_some(rssi) });
        if let Some(by) = by {
            self.make_room(by);
            self.listeners
                .entry(by)
                .and_modify(|listener| listener.hear(rssi, at))
                .or_insert_with(|| Listener::new(rssi, at));
            self.listeners.retain(|_, listener| at.since(listener.last) <= FORGOTTEN_MS);
            self.compare(at, surroundings);
        }
        self.judge(surroundings);
    }

    /// It said something of itself, which `by` passed on.
    pub(super) fn say(&mut self, heard: Heard, battery_mv: Option<u16>, battery_percent: Option<u8>) {
        let is_newest = self.heard.is_none_or(|known| known.at <= heard.at);
        self.note_heard(heard);
        if !is_newest || (battery_mv.is_none() && battery_percent.is_none()) {
            return;
        }
        self.battery_mv = battery_mv.or(self.battery_mv);
        self.battery_percent = battery_percent.or(self.battery_percent);
        let below = |mv, percent| {
            self.battery_mv.is_some_and(|it| it <= mv) || self.battery_percent.is_some_and(|it| it <= percent)
        };
        if below(LOW_MV, LOW_PERCENT) {
            self.low_at.get_or_insert(heard.at);
        } else if !below(FINE_MV - 1, FINE_PERCENT - 1) {
            self.low_at = None;
        }
    }

    /// Where it stands, by the time from which its newest placement holds. Another one than before was somebody's word that it
    /// stands right now, wherever it was: how it is usually heard is learned anew.
    pub(super) fn place(&mut self, from: Option<Timestamp>) {
        if self.placed_from != from {
            self.placed_from = from;
            (self.otherwise_since, self.moved_at) = (None, None);
            self.listeners.values_mut().for_each(Listener::forget);
        }
    }

    /// What follows from all of it. Answers whether that is something else than before.
    pub(super) fn judge(&mut self, surroundings: &impl Surroundings) -> bool {
        let (state, since) = match &self.heard {
            None => (BeaconState::Unheard, self.since),
            Some(heard) if self.was_silent(heard) || self.is_silent(heard, surroundings) => {
                (BeaconState::Silent, heard.at)
            }
            Some(heard) => match (self.moved_at, self.low_at) {
                (Some(at), _) => (BeaconState::Moved, at),
                (None, Some(at)) => (BeaconState::Low, at),
                (None, None) => (BeaconState::Ok, heard.at),
            },
        };
        if state == self.state {
            return false;
        }
        (self.state, self.since) = (state, since);
        true
    }

    /// Whether it is silent already, and was not heard since. Who missed it may be gone by now, or this server new.
    fn was_silent(&self, heard: &Heard) -> bool {
        self.state == BeaconState::Silent && self.since == heard.at
    }

    /// Whether nobody heard it for long, while somebody who did until the end went on reporting: a gateway that is dead, whose reports
    /// are still to come, or that heard it by chance once, says nothing of it.
    fn is_silent(&self, heard: &Heard, surroundings: &impl Surroundings) -> bool {
        let patience_ms = self.patience_ms() as i64;
        let missed_at = heard.at.plus(patience_ms);
        let went_on =
            |gateway: DeviceId| surroundings.reported_until(gateway).is_some_and(|until| until >= missed_at);
        let mut to_the_end = self.listeners.iter().filter(|(_, it)| heard.at.since(it.last) <= patience_ms);
        to_the_end.any(|(gateway, _)| went_on(*gateway))
    }

    fn patience_ms(&self) -> f32 {
        SILENT_MS.max(SILENT_GAPS * self.gap_ms)
    }

    fn note_heard(&mut self, heard: Heard) {
        if self.heard.is_none_or(|known| known.at < heard.at) {
            self.heard = Some(heard);
        }
    }

    fn note_gap(&mut self, at: Timestamp, count: u32) {
        let Some(last) = self.heard.map(|heard| heard.at).filter(|last| *last < at) else { return };
        // What was heard several times within a minute was heard that often in the time since the last.
        let gap = at.since(last) as f32 / count.max(1) as f32;
        // A time of silence is not what is usual.
        let gap = gap.min(self.patience_ms());
        self.gaps = self.gaps.saturating_add(1);
        self.gap_ms += (gap - self.gap_ms) / (self.gaps as f32).min(GAPS);
    }

    fn make_room(&mut self, by: DeviceId) {
        if self.listeners.len() < MOST_LISTENERS || self.listeners.contains_key(&by) {
            return;
        }
        if let Some(longest) =
            self.listeners.iter().min_by_key(|(_, it)| it.last).map(|(gateway, _)| *gateway)
        {
            self.listeners.remove(&longest);
        }
    }

    /// Notes whether it is heard otherwise than it used to be.
    fn compare(&mut self, at: Timestamp, surroundings: &impl Surroundings) {
        if !self.is_otherwise(at, surroundings) {
            self.otherwise_since = None;
            return;
        }
        let since = *self.otherwise_since.get_or_insert(at);
        if at.since(since) >= LASTING_MS {
            self.moved_at.get_or_insert(since);
        }
    }

    fn is_otherwise(&self, at: Timestamp, surroundings: &impl Surroundings) -> bool {
        let mut sum = 0.0;
        let mut count = 0_u8;
        for listener in self.listeners.values().filter(|it| it.knows() && it.heard_within(LASTING_MS, at)) {
            sum += listener.deviation();
            count += 1;
        }
        (count > 0 && sum / f32::from(count) > OTHERWISE_DB) || self.is_elsewhere(at, surroundings)
    }

    /// Whether it is strongest in another zone than it used to be.
    fn is_elsewhere(&self, at: Timestamp, surroundings: &impl Surroundings) -> bool {
        let known = self.listeners.iter().filter(|(_, it)| it.knows());
        let Some((home, usual)) = known.max_by(|(_, one), (_, other)| one.slow.total_cmp(&other.slow)) else {
            return false;
        };
        let heard = self.listeners.iter().filter(|(_, it)| it.heard_within(LASTING_MS, at));
        let Some((nearest, now)) = heard.max_by(|(_, one), (_, other)| one.fast.total_cmp(&other.fast))
        else {
            return false;
        };
        let zones = (surroundings.zone(*home, at), surroundings.zone(*nearest, at));
        let (Some(home_zone), Some(zone)) = zones else { return false };
        // Who has heard it as long as home and does not know it yet may well be its home.
        if home_zone == zone || !(now.knows() || now.came_after(usual)) {
            return false;
        }
        if usual.heard_within(LASTING_MS, at) {
            return now.fast >= usual.fast + NEARER_DB;
        }
        // Not heard at home: unless nobody is at home.
        surroundings.reported_until(*home).is_some_and(|until| at.since(until) <= LASTING_MS)
    }
}
