//! Appliances, kiosks, lights and thermostats that are controlled: each a plain device with a real MQTT connection.
//!
//! They do what their capabilities say, after a delay, and fail, go away, answer late or twice as often as they are told.
//! Each runs a command once in its life, however often it comes; its life is one run of the program.

mod brain;
mod connection;

use crate::chance::{Purpose, stream};
use crate::fleet::{Credentials, FleetOptions};
use brain::Brain;
use protocol::{Capabilities, CommandId, DeviceId, Timestamp};
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How a device behaves. Times are milliseconds, rates shares of 1.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Manners {
    /// The shortest and the longest time that an order takes.
    pub delay_ms: [u64; 2],
    /// Share of the orders that fail.
    pub failure_rate: f64,
    /// Whether it says `accepted` when a command comes, or only how it ended.
    pub accepts: bool,
    /// Share of the acks that are sent twice.
    pub duplicate_acks: f64,
    /// The shortest and the longest time that an ack waits before it is sent.
    pub ack_delay_ms: [u64; 2],
    /// Mean time from coming to going away again; 0 is never.
    pub online_ms: u64,
    /// Mean time for which it stays away.
    pub offline_ms: u64,
}

/// A device to be run.
#[derive(Clone, Debug)]
pub struct Appliance {
    /// How it signs in.
    pub credentials: Credentials,
    /// What it can do.
    pub capabilities: Capabilities,
    /// How it behaves.
    pub manners: Manners,
}

/// What one device did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deeds {
    /// Times it was connected and subscribed.
    pub connected: u64,
    /// The commands it ran, or is running, those that failed too, in their order.
    pub ran: Vec<Ran>,
    /// Commands that came again.
    pub repeated: u64,
    /// Commands it refused, when they came or when it came to them.
    pub refused: u64,
    /// Desired twins it followed.
    pub followed: u64,
}

/// A command that was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ran {
    /// Which one.
    pub command: CommandId,
    /// When it was begun, on the device's own clock.
    pub began_at: Timestamp,
}

/// Devices that run until this is dropped.
#[derive(Debug)]
pub struct Appliances {
    devices: Vec<(DeviceId, Arc<Mutex<Deeds>>)>,
    _tasks: JoinSet<()>,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            delay_ms: [50, 250],
            failure_rate: 0.0,
            accepts: true,
            duplicate_acks: 0.0,
            ack_delay_ms: [0, 0],
            online_ms: 0,
            offline_ms: 10_000,
        }
    }
}

impl Appliances {
    /// Starts devices that connect and come back for as long as they run. `now` is the time, by which they know deadlines;
    /// the same seed gives the same chances.
    pub fn start(options: &FleetOptions, devices: Vec<Appliance>, now: Timestamp, seed: u64) -> Self {
        let clock = Clock { started: Instant::now(), now };
        let mut tasks = JoinSet::new();
        let start = |(number, appliance): (usize, Appliance)| {
            let deeds = Arc::new(Mutex::new(Deeds::default()));
            let device = appliance.credentials.device;
            let rng = stream(seed, Purpose::Appliance, number as u64);
            let brain = Brain::new(appliance.capabilities, appliance.manners, rng);
            let (options, shared) = (options.clone(), Arc::clone(&deeds));
            tasks.spawn(connection::run(options, appliance.credentials, brain, clock, shared));
            (device, deeds)
        };
        let devices = devices.into_iter().enumerate().map(start).collect();
        Self { devices, _tasks: tasks }
    }

    /// What each device did so far, in the order in which they were given.
    pub fn deeds(&self) -> Vec<(DeviceId, Deeds)> {
        let read = |deeds: &Mutex<Deeds>| deeds.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.devices.iter().map(|(device, deeds)| (*device, read(deeds))).collect()
    }
}

/// The time of day, counted on from when it was told.
#[derive(Clone, Copy, Debug)]
struct Clock {
    started: Instant,
    now: Timestamp,
}

impl Clock {
    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn now(&self) -> Timestamp {
        self.now.plus(self.elapsed().as_millis() as i64)
    }

    fn instant(&self, elapsed: Duration) -> Instant {
        self.started + elapsed
    }
}
