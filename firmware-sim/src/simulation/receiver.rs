//! A gateway with all that is wrong with it: its adapter hears, its clock stamps, its network delivers.

use super::Simulation;
use crate::chance::{Purpose, normal, stream};
use crate::fault::Trouble;
use crate::fleet::Uplink;
use crate::gateway::{Gateway, Heading};
use protocol::{Batch, Identifier, Timestamp};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// One gateway of a day.
#[derive(Debug)]
pub(super) struct Receiver {
    gateway: Gateway,
    offset_ms: i64,
    clock_steps: Vec<(Timestamp, i64)>,
    trouble: Trouble,
    /// What is under way, and when it arrives, in its order.
    held: VecDeque<(Timestamp, Batch)>,
    /// How long each batch is under way.
    rng: ChaCha8Rng,
}

impl Receiver {
    /// The gateway of that number.
    pub(super) fn new(simulation: &Simulation, number: usize) -> Self {
        let mut rng = stream(simulation.seed, Purpose::Gateway, number as u64);
        let (scenario, day) = (&simulation.scenario, &simulation.day);
        let name = &scenario.gateways[number].name;
        let offset_ms = (scenario.clock.offset_sigma_ms * normal(&mut rng)) as i64;
        let clock_steps = scenario.clock.steps.iter().filter(|step| step.gateway == *name);
        let boot = format!("{:08x}", rng.random::<u32>()).parse().expect("eight hex digits are a boot name");
        Self {
            gateway: Gateway::new(boot),
            offset_ms,
            clock_steps: clock_steps.map(|step| (day.at(step.at), step.by_ms)).collect(),
            trouble: simulation.troubles[number].clone(),
            held: VecDeque::new(),
            rng: stream(simulation.seed, Purpose::Uplink, number as u64),
        }
    }

    /// An advertisement arrives with that strength; weaker than the sensitivity, the adapter does not hear it. dBm.
    pub(super) fn hear(&mut self, who: Heading, at: Timestamp, rssi: i8, sensitivity: f32) {
        let strength = f32::from(rssi) - self.trouble.loss_db(at);
        if strength >= sensitivity.min(f32::from(rssi)) {
            let clock = at.plus(self.error_ms(at));
            self.gateway.hear(who, clock, strength.round().max(-127.0) as i8);
        }
    }

    /// Sends all that was heard so far.
    pub(super) fn flush<'a>(&mut self, at: Timestamp, name: impl Fn(Heading) -> &'a Identifier) {
        for batch in self.gateway.flush(name) {
            let latencies = self.trouble.latencies.iter();
            let under_way = latencies.map(|latency| latency.draw(&mut self.rng)).sum();
            let before = self.held.back().map_or(at, |(arrives, _)| *arrives);
            self.held.push_back((at.plus(under_way).max(before), batch));
        }
    }

    /// How it is connected in [from, to).
    pub(super) fn uplink(&self, from: Timestamp, to: Timestamp) -> Uplink {
        Uplink {
            offline: self.trouble.away.iter().any(|(begins, ends)| *begins < to && from < *ends),
            cuts: self.trouble.cuts,
            duplicates: self.trouble.duplicates,
            // They leave before the step is over.
            clock_error_ms: self.trouble.clock.as_ref().map(|_| self.error_ms(to.minus(1))),
        }
    }

    /// Whether it has no connection before then, long after the day.
    pub(super) fn is_away_until(&self, late: Timestamp) -> bool {
        self.trouble.away.iter().any(|(_, until)| *until >= late)
    }

    /// What has arrived by then.
    pub(super) fn arrived(&mut self, by: Timestamp) -> impl Iterator<Item = Batch> {
        let count = self.held.iter().take_while(|(arrives, _)| *arrives <= by).count();
        self.held.drain(..count).map(|(_, batch)| batch)
    }

    /// How far the clock is ahead, milliseconds.
    fn error_ms(&self, at: Timestamp) -> i64 {
        let stepped = self.clock_steps.iter().filter(|(when, _)| *when <= at).map(|(_, by)| by);
        let wrong = self.trouble.clock.as_ref().map_or(0, |clock| clock.error_ms(at));
        self.offset_ms + stepped.sum::<i64>() + wrong
    }
}
