//! The brokers: ours, Mosquitto, and whatever listens where the command line says.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context as _, Error, Result, bail};
use tempfile::TempDir;

use crate::bench::machine;
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
pub(in crate::bench) enum Contestant {
    Promenade,
    /// Where the program is.
    Mosquitto(PathBuf),
    Beside(Beside),
}

/// A broker that somebody else started: `NAME=HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::bench) struct Beside {
    name: String,
    mqtt: String,
}

/// What clients come over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Over {
    Tcp,
    Tls,
}

/// A broker that listens; one that we started ends with this value.
pub(in crate::bench) struct Started {
    pub(in crate::bench) mqtt: String,
    /// The certificate that vouches for its own, where it speaks TLS.
    pub(super) authority: Option<PathBuf>,
    /// Its process, if it is here.
    pub(in crate::bench) process: Option<u32>,
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
    pub(in crate::bench) fn mosquitto() -> Result<Self> {
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

    /// Starts it afresh, where it is ours to start; over TLS both have certificates of the same kind.
    pub(in crate::bench) fn start(&self, over: Over, programs: &Programs) -> Result<Started> {
        let folder = tempfile::tempdir()?;
        if let Self::Beside(Beside { mqtt, .. }) = self {
            if over == Over::Tls {
                bail!("TLS is measured with brokers that are started here");
            }
            let process = machine::listener(mqtt);
            return Ok(Started {
                mqtt: mqtt.clone(),
                authority: None,
                process,
                _running: None,
                _folder: None,
            });
        }
        let certificates = match over {
            Over::Tcp => None,
            Over::Tls => Some(programs.make_certificates(folder.path())?),
        };
        let (mqtt, running) = match self {
            Self::Mosquitto(path) => mosquitto(path, folder.path(), certificates.as_deref())?,
            _ => promenade(folder.path(), over, programs)?,
        };
        let authority = certificates.map(|folder| folder.join("authority.pem"));
        let process = Some(running.id());
        Ok(Started { mqtt, authority, process, _running: Some(running), _folder: Some(folder) })
    }
}

/// Ours, and where it listens.
fn promenade(data: &Path, over: Over, programs: &Programs) -> Result<(String, Running)> {
    let mut settings = SETTINGS.to_vec();
    if over == Over::Tcp {
        let server = programs.serve(data, &settings)?;
        return Ok((server.mqtt, server.process));
    }
    settings.push(("PROMENADE_LISTEN__MQTTS", "127.0.0.1:0"));
    let server = programs.serve(data, &settings)?;
    Ok((server.mqtts.context("the server does not listen for TLS")?, server.process))
}

/// Theirs, and where it listens. It stays who it is, because others may not read our folders.
fn mosquitto(program: &Path, folder: &Path, certificates: Option<&Path>) -> Result<(String, Running)> {
    let port = free_port()?;
    let certificates = certificates.map(Path::display).map_or_else(String::new, |folder| {
        format!("certfile {folder}/server.pem\nkeyfile {folder}/server.key\n")
    });
    let file = folder.join("mosquitto.conf");
    std::fs::write(&file, format!("user root\nlistener {port} 127.0.0.1\n{MOSQUITTO}{certificates}"))?;
    let running = Running::start(Command::new(program).arg("-c").arg(&file))?;
    wait_for_port(port)?;
    Ok((format!("127.0.0.1:{port}"), running))
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
