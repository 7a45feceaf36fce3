//! What a device does with commands and desired twins; it is told the time and sends nothing itself.

mod beginning;

use super::{Deeds, Manners, Ran};
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
    /// What is being done, and when it will be over.
    doing: Option<(Duration, Job)>,
    /// What waits for that, with the time that it will take.
    waiting: VecDeque<(Duration, Job)>,
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
    Command { id: CommandId, order: Option<capability::Order>, deadline: Option<Timestamp> },
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
            doing: None,
            waiting: VecDeque::new(),
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
            Ok((order, deadline)) => {
                let [least, most] = self.manners.delay_ms;
                let delay = Duration::from_millis(self.rng.random_range(least..=most.max(least)));
                self.waiting.push_back((delay, Job::Command { id, order, deadline }));
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
    pub(super) fn desire(&mut self, body: &[u8]) {
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
        let delay = Duration::from_millis(self.manners.delay_ms[0]);
        self.waiting.push_back((delay, Job::Twin(patch)));
    }

    /// Ends what is over by now, begins what is next, and says what came of it.
    pub(super) fn work(&mut self, at: Duration, now: Timestamp, deeds: &mut Deeds) -> Vec<Word> {
        let mut words = Vec::new();
        loop {
            if let Some((until, job)) = self.doing.take_if(|(until, _)| *until <= at) {
                words.extend(self.finish(until, job, deeds));
            }
            if self.doing.is_some() {
                break;
            }
            let Some((delay, job)) = self.waiting.pop_front() else { break };
            match job {
                // Whatever made it wait, the others or a time away: it is looked at again before it begins.
                Job::Command { id, deadline, .. } if is_past(deadline, now) => {
                    deeds.refused += 1;
                    let ack = Ack::because(AckStatus::Refused, CommandReason::DeadlinePassed, None);
                    self.remember(id, ack.clone());
                    words.extend(self.say(at, &Says::Ack(id, ack)));
                    continue;
                }
                Job::Command { id, .. } => deeds.ran.push(Ran { command: id, began_at: now }),
                Job::Twin(_) => {}
            }
            self.doing = Some((at + delay, job));
        }
        words.extend(self.measure(at));
        words
    }

    /// When something is over next.
    pub(super) fn due(&self) -> Option<Duration> {
        let measuring = self.climate().map(|_| self.measured + MEASURING);
        self.doing.as_ref().map(|(until, _)| *until).into_iter().chain(measuring).min()
    }

    fn finish(&mut self, until: Duration, job: Job, deeds: &mut Deeds) -> Vec<Word> {
        match job {
            Job::Command { id, order, .. } => {
                let ack = self.run(order.as_ref());
                self.remember(id, ack.clone());
                self.say(until, &Says::Ack(id, ack))
            }
            Job::Twin(patch) => {
                deeds.followed += 1;
                twin::merge(&mut self.state, patch.clone());
                let is_news = !patch.is_empty();
                is_news.then_some(Word { at: until, says: Says::Reported(patch) }).into_iter().collect()
            }
        }
    }

    /// What is to be done, and until when it may be begun.
    fn admit(
        &self,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(Option<capability::Order>, Option<Timestamp>), CommandReason> {
        let command: Command = serde_json::from_slice(body).map_err(|_| CommandReason::BadArguments)?;
        if is_past(command.deadline, now) {
            return Err(CommandReason::DeadlinePassed);
        }
        if command.name == "identify" {
            return Ok((None, command.deadline));
        }
        let order =
            capability::Order::read(&command.name, &command.args).map_err(|_| CommandReason::BadArguments)?;
        let order = order.ok_or(CommandReason::UnknownCommand)?;
        self.capabilities.after(&self.state, &order)?;
        Ok((Some(order), command.deadline))
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

fn is_past(deadline: Option<Timestamp>, now: Timestamp) -> bool {
    deadline.is_some_and(|deadline| now > deadline)
}

#[cfg(test)]
mod tests;
