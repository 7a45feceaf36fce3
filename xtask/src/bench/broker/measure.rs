//! What is measured, and how one broker is measured once.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::aim::Aim;
use super::contestant::{Contestant, Over, Started};
use super::sample::Sample;
use crate::bench::machine;
use crate::bench::process::{Programs, Running};

/// So many connections come and go before memory is first read: what a program loads when it is first used is not the
/// memory of a connection.
const WARMING: u32 = 100;

/// One table.
pub(super) struct Measure {
    /// What `--only` looks at.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) over: Over,
    pub(super) kind: Kind,
    pub(super) aim: Aim,
}

/// How it is measured.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Memory with so many idle connections and without.
    Memory { connections: u32 },
    /// How many a second, under a pattern of `promenade-sim load` with these arguments.
    Rate(&'static [&'static str]),
    /// How long each takes, the same way.
    Latency(&'static [&'static str]),
    /// What a subscriber gets of publishers that do not wait, and of the same ones at the rate of the fan-in.
    Flood,
}

/// How long a run sends.
#[derive(Clone, Copy)]
pub(super) struct Length {
    pub(super) seconds: u64,
}

/// Everything, in the order it is printed.
pub(super) const MEASURES: &[Measure] = &[
    Measure {
        name: "idle",
        title: "memory of 10,000 idle connections (TCP, keep-alive 1 h)",
        over: Over::Tcp,
        kind: Kind::Memory { connections: 10_000 },
        aim: Aim::KilobytesAtMost(4.0),
    },
    Measure {
        name: "idle tls",
        title: "memory of 10,000 idle connections over TLS (keep-alive 1 h)",
        over: Over::Tls,
        kind: Kind::Memory { connections: 10_000 },
        aim: Aim::KilobytesOfMosquitto,
    },
    Measure {
        name: "connects",
        title: "connect, CONNACK, disconnect; 50 at a time",
        over: Over::Tcp,
        kind: Kind::Rate(&["connects", "--workers", "50"]),
        aim: Aim::PerSecond(16_000.0),
    },
    Measure {
        name: "connects tls",
        title: "connect, full TLS handshake, CONNACK, disconnect; 50 at a time",
        over: Over::Tls,
        kind: Kind::Rate(&["connects", "--workers", "50"]),
        aim: Aim::TimesMosquitto(1.0),
    },
    Measure {
        name: "fan-in qos1",
        title: "50 publishers with 64 messages under way each, one subscriber; QoS 1, 120 bytes",
        over: Over::Tcp,
        kind: Kind::Rate(&["fan-in", "--publishers", "50", "--window", "64"]),
        aim: Aim::TimesMosquitto(6.0),
    },
    Measure {
        name: "fan-out qos0 x32",
        title: "one publisher, 1,000 subscribers, 32 messages on their way; QoS 0, 120 bytes",
        over: Over::Tcp,
        kind: Kind::Rate(&["fan-out", "--subscribers", "1000", "--window", "32", "--qos", "0"]),
        aim: Aim::TimesMosquitto(3.5),
    },
    Measure {
        name: "fan-out qos1 x32",
        title: "one publisher, 1,000 subscribers, 32 messages on their way; QoS 1, 120 bytes",
        over: Over::Tcp,
        kind: Kind::Rate(&["fan-out", "--subscribers", "1000", "--window", "32", "--qos", "1"]),
        aim: Aim::TimesMosquitto(3.5),
    },
    Measure {
        name: "fan-out qos0 x1",
        title: "one publisher, 1,000 subscribers, the next message when all have the last; QoS 0, 120 bytes",
        over: Over::Tcp,
        kind: Kind::Rate(&["fan-out", "--subscribers", "1000", "--window", "1", "--qos", "0"]),
        aim: Aim::TimesMosquitto(3.5),
    },
    Measure {
        name: "fan-out qos1 x1",
        title: "one publisher, 1,000 subscribers, the next message when all have the last; QoS 1, 120 bytes",
        over: Over::Tcp,
        kind: Kind::Rate(&["fan-out", "--subscribers", "1000", "--window", "1", "--qos", "1"]),
        aim: Aim::TimesMosquitto(3.5),
    },
    Measure {
        name: "latency qos0",
        title: "100 publishers of 100 messages a second each, one subscriber; QoS 0, 120 bytes",
        over: Over::Tcp,
        kind: Kind::Latency(&["steady", "--publishers", "100", "--rate", "10000", "--qos", "0"]),
        aim: Aim::P99OfMosquitto,
    },
    Measure {
        name: "latency qos1",
        title: "100 publishers of 100 messages a second each, one subscriber; QoS 1, 120 bytes",
        over: Over::Tcp,
        kind: Kind::Latency(&["steady", "--publishers", "100", "--rate", "10000", "--qos", "1"]),
        aim: Aim::P99OfMosquitto,
    },
    Measure {
        name: "flood qos0",
        title: "50 publishers that never wait, one subscriber, beside the same at the rate of the fan-in; QoS 0, 120 bytes",
        over: Over::Tcp,
        kind: Kind::Flood,
        aim: Aim::ShareOfPaced(0.5),
    },
];

impl Measure {
    /// One run, or the few that belong together.
    pub(super) fn take(
        &self,
        contestant: &Contestant,
        length: Length,
        programs: &Programs,
    ) -> Result<Sample> {
        let fresh = || contestant.start(self.over, programs);
        match self.kind {
            Kind::Memory { connections } => memory(&fresh()?, connections, programs),
            Kind::Rate(pattern) | Kind::Latency(pattern) => {
                Sample::read(&load(&fresh()?, pattern, Some(length), programs)?)
            }
            Kind::Flood => {
                let half = Some(Length { seconds: length.seconds.div_ceil(2) });
                let fan_in = load(&fresh()?, &["fan-in"], half, programs)?;
                let rate = fan_in["per_s"].as_f64().context("no per_s")?.round().to_string();
                let paced = load(&fresh()?, &["flood", "--rate", &rate], Some(length), programs)?;
                let flood = load(&fresh()?, &["flood"], Some(length), programs)?;
                let elsewhere = [&fan_in, &paced, &flood].map(|line| line["elsewhere_cores"].as_f64());
                Ok(Sample {
                    paced_per_s: paced["per_s"].as_f64(),
                    elsewhere: elsewhere.into_iter().flatten().reduce(f64::max),
                    ..Sample::read(&flood)?
                })
            }
        }
    }
}

fn memory(broker: &Started, connections: u32, programs: &Programs) -> Result<Sample> {
    let process = broker.process.context("its process is not known")?;
    drop(idle(broker, WARMING, programs)?);
    let before = machine::settled_kb(process)?;
    let (held, result) = idle(broker, connections, programs)?;
    let after = machine::settled_kb(process)?;
    drop(held);
    let kb = (after - before) / f64::from(connections);
    Ok(Sample { kb_each: Some(kb), without_mb: Some(before / 1e3), ..Sample::read(&result)? })
}

/// Connections that are open until the value is dropped.
fn idle(broker: &Started, connections: u32, programs: &Programs) -> Result<(Running, Value)> {
    let count = connections.to_string();
    let mut command = command(broker, &["idle", "--connections", &count], None, programs);
    let (running, line) = Running::start_until_it_speaks(&mut command)?;
    let result = serde_json::from_str(&line).context("the connections could not be opened")?;
    Ok((running, result))
}

/// The line of a pattern.
fn load(broker: &Started, pattern: &[&str], length: Option<Length>, programs: &Programs) -> Result<Value> {
    let output = command(broker, pattern, length, programs).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("the load generator failed ({})", output.status);
    }
    serde_json::from_slice(&output.stdout).context("the load generator's result")
}

fn command(broker: &Started, pattern: &[&str], length: Option<Length>, programs: &Programs) -> Command {
    let mut command = programs.command("promenade-sim");
    command.arg("load").args(pattern).args(["--mqtt", &broker.mqtt]).stderr(Stdio::inherit());
    if let Some(authority) = &broker.authority {
        command.arg("--tls").arg(authority);
    }
    if let Some(process) = broker.process {
        command.args(["--watch", &process.to_string()]);
    }
    if let Some(Length { seconds }) = length {
        command.args(["--seconds", &seconds.to_string()]);
    }
    command
}
