//! The air around a made-up thermostat: what is measured comes nearer to what is set.

use std::time::Duration;

use protocol::capability::{Reading, Unit};
use serde_json::{Map, Value, json};

use super::beginning::key;
use crate::config::SimulatedApplianceConfig;

/// What a report must differ by, in degrees Celsius: what a good thermometer tells apart.
const RESOLUTION: f64 = 0.1;

/// A temperature that follows another.
#[derive(Debug)]
pub(super) struct Climate {
    /// The range that is followed.
    range: String,
    settle_s: f64,
    every: Duration,
    /// What it really is; the state has what was told last.
    temperature: f64,
    /// When that was, in elapsed time.
    at: Duration,
    /// When it may be told next.
    due: Duration,
}

impl Climate {
    /// The air of a thing that measures a temperature and has one that is set, if it does.
    pub(super) fn of(
        config: &SimulatedApplianceConfig,
        state: &Map<String, Value>,
        now: Duration,
    ) -> Option<Self> {
        let capabilities = &config.capabilities;
        capabilities.sensor.as_ref().filter(|sensor| sensor.readings.contains(&Reading::Temperature))?;
        let ranges = &capabilities.range.as_ref()?.0;
        let (range, _) = ranges.iter().find(|(_, range)| range.unit == Some(Unit::Celsius))?;
        let temperature = state.get("sensor")?.get(key(Reading::Temperature))?.as_f64()?;
        let every = Duration::from_secs(config.report_s);
        Some(Self {
            range: range.clone(),
            settle_s: config.settle_s,
            every,
            temperature,
            at: now,
            due: now + every,
        })
    }

    /// When to look again.
    pub(super) fn due(&self) -> Duration {
        self.due
    }

    /// The change of the state, if it is time and there is one.
    pub(super) fn drift(&mut self, state: &Map<String, Value>, now: Duration) -> Option<Map<String, Value>> {
        if now < self.due {
            return None;
        }
        self.due = now + self.every;
        let name = key(Reading::Temperature);
        let set = state.get("range")?.get(&self.range)?.as_f64()?;
        let told = state.get("sensor")?.get(&name)?.as_f64()?;
        let share = 1.0 - (-now.saturating_sub(self.at).as_secs_f64() / self.settle_s).exp();
        self.temperature += (set - self.temperature) * share;
        self.at = now;
        let rounded = (self.temperature / RESOLUTION).round() * RESOLUTION;
        // Rounded again, because a tenth has no end in binary.
        let rounded = (rounded * 1_000.0).round() / 1_000.0;
        ((rounded - told).abs() >= RESOLUTION / 2.0)
            .then(|| Map::from_iter([("sensor".to_owned(), json!({name: rounded}))]))
    }
}
