//! The brokers: ours, Mosquitto, and whatever listens where the command line says.

use std::path::PathBuf;
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context as _, Error, Result};
use tempfile::TempDir;

use super::machine;
use crate::bench::process::{Programs, Running, free_port, wait_for_port};
use crate::program;

/// Anybody may do anything with free topics, and the bounds are above what the bench does.
const SETTINGS: [(&str, &str); 3] = [
    ("PROMENADE_MQTT__ANONYMOUS__PUBLISH", r##"["#"]"##),
    ("PROMENADE_MQTT__ANONYMOUS__SUBSCRIBE", r##"["#"]"##),
    ("PROMENADE_MQTT__MAXIMUM_CONNECTIONS", "18000"),
];

/// The same for Mosquitto, at its best: no delay of small packets, nothing dropped, nothing stored. With the window of 20
/// that it has by default, it acknowledges faster than it delivers; without any, it searches a long list for each
/// acknowledgement.
const MOSQUITTO: &str = "allow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\n\
                         max_inflight_messages 100\npersistence false\n";

/// A broker that can be measured.
#[derive(Debug)]
pub(super) enum Contestant {
    Promenade,
    /// Where the program is.
    Mosquitto(PathBuf),
    Beside(Beside),
}

/// A broker that somebody else started: `NAME=HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Beside {
    name: String,
    mqtt: String,
}

/// A broker that listens; one that we started ends with this value.
pub(super) struct Started {
    pub(super) mqtt: String,
    /// Its process, if it is here.
    pub(super) process: Option<u32>,
    _running: Option<Running>,
    _folder: Option<TempDir>,
}

impl FromStr for Beside {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('=').filter(|(name, mqtt)| !name.is_empty() && mqtt.contains(':'));
        let (name, mqtt) = parts.context("it should be NAME=HOST:PORT")?;
        Ok(Self { name: name.to_owned(), mqtt: mqtt.to_owned() })
    }
}

impl Contestant {
    pub(super) fn mosquitto() -> Result<Self> {
        let path =
            program::find("mosquitto").context("mosquitto is missing; `cargo xtask test` installs it")?;
        Ok(Self::Mosquitto(path))
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Promenade => "promenade",
            Self::Mosquitto(_) => "mosquitto",
            Self::Beside(beside) => &beside.name,
        }
    }

    /// Starts it afresh, where it is ours to start.
    pub(super) fn start(&self, programs: &Programs) -> Result<Started> {
        let folder = tempfile::tempdir()?;
        match self {
            Self::Promenade => {
                let server = programs.serve(folder.path(), &SETTINGS)?;
                Ok(Started::new(server.mqtt, server.process, folder))
            }
            Self::Mosquitto(path) => {
                let port = free_port()?;
                let file = folder.path().join("mosquitto.conf");
                std::fs::write(&file, format!("listener {port} 127.0.0.1\n{MOSQUITTO}"))?;
                let running = Running::start(Command::new(path).arg("-c").arg(&file))?;
                wait_for_port(port)?;
                Ok(Started::new(format!("127.0.0.1:{port}"), running, folder))
            }
            Self::Beside(Beside { mqtt, .. }) => {
                let process = machine::listener(mqtt);
                Ok(Started { mqtt: mqtt.clone(), process, _running: None, _folder: None })
            }
        }
    }
}

impl Started {
    fn new(mqtt: String, running: Running, folder: TempDir) -> Self {
        Self { mqtt, process: Some(running.id()), _running: Some(running), _folder: Some(folder) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_broker_is_named_with_its_address() {
        let beside: Beside = "rmqtt=127.0.0.1:1884".parse().unwrap();
        assert_eq!((beside.name.as_str(), beside.mqtt.as_str()), ("rmqtt", "127.0.0.1:1884"));
        for wrong in ["rmqtt", "=127.0.0.1:1884", "rmqtt=1884", ""] {
            assert!(wrong.parse::<Beside>().is_err(), "{wrong}");
        }
    }
}
