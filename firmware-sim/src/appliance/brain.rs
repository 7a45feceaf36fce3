//! What a device does with commands and desired twins; it is told the time and sends nothing itself.

mod beginning;

use super::{Deeds, Manners};
use protocol::capability::Unit;
use protocol::{
    Ack, AckStatus, Capabilities, Command, CommandId, CommandReason, Desired, Timestamp, capability, twin,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How many commands a device remembers.
const REMEMBERED: usize = 1_000;

/// How often a thermostat measures, and how near it comes to what is set each time.
const MEASURING: Duration = Duration::from_secs(30);
const APPROACH: f64 = 0.1;

/// A device without its connection.
#[derive(Debug)]
pub(super) struct Brain {
    capabilities: Capabilities,
    manners: Manners,
    rng: ChaCha8Rng,
    state: Map<String, Value>,
    /// The last answer to each command it remembers.
    known: BTreeMap<CommandId, Ack>,
    /// Those, oldest first.
    order: VecDeque<CommandId>,
    /// What is being done or waits for it, and when it will be over.
    jobs: VecDeque<(Duration, Job)>,
    followed: Option<u64>,
    measured: Duration,
}

/// A message to the platform, not to be sent before a time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    /// When it is sent, on the device's own count of time.
    pub(super) at: Duration,
    /// What it says.
    pub(super) says: Says,
}

/// What a device says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Says {
    /// How far a command got.
    Ack(CommandId, Ack),
    /// What changed of its state.
    Reported(Map<String, Value>),
}

#[derive(Clone, Debug)]
enum Job {
    Command(CommandId, Option<capability::Order>),
    Twin(Map<String, Value>),
}

impl Brain {
    /// A device as it leaves the factory.
    pub(super) fn new(capabilities: Capabilities, manners: Manners, rng: ChaCha8Rng) -> Self {
        Self {
            state: beginning::state(&capabilities),
            capabilities,
            manners,
            rng,
            known: BTreeMap::new(),
            order: VecDeque::new(),
            jobs: VecDeque::new(),
            followed: None,
            measured: Duration::ZERO,
        }
    }

    /// Its whole state, as it reports it on each connection.
    pub(super) fn whole(&self) -> Map<String, Value> {
        let mut whole = self.state.clone();
        whole.insert(
            "firmware".to_owned(),
            json!({"name": "promenade-sim", "version": env!("CARGO_PKG_VERSION")}),
        );
        whole
    }

    /// How long it stays connected, and then away; none where it never goes.
    pub(super) fn absence(&mut self) -> Option<(Duration, Duration)> {
        let Manners { online_ms, offline_ms, .. } = self.manners;
        let mut about = |mean: u64| Duration::from_millis(self.rng.random_range(mean / 2..=mean + mean / 2));
        (online_ms > 0).then(|| (about(online_ms), about(offline_ms)))
    }

    /// Takes a command and says what is to be answered at once.
    pub(super) fn take(
        &mut self,
        id: CommandId,
        body: &[u8],
        at: Duration,
        now: Timestamp,
        deeds: &mut Deeds,
    ) -> Vec<Word> {
        if let Some(ack) = self.known.get(&id).cloned() {
            deeds.repeated += 1;
            return self.say(at, &Says::Ack(id, ack));
        }
        let ack = match self.admit(body, now) {
            Ok(order) => {
                let begins = self.jobs.back().map_or(at, |(until, _)| at.max(*until));
                let [least, most] = self.manners.delay_ms;
                let delay = Duration::from_millis(self.rng.random_range(least..=most.max(least)));
                self.jobs.push_back((begins + delay, Job::Command(id, order)));
                Ack::new(AckStatus::Accepted)
            }
            Err(reason) => {
                deeds.refused += 1;
                Ack::because(AckStatus::Refused, reason, None)
            }
        };
        let is_told = ack.status.is_final() || self.manners.accepts;
        self.remember(id, ack.clone());
        if is_told { self.say(at, &Says::Ack(id, ack)) } else { Vec::new() }
    }

    /// Takes a desired twin.
    pub(super) fn desire(&mut self, body: &[u8], at: Duration) {
        let Ok(desired) = serde_json::from_slice::<Desired>(body) else { return };
        if self.followed.is_some_and(|followed| desired.version <= followed) {
            return;
        }
        self.followed = Some(desired.version);
        let mut patch = twin::delta(&self.state, &desired.state);
        patch.retain(|name, part| {
            let mut after = self.state.clone();
            twin::merge(&mut after, Map::from_iter([(name.clone(), part.clone())]));
            let is_own = name != "sensor" && self.capabilities.names().any(|own| own == name);
            is_own && after.contains_key(name) && self.capabilities.holds(&after).is_ok()
        });
        let begins = self.jobs.back().map_or(at, |(until, _)| at.max(*until));
        let delay = Duration::from_millis(self.manners.delay_ms[0]);
        self.jobs.push_back((begins + delay, Job::Twin(patch)));
    }

    /// Ends what is over by now, and says what came of it.
    pub(super) fn work(&mut self, at: Duration, deeds: &mut Deeds) -> Vec<Word> {
        let mut words = Vec::new();
        while let Some((until, _)) = self.jobs.front()
            && *until <= at
        {
            let Some((until, job)) = self.jobs.pop_front() else { break };
            match job {
                Job::Command(id, order) => {
                    deeds.ran.push(id);
                    let ack = self.run(order.as_ref());
                    self.remember(id, ack.clone());
                    words.extend(self.say(until, &Says::Ack(id, ack)));
                }
                Job::Twin(patch) => {
                    deeds.followed += 1;
                    twin::merge(&mut self.state, patch.clone());
                    if !patch.is_empty() {
                        words.push(Word { at: until, says: Says::Reported(patch) });
                    }
                }
            }
        }
        words.extend(self.measure(at));
        words
    }

    /// When something is over next.
    pub(super) fn due(&self) -> Option<Duration> {
        let measuring = self.climate().map(|_| self.measured + MEASURING);
        self.jobs.front().map(|(until, _)| *until).into_iter().chain(measuring).min()
    }

    fn admit(&self, body: &[u8], now: Timestamp) -> Result<Option<capability::Order>, CommandReason> {
        let command: Command = serde_json::from_slice(body).map_err(|_| CommandReason::BadArguments)?;
        if command.deadline.is_some_and(|deadline| now > deadline) {
            return Err(CommandReason::DeadlinePassed);
        }
        if command.name == "identify" {
            return Ok(None);
        }
        let order =
            capability::Order::read(&command.name, &command.args).map_err(|_| CommandReason::BadArguments)?;
        let order = order.ok_or(CommandReason::UnknownCommand)?;
        self.capabilities.after(&self.state, &order)?;
        Ok(Some(order))
    }

    fn run(&mut self, order: Option<&capability::Order>) -> Ack {
        if self.rng.random_bool(self.manners.failure_rate) {
            return Ack::because(AckStatus::Failed, CommandReason::DeviceError, None);
        }
        let Some(order) = order else { return Ack::new(AckStatus::Done) };
        match self.capabilities.after(&self.state, order) {
            Ok(patch) => {
                twin::merge(&mut self.state, patch.clone());
                Ack { reported: Some(patch), ..Ack::new(AckStatus::Done) }
            }
            Err(reason) => Ack::because(AckStatus::Failed, reason, None),
        }
    }

    fn remember(&mut self, id: CommandId, ack: Ack) {
        if self.known.insert(id, ack).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// A word, once or twice and now or later, as its manners are.
    fn say(&mut self, at: Duration, says: &Says) -> Vec<Word> {
        let [least, most] = self.manners.ack_delay_ms;
        let times = 1 + usize::from(self.rng.random_bool(self.manners.duplicate_acks));
        let mut later = || at + Duration::from_millis(self.rng.random_range(least..=most.max(least)));
        (0..times).map(|_| Word { at: later(), says: says.clone() }).collect()
    }

    /// What it has measured since the last time.
    fn measure(&mut self, at: Duration) -> Option<Word> {
        let (set, told) = self.climate()?;
        if at < self.measured + MEASURING {
            return None;
        }
        self.measured = at;
        let next = ((told + (set - told) * APPROACH) * 10.0).round() / 10.0;
        // The last tenths would never come.
        let next = if next.to_bits() == told.to_bits() { set } else { next };
        if next.to_bits() == told.to_bits() {
            return None;
        }
        let patch = Map::from_iter([("sensor".to_owned(), json!({"temperature": next}))]);
        twin::merge(&mut self.state, patch.clone());
        Some(Word { at, says: Says::Reported(patch) })
    }

    /// The temperature that is set and the one that is measured, if it has both.
    fn climate(&self) -> Option<(f64, f64)> {
        let ranges = &self.capabilities.range.as_ref()?.0;
        let (name, _) = ranges.iter().find(|(_, range)| range.unit == Some(Unit::Celsius))?;
        let set = self.state.get("range")?.get(name)?.as_f64()?;
        Some((set, self.state.get("sensor")?.get("temperature")?.as_f64()?))
    }
}

#[cfg(test)]
mod tests;
