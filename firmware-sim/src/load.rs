//! The load generator: many connections that publish prepared batches as fast as they are acknowledged.
//!
//! It writes its MQTT frames by hand on plain sockets, because a load generator must cost less than what it measures.
//! Batches are rendered once; only their number and times are written over.

mod connection;
mod frame;
mod latency;
mod pattern;
mod relay;
mod sign_ins;
mod socket;
mod template;
mod usage;

pub use pattern::{
    Commands, Connects, Devices, Echo, FanIn, FanOut, Flood, Held, Idle, Pattern, PatternResult, Registry,
    Steady, Target,
};
pub use relay::{RelayResult, relay};
pub use sign_ins::{SignInResult, sign_ins};
pub use usage::Usage;

use crate::chance::{Purpose, stream};
use crate::fleet::Credentials;
use crate::registrar::{NewDevice, NewVenue, NewZone, Registrar, RegistrarError};
use connection::{Connection, Sender, SignIn};
use futures_util::future::try_join_all;
use latency::Latencies;
use protocol::{Batch, DeviceKind, Timestamp, Topic, ZoneKind};
use rand::RngExt;
use serde::Serialize;
use std::cell::Cell;
use std::io;
use std::str::FromStr;
use std::time::Duration;
use template::Template;
use thiserror::Error;
use tokio::time::Instant;

/// How the batches are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// JSON (RFC 8259).
    Json,
    /// CBOR (RFC 8949).
    Cbor,
}

impl FromStr for Encoding {
    type Err = LoadError;

    fn from_str(text: &str) -> Result<Self, LoadError> {
        match text {
            "json" => Ok(Self::Json),
            "cbor" => Ok(Self::Cbor),
            _ => Err(LoadError::Plan(format!("{text:?} is neither json nor cbor"))),
        }
    }
}

/// What to send.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// `HOST:PORT` of the broker.
    pub mqtt: String,
    /// How many connections.
    pub connections: usize,
    /// Pings in a batch, 1 to 1,000.
    pub pings: usize,
    /// How batches are written.
    pub encoding: Encoding,
    /// Most batches of a connection that wait for their acknowledgement.
    pub window: u16,
    /// How many different identifiers every connection reports.
    pub subjects: u32,
    /// For how long to send.
    pub time: Duration,
    /// At most how many batches to send, over all connections; `None` is as many as the time allows.
    pub batches: Option<u64>,
    /// Event time of the first ping. Event time then moves on by a second whenever every connection could have reported
    /// each of its subjects once, so the load is that of a very busy place and nothing in it is late.
    pub start: Timestamp,
    /// What the identifiers are drawn from.
    pub seed: u64,
}

/// What came of it. One line of JSON in the program.
#[derive(Clone, Debug, Serialize)]
pub struct LoadResult {
    /// How many connections.
    pub connections: usize,
    /// Pings in a batch.
    pub pings_per_batch: usize,
    /// How batches were written.
    pub encoding: Encoding,
    /// Bytes of a batch, without topic and frame.
    pub batch_bytes: usize,
    /// From the first batch to the last acknowledgement.
    pub seconds: f64,
    /// Acknowledged batches.
    pub batches: u64,
    /// Pings in them.
    pub pings: u64,
    /// Acknowledged batches a second.
    pub batches_per_s: f64,
    /// Pings in acknowledged batches a second.
    pub pings_per_s: f64,
    /// Median time from writing a batch to its PUBACK, microseconds.
    pub p50_us: u64,
    /// The time 99 of 100 take at most.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
    /// How many of the same batches one core decodes in a second and does nothing else with: the ceiling of any server.
    pub decode_only_per_s: f64,
    /// Refusals in receipts: a load that is refused measures nothing.
    pub refusals: u64,
    /// The first refusal's reason.
    pub refused_as: Option<String>,
}

/// Why the load ended.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The plan makes no sense.
    #[error("{0}")]
    Plan(String),
    /// The devices could not be registered.
    #[error(transparent)]
    Registrar(#[from] RegistrarError),
    /// A connection broke.
    #[error("a connection broke: {0}")]
    Io(#[from] io::Error),
    /// The broker did something a load generator does not understand.
    #[error("the broker answered with {0}")]
    Unexpected(String),
}

impl LoadPlan {
    fn check(&self) -> Result<(), LoadError> {
        let wrong = |why: &str| Err(LoadError::Plan(why.to_owned()));
        match self {
            Self { pings: 0 | 1_001.., .. } => wrong("a batch has 1 to 1,000 pings"),
            Self { connections: 0, .. } => wrong("one connection at least"),
            Self { window: 0, .. } => wrong("a window of one batch at least"),
            Self { subjects: 0 | 0x0100_0000.., .. } => wrong("1 to 16,777,215 subjects"),
            _ => Ok(()),
        }
    }

    /// The batches of one connection: together they name every subject about once.
    fn templates(&self, connection: usize) -> Result<Vec<Template>, LoadError> {
        let mut rng = stream(self.seed, Purpose::Load, connection as u64);
        let boot = format!("{:08x}", rng.random::<u32>());
        let count = (self.subjects as usize).div_ceil(self.pings).clamp(1, 256);
        let subject = |number: usize| (number % self.subjects as usize) as u32;
        (0..count)
            .map(|number| {
                let subjects = (0..self.pings).map(|ping| subject(number * self.pings + ping));
                Template::new(&boot, subjects, self.encoding, &mut rng)
            })
            .collect()
    }
}

/// Registers one gateway for each connection, spread over zones of one venue.
pub async fn register(plan: &LoadPlan, registrar: &Registrar) -> Result<Vec<Credentials>, LoadError> {
    plan.check()?;
    let venue = NewVenue {
        name: "Load".to_owned(),
        timezone: "UTC".to_owned(),
        day_starts_at: "00:00".to_owned(),
        locale: None,
        admits: Vec::new(),
    };
    let venue = registrar.venue(&venue).await?;
    let mut zones = Vec::new();
    for number in 0..plan.connections.min(8) {
        let name = format!("zone {number}");
        let zone = NewZone { name, kind: ZoneKind::Interior, neighbours: Vec::new(), polygon: None };
        zones.push(registrar.zone(venue, &zone).await?);
    }
    let mut devices = Vec::with_capacity(plan.connections);
    for number in 0..plan.connections {
        let device = NewDevice {
            kind: DeviceKind::Gateway,
            name: format!("load {number}"),
            venue: Some(venue),
            zone: Some(zones[number % zones.len()]),
            position: None,
            identifier: None,
            profile: None,
        };
        devices.push(registrar.device(&device).await?);
    }
    Ok(devices)
}

/// Sends the load through the given devices, one connection each.
pub async fn run(plan: &LoadPlan, devices: &[Credentials]) -> Result<LoadResult, LoadError> {
    plan.check()?;
    if devices.len() < plan.connections {
        return Err(LoadError::Plan("there are fewer devices than connections".to_owned()));
    }
    let clock = EventClock::new(plan);
    let mut senders = Vec::with_capacity(plan.connections);
    for (number, device) in devices.iter().take(plan.connections).enumerate() {
        let name = device.device.to_string();
        let sign_in =
            SignIn { client_id: name.clone(), user: Some((name, device.secret.clone())), keep_alive: 0 };
        let mut connection = Connection::open(&plan.mqtt, &sign_in).await?;
        connection.subscribe(&Topic::Receipts(device.device).to_string(), 0).await?;
        let topic = Topic::Pings(device.device).to_string();
        senders.push(Sender::new(connection, &topic, plan.templates(number)?, plan.window));
    }
    send(plan, &clock, senders).await
}

async fn send(plan: &LoadPlan, clock: &EventClock, senders: Vec<Sender>) -> Result<LoadResult, LoadError> {
    let batch_bytes = senders.first().map_or(0, Sender::batch_bytes);
    let decode_only_per_s = decode_only(&plan.templates(0)?, plan.start);
    let started = Instant::now();
    let deadline = started + plan.time;
    let sent = try_join_all(senders.into_iter().map(|sender| sender.send(clock, deadline))).await?;
    let seconds = started.elapsed().as_secs_f64();
    let mut latencies = Latencies::default();
    for one in &sent {
        latencies.add(&one.latencies);
    }
    let batches = latencies.count();
    let pings = batches * plan.pings as u64;
    Ok(LoadResult {
        connections: plan.connections,
        pings_per_batch: plan.pings,
        encoding: plan.encoding,
        batch_bytes,
        seconds,
        batches,
        pings,
        batches_per_s: batches as f64 / seconds,
        pings_per_s: pings as f64 / seconds,
        p50_us: latencies.percentile(50.0),
        p99_us: latencies.percentile(99.0),
        max_us: latencies.longest(),
        decode_only_per_s,
        refusals: sent.iter().map(|one| one.refusals).sum(),
        refused_as: sent.into_iter().find_map(|one| one.refused_as),
    })
}

/// Decodes the batches of a connection for a quarter of a second.
fn decode_only(templates: &[Template], at: Timestamp) -> f64 {
    let bodies: Vec<Vec<u8>> = templates
        .iter()
        .map(|template| {
            let mut body = Vec::new();
            template.write(template::FIRST_SEQ, at, &mut body);
            body
        })
        .collect();
    let (started, mut decoded) = (Instant::now(), 0_u64);
    while started.elapsed() < Duration::from_millis(250) {
        for body in &bodies {
            decoded += u64::from(std::hint::black_box(Batch::decode(body, None)).is_ok());
        }
    }
    decoded as f64 / started.elapsed().as_secs_f64()
}

/// The event time that all connections share, and the budget of batches.
#[derive(Debug)]
struct EventClock {
    start: Timestamp,
    batches_a_second: f64,
    sent: Cell<u64>,
    most: u64,
}

impl EventClock {
    fn new(plan: &LoadPlan) -> Self {
        let pings_a_second = f64::from(plan.subjects) * plan.connections as f64;
        Self {
            start: plan.start,
            batches_a_second: pings_a_second / plan.pings as f64,
            sent: Cell::new(0),
            most: plan.batches.unwrap_or(u64::MAX),
        }
    }

    /// The time of the next batch; `None` when enough were sent.
    fn next(&self) -> Option<Timestamp> {
        let sent = self.sent.get();
        if sent >= self.most {
            return None;
        }
        self.sent.set(sent + 1);
        Some(self.start.plus((sent as f64 / self.batches_a_second * 1000.0) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> LoadPlan {
        LoadPlan {
            mqtt: String::new(),
            connections: 4,
            pings: 10,
            encoding: Encoding::Json,
            window: 16,
            subjects: 100,
            time: Duration::from_secs(1),
            batches: Some(80),
            start: Timestamp(1_000),
            seed: 1,
        }
    }

    #[test]
    fn event_time_moves_a_second_when_all_could_report_all() {
        let clock = EventClock::new(&plan());
        let times: Vec<i64> = std::iter::from_fn(|| clock.next()).map(|at| at.0).collect();
        assert_eq!((times.len(), times[0], times[40]), (80, 1_000, 2_000));
    }

    #[test]
    fn senseless_plans_are_refused() {
        plan().check().unwrap();
        for wrong in [
            LoadPlan { pings: 0, ..plan() },
            LoadPlan { pings: 1_001, ..plan() },
            LoadPlan { connections: 0, ..plan() },
            LoadPlan { window: 0, ..plan() },
            LoadPlan { subjects: 0, ..plan() },
        ] {
            assert!(matches!(wrong.check(), Err(LoadError::Plan(_))), "{wrong:?}");
        }
    }
}
