//! The day in steps: everyone advertises, gateways hear, gather and hand over their batches.

use super::Simulation;
use super::receiver::Receiver;
use crate::chance::{Purpose, stream};
use crate::fault::LATE_MS;
use crate::fleet::Uplink;
use crate::floor::Point;
use crate::gateway::Heading;
use crate::radio::{Origin, Shadowing};
use crate::walker::FloorPlan;
use protocol::{Batch, Timestamp, ZoneKind};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// One step of the virtual clock, milliseconds. Half of the minute by which the platform lets batches be late, so that the
/// fleet's unequal connections never make one late by accident.
pub const STEP_MS: i64 = 30_000;

/// Fixed transmitters go on this long after the day's end, so that event time passes it by more than a minute.
const TAIL_MS: i64 = 180_000;

/// How often they are reported in that time.
const TAIL_EVERY_MS: i64 = 10_000;

/// What the gateways hand over in one step of the virtual clock.
#[derive(Clone, Debug)]
pub struct Step {
    /// The end of the step.
    pub to: Timestamp,
    /// Gateway numbers and their batches, in the order of their numbers.
    pub batches: Vec<(usize, Batch)>,
    /// How each gateway is connected in this step. One that is offline holds its batches back.
    pub uplinks: Vec<Uplink>,
}

/// The steps of a day; made anew, it gives the same.
#[derive(Debug)]
pub struct Steps<'a> {
    simulation: &'a Simulation,
    at: Timestamp,
    end: Timestamp,
    outings: Vec<(Timestamp, usize, usize)>,
    next_outing: usize,
    transmitters: Vec<Transmitter>,
    receivers: Vec<Receiver>,
}

/// Someone or something that advertises.
#[derive(Debug)]
struct Transmitter {
    carrier: Carrier,
    next_ms: i64,
    shadowing: Shadowing,
    rng: ChaCha8Rng,
}

#[derive(Debug)]
enum Carrier {
    Shopper { number: usize, outing: usize, cursor: usize, zone: Option<usize> },
    Beacon { number: usize, origin: Origin },
}

impl<'a> Steps<'a> {
    pub(super) fn new(simulation: &'a Simulation) -> Self {
        let mut outings: Vec<(Timestamp, usize, usize)> = Vec::new();
        for (number, shopper) in simulation.shoppers.iter().enumerate() {
            outings.extend(
                shopper.outings.iter().enumerate().map(|(outing, path)| (path.start(), number, outing)),
            );
        }
        outings.sort_unstable();
        Self {
            simulation,
            at: simulation.day.from,
            end: simulation.day.to.plus(TAIL_MS),
            outings,
            next_outing: 0,
            transmitters: beacons(simulation),
            receivers: (0..simulation.scenario.gateways.len())
                .map(|number| Receiver::new(simulation, number))
                .collect(),
        }
    }

    /// What is still held back after the day; nothing if it was brought already.
    fn a_day_late(&mut self) -> Option<Step> {
        let receivers = self.receivers.iter_mut().enumerate();
        let all = Timestamp(i64::MAX);
        let batches: Vec<(usize, Batch)> = receivers
            .flat_map(|(number, receiver)| receiver.arrived(all).map(move |batch| (number, batch)))
            .collect();
        let to = self.simulation.day.to.plus(LATE_MS);
        let uplinks = self.receivers.iter().map(|it| it.uplink(to, to)).collect();
        (!batches.is_empty()).then_some(Step { to, batches, uplinks })
    }

    /// Everything that is on the air in [from, to).
    fn air(&mut self, from: Timestamp, to: Timestamp) {
        while let Some((start, number, outing)) = self.outings.get(self.next_outing).copied()
            && start < to
        {
            self.transmitters.push(self.switch_on(start, number, outing));
            self.next_outing += 1;
        }
        let (simulation, receivers) = (self.simulation, &mut self.receivers);
        self.transmitters.retain_mut(|transmitter| transmitter.advertise(simulation, to, receivers));
        debug_assert!(from < to);
    }

    fn switch_on(&self, start: Timestamp, number: usize, outing: usize) -> Transmitter {
        // Every outing has a stream of its own: 24 bits of shoppers, 16 of outings.
        let index = (outing as u64) << 32 | number as u64;
        let mut rng = stream(self.simulation.seed, Purpose::Radio, index);
        let interval = self.simulation.shopper_interval(number, &mut rng);
        let phase = rng.random_range(0..interval);
        let carrier = Carrier::Shopper { number, outing, cursor: 0, zone: None };
        Transmitter { carrier, next_ms: start.0 + phase, shadowing: Shadowing::default(), rng }
    }

    fn flush(&mut self, at: Timestamp) {
        let simulation = self.simulation;
        for receiver in &mut self.receivers {
            receiver.flush(at, |who| {
                let shopper = simulation.shoppers.get(who.transmitter as usize);
                match shopper {
                    Some(shopper) => &shopper.identifiers[who.rotation as usize],
                    None => &simulation.beacons[who.transmitter as usize - simulation.shoppers.len()],
                }
            });
        }
    }
}

impl Iterator for Steps<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.at >= self.end {
            return self.a_day_late();
        }
        let from = self.at;
        let to = from.plus(STEP_MS);
        let batch_ms = i64::from(self.simulation.scenario.radio.batch_every_s) * 1000;
        while self.at < to {
            let next = Timestamp(to.0.min(self.at.0 + batch_ms));
            self.air(self.at, next);
            self.flush(next);
            self.at = next;
        }
        let mut uplinks: Vec<Uplink> = self.receivers.iter().map(|it| it.uplink(from, to)).collect();
        let mut batches = Vec::new();
        // Whatever is still under way or held back when the day is over arrives at last, but for what comes a day late.
        let is_last = self.at >= self.end;
        let by = if is_last { Timestamp(i64::MAX) } else { to };
        for ((number, receiver), uplink) in self.receivers.iter_mut().enumerate().zip(&mut uplinks) {
            uplink.offline &= !is_last || receiver.is_away_until(self.simulation.day.to.plus(LATE_MS));
            if !uplink.offline {
                batches.extend(receiver.arrived(by).map(|batch| (number, batch)));
            }
        }
        Some(Step { to, batches, uplinks })
    }
}

impl Transmitter {
    /// Sends what is due before `to`; false when it will not send any more.
    fn advertise(&mut self, simulation: &Simulation, to: Timestamp, receivers: &mut [Receiver]) -> bool {
        let limit = to.0.min(self.carrier.end(simulation).0);
        while self.next_ms < limit {
            let at = Timestamp(self.next_ms);
            let who = self.carrier.heading(simulation, at);
            let origin = self.carrier.origin(simulation, at);
            simulation.radio.advertise(origin, at.0, &mut self.shadowing, &mut self.rng, |number, rssi| {
                receivers[number].hear(who, at, rssi, simulation.radio.sensitivity_dbm());
            });
            self.next_ms += self.carrier.interval(simulation, at, &mut self.rng);
        }
        limit == to.0
    }
}

impl Carrier {
    fn end(&self, simulation: &Simulation) -> Timestamp {
        match self {
            Self::Shopper { number, outing, .. } => simulation.shoppers[*number].outings[*outing].end(),
            Self::Beacon { .. } => Timestamp(i64::MAX),
        }
    }

    fn heading(&self, simulation: &Simulation, at: Timestamp) -> Heading {
        match self {
            Self::Shopper { number, .. } => {
                let rotation = simulation.shoppers[*number].identifier_at(at) as u32;
                Heading { transmitter: *number as u32, rotation }
            }
            Self::Beacon { number, .. } => {
                Heading { transmitter: (simulation.shoppers.len() + number) as u32, rotation: 0 }
            }
        }
    }

    fn origin(&mut self, simulation: &Simulation, at: Timestamp) -> Origin {
        match self {
            Self::Shopper { number, outing, cursor, zone } => {
                let place = simulation.shoppers[*number].outings[*outing].place(at, cursor);
                let here = simulation.plan.zone_at(place, *zone);
                *zone = here.or(*zone);
                origin(&simulation.plan, place, None, here)
            }
            Self::Beacon { origin, .. } => *origin,
        }
    }

    /// People's transmitters wait up to 10 ms longer each time (Bluetooth Core Specification, Vol 6, Part B, 4.4.2.2.1).
    fn interval(&self, simulation: &Simulation, at: Timestamp, rng: &mut ChaCha8Rng) -> i64 {
        match self {
            Self::Shopper { number, .. } => {
                simulation.shopper_interval(*number, rng) + rng.random_range(0..=10)
            }
            Self::Beacon { number, .. } => {
                let every = i64::from(simulation.scenario.beacons[*number].every_s) * 1000;
                if at.0 + every < simulation.day.to.0 { every } else { every.min(TAIL_EVERY_MS) }
            }
        }
    }
}

fn origin(plan: &FloorPlan, place: Point, height: Option<f32>, zone: Option<usize>) -> Origin {
    let outside = zone.is_some_and(|zone| plan.kind(zone) == ZoneKind::Outside);
    Origin { place, height, zone, outside }
}

fn beacons(simulation: &Simulation) -> Vec<Transmitter> {
    let beacon = |(number, plan): (usize, &crate::scenario::BeaconPlan)| {
        let mut rng = stream(simulation.seed, Purpose::Beacon, number as u64);
        let [x, y, height] = plan.position;
        let zone = simulation.scenario.zone(&plan.zone);
        let origin = origin(&simulation.plan, Point::new(x, y), Some(height), zone);
        let phase = rng.random_range(0..i64::from(plan.every_s) * 1000);
        Transmitter {
            carrier: Carrier::Beacon { number, origin },
            next_ms: simulation.day.from.0 + phase,
            shadowing: Shadowing::default(),
            rng,
        }
    };
    simulation.scenario.beacons.iter().enumerate().map(beacon).collect()
}
