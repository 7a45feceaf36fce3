//! All beacons that are watched, in memory: as many as are registered, and what of them is to be told and saved.

use std::collections::HashMap;

use protocol::{BeaconTelemetry, DeviceId, OrganizationId, Timestamp, ZoneId};
use serde_json::{Map, Value};

use super::air::Air;
use super::reading::{self, Reading};
use super::watched::{Heard, Surroundings, Watched};
use crate::registry::{Reporter, View};

/// Twins that are written at one look; the rest follows with the next.
const MOST_DUE: usize = 500;

/// What is watched.
#[derive(Debug, Default)]
pub(super) struct Watch {
    beacons: HashMap<DeviceId, Entry>,
    /// Of tags too.
    readings: HashMap<DeviceId, Reading>,
    reports: Reports,
    /// These are not watched any more, and what was saved of them says otherwise.
    dropped: Vec<(OrganizationId, DeviceId)>,
}

/// The newest time of what each gateway and kiosk has reported.
type Reports = HashMap<DeviceId, Timestamp>;

#[derive(Debug, Default)]
struct Entry {
    watched: Watched,
    /// There is something that is not saved.
    is_dirty: bool,
    /// And that is worth saving at once: its state.
    is_news: bool,
}

/// A change of a twin that is to be written.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) organization: OrganizationId,
    pub(super) device: DeviceId,
    pub(super) patch: Map<String, Value>,
}

/// What was said of itself by a device that is known.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) device: DeviceId,
    pub(super) telemetry: BeaconTelemetry,
}

struct Around<'a> {
    view: &'a View,
    reports: &'a Reports,
}

impl Surroundings for Around<'_> {
    fn zone(&self, gateway: DeviceId, at: Timestamp) -> Option<ZoneId> {
        self.view.reporter(gateway)?.registered.placement_at(at)?.zone
    }

    fn reported_until(&self, gateway: DeviceId) -> Option<Timestamp> {
        self.reports.get(&gateway).copied()
    }
}

impl Watch {
    /// Goes on from what was saved. What cannot be read is learned anew.
    pub(super) fn load(saved: Vec<(DeviceId, String)>) -> Self {
        let mut watch = Self::default();
        for (device, text) in saved.into_iter().filter(|(_, text)| text != NOTHING) {
            match serde_json::from_str(&text) {
                Ok(watched) => drop(watch.beacons.insert(device, Entry { watched, ..Entry::default() })),
                Err(error) => tracing::warn!(%device, %error, "what was saved of a beacon cannot be read"),
            }
        }
        watch
    }

    /// Takes in what a batch says.
    pub(super) fn hear(&mut self, view: &View, air: &Air) {
        self.note_report(air.by, air.newest);
        let around = Around { view, reports: &self.reports };
        for sighting in &air.sightings {
            // It may have been changed since the batch was read.
            let Some(beacon) = view.reporter(sighting.beacon).filter(|beacon| beacon.is_watched()) else {
                continue;
            };
            let entry = self.beacons.entry(beacon.id).or_insert_with(|| Entry::of(&beacon));
            entry.watched.hear(sighting, air.by, &around);
            entry.is_dirty = true;
        }
    }

    /// Takes in what beacons and tags said of themselves.
    pub(super) fn say(&mut self, view: &View, by: Option<DeviceId>, said: Vec<Said>) {
        self.note_report(by, said.iter().map(|said| said.telemetry.at).max());
        for Said { device, telemetry } in said {
            let Some(reporter) = view.reporter(device) else { continue };
            let telemetry = reading::plausible(telemetry);
            if reporter.is_watched() {
                let entry = self.beacons.entry(device).or_insert_with(|| Entry::of(&reporter));
                let heard = Heard { at: telemetry.at, by, rssi: None };
                entry.watched.say(heard, telemetry.battery_mv, telemetry.battery_percent);
                entry.is_dirty = true;
            }
            match self.readings.get_mut(&device) {
                Some(reading) => reading.hear(telemetry, by),
                None => drop(self.readings.insert(device, Reading::new(telemetry, by))),
            }
        }
    }

    /// Looks at every beacon that is registered: those that went silent make no noise. Answers with what is to be told, which then
    /// counts as told.
    pub(super) fn look(&mut self, view: &View, now: Timestamp) -> Vec<Due> {
        let around = Around { view, reports: &self.reports };
        // Another state comes before what is merely newer, however much there is of that.
        let (mut changed, mut newer) = (Vec::new(), Vec::new());
        for reporter in view.reporters() {
            let mut has_changed = false;
            if reporter.is_watched() {
                let entry = self.beacons.entry(reporter.id).or_insert_with(|| Entry::of(reporter));
                entry.watched.place(reporter.registered.placements.last().map(|(from, _)| *from));
                entry.is_dirty |= entry.watched.judge(&around);
                has_changed = entry.is_untold();
            }
            if has_changed {
                changed.push(reporter);
            } else if self.readings.get(&reporter.id).is_some_and(|reading| reading.is_due(now)) {
                newer.push(reporter);
            }
        }
        let first = changed.into_iter().chain(newer).take(MOST_DUE);
        let mut due: Vec<_> = first.map(|reporter| self.tell(reporter, now)).collect();
        self.drop_others(view, &mut due);
        due
    }

    /// What is to be told of a beacon or tag, which then counts as told.
    fn tell(&mut self, reporter: &Reporter, now: Timestamp) -> Due {
        let mut watched = self.beacons.get_mut(&reporter.id).filter(|_| reporter.is_watched());
        let mut reading = self.readings.get_mut(&reporter.id);
        let profile = reporter.registered.device.profile.as_ref();
        let patch = reading::patch(watched.as_ref().map(|it| &it.watched), reading.as_deref(), profile);
        if let Some(entry) = &mut watched {
            entry.tell();
        }
        if let Some(reading) = &mut reading {
            reading.told(now);
        }
        Due { organization: reporter.organization, device: reporter.id, patch }
    }

    /// What was to be told could not be written: it is told with the next look.
    pub(super) fn untold(&mut self, device: DeviceId) {
        if let Some(entry) = self.beacons.get_mut(&device) {
            entry.watched.told = None;
        }
        if let Some(reading) = self.readings.get_mut(&device) {
            reading.untold();
        }
    }

    /// What is not saved yet, which then counts as saved: all of it, or only of those that came into another state.
    pub(super) fn unsaved(&mut self, view: &View, all: bool) -> Vec<(OrganizationId, DeviceId, String)> {
        let dropped = std::mem::take(&mut self.dropped);
        let mut rows: Vec<_> = dropped
            .into_iter()
            .map(|(organization, device)| (organization, device, NOTHING.to_owned()))
            .collect();
        for (device, entry) in
            self.beacons.iter_mut().filter(|(_, entry)| entry.is_news || (all && entry.is_dirty))
        {
            let Some(reporter) = view.reporter(*device) else { continue };
            let text = serde_json::to_string(&entry.watched).unwrap_or_else(|_| NOTHING.to_owned());
            rows.push((reporter.organization, *device, text));
            (entry.is_dirty, entry.is_news) = (false, false);
        }
        rows
    }

    /// These could not be saved.
    pub(super) fn not_saved(&mut self, rows: &[(OrganizationId, DeviceId, String)]) {
        for (organization, device, _) in rows {
            match self.beacons.get_mut(device) {
                Some(entry) => entry.is_dirty = true,
                None => self.dropped.push((*organization, *device)),
            }
        }
    }

    fn note_report(&mut self, by: Option<DeviceId>, newest: Option<Timestamp>) {
        if let (Some(by), Some(newest)) = (by, newest) {
            let until = self.reports.entry(by).or_insert(newest);
            *until = newest.max(*until);
        }
    }

    /// Lets go of what is deleted, or has no identifier any more.
    fn drop_others(&mut self, view: &View, due: &mut Vec<Due>) {
        self.readings.retain(|device, _| view.reporter(*device).is_some());
        self.reports.retain(|device, _| view.reporter(*device).is_some());
        let dropped = &mut self.dropped;
        self.beacons.retain(|device, _| {
            let Some(reporter) = view.reporter(*device) else { return false };
            if reporter.is_watched() {
                return true;
            }
            let patch = Map::from_iter([("beacon".to_owned(), Value::Null)]);
            due.push(Due { organization: reporter.organization, device: *device, patch });
            dropped.push((reporter.organization, *device));
            false
        });
    }
}

/// What is saved of a beacon that is not watched.
const NOTHING: &str = "{}";

impl Entry {
    fn of(beacon: &Reporter) -> Self {
        let mut watched = Watched::new(beacon.registered.device.created_at);
        watched.place(beacon.registered.placements.last().map(|(from, _)| *from));
        Self { watched, is_dirty: true, is_news: false }
    }

    /// Whether its twin says something else.
    fn is_untold(&self) -> bool {
        self.watched.told != Some((self.watched.state, self.watched.since))
    }

    fn tell(&mut self) {
        if self.is_untold() {
            self.watched.told = Some((self.watched.state, self.watched.since));
            self.is_news = true;
        }
    }
}
