//! What the platform's estimate makes of a simulated day, without the platform: batches in, footfall out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use firmware_sim::registrar::MeasuredBucket;
use firmware_sim::{Day, Footfall, Simulation, Step};
use presence::{
    AnchorKey, Calendar, Changes, Layout, PackedSighting, Pushed, Settings, Sighting, Stay, Timeline,
    Tracker, Visit, VisitClass,
};
use protocol::{DeviceId, Identifier, StayId, Subject, Timestamp, VenueId, VisitId, ZoneId, ZoneKind};
use uuid::Uuid;

/// Clock differences up to this are not corrected, as by the platform, milliseconds.
const TOLERATED_MS: i64 = 5_000;
/// What comes up to this late is in time, milliseconds.
const PATIENCE_MS: i64 = 60_000;

/// A ping as it is kept for the day to be made anew, in few bytes.
#[derive(Clone, Copy)]
struct Heard {
    at: Timestamp,
    who: u32,
    gateway: u16,
    rssi: i8,
}

/// A venue that is followed.
pub(super) struct Estimate {
    tracker: Tracker,
    day: Day,
    kinds: Vec<ZoneKind>,
    anchors: Vec<AnchorKey>,
    /// Who has which identifier, and whether it is a private random address. Infrastructure has none.
    numbers: HashMap<Identifier, u32>,
    transient: Vec<bool>,
    log: Vec<Heard>,
    stays: BTreeMap<StayId, Stay>,
    visits: BTreeMap<VisitId, Visit>,
}

fn zone(number: usize) -> ZoneId {
    ZoneId::from_uuid(Uuid::from_u128(number as u128))
}

fn device(number: usize) -> DeviceId {
    DeviceId::from_uuid(Uuid::from_u128(number as u128))
}

/// Pseudonyms are random; numbers are spread as if they were.
fn subject(number: u32) -> Subject {
    Subject((u128::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

impl Estimate {
    /// The scenario's venue, before anything was heard.
    pub(super) fn of(simulation: &Simulation) -> Self {
        let scenario = simulation.scenario();
        let venue = &scenario.venue;
        let kinds: Vec<ZoneKind> = scenario.zones.iter().map(|zone| zone.kind).collect();
        let place = |gateway: &str| zone(scenario.zone(gateway).unwrap());
        let layout = Layout {
            calendar: Calendar::new(&venue.timezone, venue.day_starts_at.0).unwrap(),
            settings: Settings::default(),
            zones: kinds.iter().enumerate().map(|(number, kind)| (zone(number), *kind)).collect(),
            anchors: scenario
                .gateways
                .iter()
                .enumerate()
                .map(|(number, it)| (device(number), place(&it.zone)))
                .collect(),
        };
        let timeline = Timeline::new(vec![(Timestamp(0), layout)]).unwrap();
        let mut tracker = Tracker::new(VenueId::from_uuid(Uuid::from_u128(1)), Arc::new(timeline));
        let identifiers = simulation.shoppers().iter().flat_map(|shopper| &shopper.identifiers);
        Self {
            anchors: (0..scenario.gateways.len()).map(|number| tracker.anchor(device(number))).collect(),
            tracker,
            day: simulation.day().clone(),
            kinds,
            transient: identifiers.clone().map(Identifier::is_transient).collect(),
            numbers: identifiers.cloned().zip(0..).collect(),
            log: Vec::new(),
            stays: BTreeMap::new(),
            visits: BTreeMap::new(),
        }
    }

    /// Takes in what arrives in a step; answers how much of it is late.
    pub(super) fn take(&mut self, step: &Step) -> u64 {
        let mut late = 0;
        for (gateway, batch) in &step.batches {
            // Both clocks are known here, so the difference is exact.
            let error_ms = step.uplinks[*gateway].clock_error_ms.filter(|error| error.abs() > TOLERATED_MS);
            for ping in &batch.pings {
                let Some(who) = self.numbers.get(&ping.id) else { continue };
                let at = ping.at.minus(error_ms.unwrap_or(0));
                let heard = Heard { at, who: *who, gateway: *gateway as u16, rssi: ping.rssi };
                self.log.push(heard);
                let sighting = PackedSighting {
                    at,
                    subject: subject(*who),
                    anchor: self.anchors[*gateway],
                    rssi: ping.rssi,
                    transient: self.transient[*who as usize],
                };
                late += u64::from(self.tracker.push(&sighting) == Pushed::Late);
            }
        }
        let mut changes = Changes::default();
        self.tracker.advance(step.to.minus(PATIENCE_MS), &mut changes);
        self.stays.extend(changes.stays.into_iter().map(|stay| (stay.id, stay)));
        self.visits.extend(changes.visits.into_iter().map(|visit| (visit.id, visit)));
        late
    }

    /// Makes the day anew for what came late; answers how many windows that were.
    pub(super) fn recompute(&mut self) -> usize {
        let windows = self.tracker.take_late();
        let transient = &self.transient;
        let sightings = self.log.iter().map(|heard| Sighting {
            at: heard.at,
            subject: subject(heard.who),
            anchor: device(usize::from(heard.gateway)),
            rssi: heard.rssi,
            transient: transient[heard.who as usize],
        });
        let of_day = |day: &presence::Day| (day.from, day.to) == (self.day.from, self.day.to);
        assert!(windows.iter().all(|window| of_day(&window.day)), "one day is late");
        let subjects = windows.iter().map(|window| window.subject).collect::<Option<_>>();
        let day = self.tracker.recompute(windows[0].day, subjects.as_ref(), sightings);
        assert!(self.tracker.adopt(&day));
        let is_replaced = |who: &Subject| subjects.as_ref().is_none_or(|some| some.contains(who));
        self.stays.retain(|_, stay| !is_replaced(&stay.subject));
        self.visits.retain(|_, visit| !is_replaced(&visit.subject));
        self.stays.extend(day.stays.iter().map(|stay| (stay.id, *stay)));
        self.visits.extend(day.visits.iter().map(|visit| (visit.id, *visit)));
        windows.len()
    }

    /// How many runs are of a class.
    pub(super) fn count(&self, class: VisitClass) -> usize {
        self.visits.values().filter(|visit| visit.class == class).count()
    }

    /// How long all people together were in a zone.
    pub(super) fn person_hours(&self, number: usize) -> f64 {
        let stays = self.stays.values().filter(|stay| stay.zone == zone(number));
        stays.map(|stay| stay.to.since(stay.from)).sum::<i64>() as f64 / 3.6e6
    }

    /// How many subjects that are counted, or that are not, were inside on average over the day.
    pub(super) fn occupancy_mean(&self, is_countable: bool) -> f64 {
        let is_it = |stay: &&Stay| (self.visits[&stay.visit].class == VisitClass::Transient) != is_countable;
        mean(self.inside().filter(is_it), self.day.from, self.day.to)
    }

    /// What `GET …/footfall` would say.
    pub(super) fn footfall(&self) -> Footfall {
        let hours = self.day.hours().into_iter();
        Footfall {
            complete_through: Some(self.tracker.watermark()),
            recomputing: false,
            hours: hours.map(|(start, _)| self.bucket(start, start.plus(3_600_000))).collect(),
            day: self.bucket(self.day.from, self.day.to),
        }
    }

    fn bucket(&self, from: Timestamp, to: Timestamp) -> MeasuredBucket {
        let within: Vec<&Visit> =
            self.visits.values().filter(|visit| from <= visit.from && visit.from < to).collect();
        let count = |class| within.iter().filter(|visit| visit.class == class).count() as u64;
        let visits = || within.iter().filter(|visit| visit.class == VisitClass::Visit);
        let mut uniques: Vec<Subject> = visits().map(|visit| visit.subject).collect();
        uniques.sort_unstable();
        uniques.dedup();
        let mut dwells: Vec<i64> = visits().map(|visit| visit.to.since(visit.from)).collect();
        dwells.sort_unstable();
        let middle = dwells.get(dwells.len() / 2).zip(dwells.get(dwells.len().saturating_sub(1) / 2));
        MeasuredBucket {
            start: from,
            visits: Some(count(VisitClass::Visit)),
            uniques: Some(uniques.len() as u64),
            bounces: Some(count(VisitClass::Bounce)),
            passers_by: Some(count(VisitClass::PasserBy)),
            dwell_median_s: middle.map(|(upper, lower)| (upper + lower) as f64 / 2_000.0),
            occupancy_mean: Some(mean(self.inside(), from, to)),
            suppressed: false,
        }
    }

    fn inside(&self) -> impl Iterator<Item = &Stay> {
        let kind = |stay: &Stay| self.kinds[stay.zone.as_uuid().as_u128() as usize];
        let stays = self.stays.values();
        stays.filter(move |stay| matches!(kind(stay), ZoneKind::Entrance | ZoneKind::Interior))
    }
}

/// How many of these stays go on in [from, to), on average.
fn mean<'a>(stays: impl Iterator<Item = &'a Stay>, from: Timestamp, to: Timestamp) -> f64 {
    let within = stays.map(|stay| stay.to.min(to).since(stay.from.max(from)).max(0));
    within.sum::<i64>() as f64 / to.since(from) as f64
}
