//! Connected devices of a platform that answer each command at once: what a bench sends its commands to.

use super::responder::{Answered, Answers, READS, Responder};
use super::{PatternResult, Target, endless};
use crate::fleet::Credentials;
use crate::load::LoadError;
use crate::load::connection::{Connection, SignIn};
use crate::load::latency::Latencies;
use crate::load::usage::Meter;
use crate::registrar::{NewDevice, Registrar};
use clap::Args;
use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use protocol::{DeviceId, DeviceKind, Profile, Topic};
use std::io;
use std::path::{Path, PathBuf};
use tokio::time::Instant;

/// How many devices are being registered at once.
const REGISTERING: usize = 16;

/// How many devices, and how they answer.
#[derive(Args, Clone, Debug)]
pub struct Commands {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    registry: Registry,
    /// How many devices.
    #[arg(long, default_value_t = 1_000)]
    devices: usize,
    /// Answer `done` alone, and not `accepted` before it.
    #[arg(long)]
    done_only: bool,
    /// Where to write the ids of the devices, one on each line.
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
}

/// Where devices are registered.
#[derive(Args, Clone, Debug)]
pub struct Registry {
    /// The HTTP API.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    http: String,
    /// An API key that may register devices.
    #[arg(long, default_value = "")]
    token: String,
    /// What the devices are, as JSON of a profile; without it, nothing that assistants know.
    #[arg(long, value_parser = profile)]
    profile: Option<Profile>,
    /// Tells this run's registrations from every other's.
    #[arg(long, default_value_t = std::process::id())]
    run: u32,
}

/// Devices that are connected and subscribed, and do not read yet.
#[derive(Debug)]
pub struct Devices {
    ids: Vec<DeviceId>,
    connections: Vec<Connection>,
    answers: Answers,
    watch: Option<u32>,
}

impl Commands {
    /// Registers the devices and connects them.
    pub async fn connect(&self) -> Result<Devices, LoadError> {
        let devices = self.registry.register(self.devices).await?;
        if let Some(list) = &self.list {
            write_list(list, &devices)?;
        }
        let sign_in = |number: usize| {
            let Credentials { device, secret } = &devices[number];
            let user = Some((device.to_string(), secret.clone()));
            SignIn { client_id: device.to_string(), user, keep_alive: 0 }
        };
        let mut connections = self.target.open_as(devices.len(), READS, sign_in).await?;
        let ids: Vec<DeviceId> = devices.iter().map(|credentials| credentials.device).collect();
        let subscribing = connections.iter_mut().zip(&ids).map(|(connection, device)| async move {
            connection.subscribe(&Topic::commands_filter(*device), 1).await
        });
        try_join_all(subscribing).await?;
        let answers = if self.done_only { Answers::Once } else { Answers::Twice };
        Ok(Devices { ids, connections, answers, watch: self.target.watch })
    }
}

impl Devices {
    /// Who they are, in the order in which they were registered.
    pub fn ids(&self) -> &[DeviceId] {
        &self.ids
    }

    /// Answers every command until something ends. Of `total` are the commands, of `again` those that came again; how long
    /// they took only the one who sent them knows.
    pub async fn answer_until(self, end: impl Future<Output = ()>) -> Result<PatternResult, LoadError> {
        let (meter, started, answered) = (Meter::start(self.watch), Instant::now(), Answered::default());
        let responders = self
            .connections
            .into_iter()
            .map(|connection| Responder::new(connection, self.answers, &answered).run());
        tokio::select! {
            () = end => {}
            ended = endless(try_join_all(responders)) => match ended? {},
        }
        let (seconds, total) = (started.elapsed().as_secs_f64(), answered.messages.get());
        let result = PatternResult::new(total, seconds, &Latencies::default(), meter.stop());
        Ok(PatternResult { again: answered.again.get(), ..result })
    }
}

impl Registry {
    /// Registers so many devices, some at a time.
    async fn register(&self, count: usize) -> Result<Vec<Credentials>, LoadError> {
        let registrar = Registrar::new(&self.http, &self.token, &format!("commands-{}", self.run));
        let device = |number: usize| NewDevice {
            kind: DeviceKind::Appliance,
            name: format!("load {number}"),
            venue: None,
            zone: None,
            position: None,
            identifier: None,
            profile: self.profile.clone(),
        };
        let registering = (0..count).map(|number| {
            let (registrar, device) = (&registrar, device(number));
            async move { registrar.device(&device).await }
        });
        Ok(stream::iter(registering).buffered(REGISTERING).try_collect().await?)
    }
}

fn write_list(path: &Path, devices: &[Credentials]) -> io::Result<()> {
    let mut lines = String::new();
    for Credentials { device, .. } in devices {
        lines.push_str(&device.to_string());
        lines.push('\n');
    }
    std::fs::write(path, lines)
}

fn profile(json: &str) -> Result<Profile, String> {
    let profile: Profile = serde_json::from_str(json).map_err(|error| error.to_string())?;
    profile.check().map_err(|fault| fault.to_string())?;
    Ok(profile)
}
