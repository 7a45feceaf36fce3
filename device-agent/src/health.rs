//! How the device is: the part `health` of the reported state.
//!
//! Numbers are rounded to what somebody would act on, and told once a minute at most, if any of them is another. What
//! changes the meaning (the adapter fails or is back, pings are lost, the clock is in doubt) is told within seconds.

mod machine;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

pub use machine::Machine;

use crate::advertise::AdvertisingState;
use crate::scan::{AdapterState, AdapterStatus};

/// The name of the part of the twin.
pub const PART: &str = "health";

/// The least time between two reports of numbers.
const PERIOD: Duration = Duration::from_mins(1);

/// The least time between two reports of any kind, so that what flaps does not flood.
const PAUSE: Duration = Duration::from_secs(5);

/// What the agent knows of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Advertisements heard since the start.
    pub heard: u64,
    /// Bytes in the spool.
    pub spool_bytes: u64,
    /// Pings and advertisements lost since the start, for want of room or time.
    pub lost: u64,
    /// Advertisements forgotten as there is no key to hide them with.
    pub withheld: u64,
    /// Whether the own clock can be right and nothing contradicts it.
    pub clock_known: bool,
    /// How far it is behind what the platform said on this connection, at least, in milliseconds.
    pub clock_behind_ms: Option<i64>,
    /// The adapter, where there is one.
    pub adapter: Option<AdapterStatus>,
    /// What becomes of the own advertisement, where there is one.
    pub advertising: Option<AdvertisingState>,
}

/// Looks after the device.
#[derive(Debug)]
pub struct Health {
    machine: Machine,
    last: Option<Reading>,
}

/// What was read, whether it was told or was no news.
#[derive(Clone, Debug)]
struct Reading {
    /// When, in elapsed time.
    at: Duration,
    /// Advertisements heard by then.
    heard: u64,
    health: Value,
    meaning: Meaning,
}

/// What is told at once when it changes.
#[derive(Clone, Debug, PartialEq)]
struct Meaning {
    adapter: Option<(Option<String>, bool)>,
    advertising: Option<AdvertisingState>,
    lost: bool,
    withheld: bool,
    clock_known: bool,
}

impl Health {
    /// Looks at this machine, and at the disk that holds this directory.
    pub fn new(spool: &Path) -> Self {
        Self::of(Machine::this(spool))
    }

    /// Looks at a machine.
    pub fn of(machine: Machine) -> Self {
        Self { machine, last: None }
    }

    /// When it looks next, in elapsed time.
    pub fn due(&self) -> Duration {
        self.last.as_ref().map_or(Duration::ZERO, |last| last.at + PERIOD)
    }

    /// The whole part, if it is to be reported now.
    pub fn look(&mut self, facts: &Facts, elapsed: Duration) -> Option<Value> {
        let meaning = Meaning {
            adapter: facts.adapter.as_ref().map(|adapter| {
                // Before it scans for the first time it is neither well nor ill.
                (adapter.name.clone(), adapter.state == AdapterState::Failing)
            }),
            advertising: facts.advertising,
            lost: facts.lost > 0,
            withheld: facts.withheld > 0,
            clock_known: facts.clock_known,
        };
        if let Some(last) = &self.last {
            let wait = if last.meaning == meaning { PERIOD } else { PAUSE };
            if elapsed < last.at + wait {
                return None;
            }
        }
        let health = self.read(facts, elapsed);
        let reading = Reading { at: elapsed, heard: facts.heard, health: health.clone(), meaning };
        let before = self.last.replace(reading);
        before.is_none_or(|before| before.health != health).then_some(health)
    }

    fn read(&mut self, facts: &Facts, elapsed: Duration) -> Value {
        let per_second = self.last.as_ref().and_then(|last| {
            let seconds = elapsed.saturating_sub(last.at).as_secs_f64();
            (seconds > 0.0).then(|| two_digits((facts.heard - last.heard) as f64 / seconds))
        });
        let mut adapter = facts.adapter.as_ref().map(|adapter| {
            json!({
                "name": adapter.name,
                "state": adapter.state.as_str(),
                "restarts": adapter.restarts,
                "failures": adapter.failures,
            })
        });
        if let Some(advertising) = facts.advertising {
            // A device may send without listening.
            adapter.get_or_insert_with(|| json!({}))["advertising"] = match advertising {
                AdvertisingState::Off => false.into(),
                AdvertisingState::On => true.into(),
                AdvertisingState::Unsupported => "unsupported".into(),
            };
        }
        json!({
            "cpu_percent": self.machine.cpu_percent(),
            "temperature_c": self.machine.celsius(),
            "memory_percent": self.machine.memory_percent(),
            "agent_memory_mb": self.machine.own_memory_mb(),
            "disk_percent": self.machine.disk_percent(),
            "heard_per_s": per_second,
            "spool_kb": facts.spool_bytes.div_ceil(1024),
            "lost": facts.lost,
            "withheld": facts.withheld,
            "clock": {
                "known": facts.clock_known,
                "behind_ms": facts.clock_behind_ms,
                "synchronized": self.machine.is_synchronized(),
            },
            "adapter": adapter,
        })
    }
}

/// A rate to two digits, which is as much as it means.
fn two_digits(rate: f64) -> f64 {
    if rate <= 0.0 {
        return 0.0;
    }
    let unit = 10_f64.powi(rate.log10().floor() as i32 - 1);
    let rounded = (rate / unit).round() * unit;
    // Dividing and multiplying leaves traces such as 0.30000000000000004.
    (rounded * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests;
