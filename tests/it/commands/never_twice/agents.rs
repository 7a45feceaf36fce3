//! Agents as processes of their own, which say in their log what they begin.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use protocol::{CommandId, DeviceId, Timestamp};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::task::JoinHandle;

use super::capabilities;
use crate::world::{World, program};

/// What an agent began, and when by its clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    pub(super) command: CommandId,
    pub(super) at: Timestamp,
}

/// Running agents.
pub(super) struct Agents {
    folder: TempDir,
    agents: Vec<Agent>,
}

struct Agent {
    device: DeviceId,
    config: PathBuf,
    life: Option<(Child, JoinHandle<()>)>,
    begun: Arc<Mutex<Vec<Begun>>>,
}

impl Agents {
    pub(super) async fn start(world: &World, count: usize) -> anyhow::Result<Self> {
        let mut agents = Self { folder: tempfile::tempdir()?, agents: Vec::new() };
        for number in 0..count {
            let (device, secret) = register(world, &format!("Counter {number}")).await?;
            let folder = agents.folder.path().join(number.to_string());
            std::fs::create_dir(&folder)?;
            let config = folder.join("agent.toml");
            let text = format!(
                "[device]\nid = \"{device}\"\nsecret = \"{secret}\"\n\
                 [link]\nhost = \"{}\"\nport = {}\nbackoff_min_ms = 50\nbackoff_max_ms = 500\n\
                 [scanner]\nkind = \"simulated\"\nidentifiers = 1\nper_second = 0.001\n\
                 [spool]\ndir = \"{}\"\n\
                 [appliance]\ntype = \"other\"\ndelay_ms = 20\nfailure_rate = 0.05\nseed = {number}\n\
                 [appliance.capabilities.range.count]\nname = \"Count\"\nmin = 0\nmax = 1000000\nstep = 1\n",
                world.mqtt().ip(),
                world.mqtt().port(),
                folder.join("spool").display(),
            );
            std::fs::write(&config, text)?;
            agents.agents.push(Agent { device, config, life: None, begun: Arc::default() });
            agents.restart(number)?;
        }
        Ok(agents)
    }

    pub(super) fn devices(&self) -> impl Iterator<Item = DeviceId> {
        self.agents.iter().map(|agent| agent.device)
    }

    /// SIGKILL; what it said until then is read.
    pub(super) async fn kill(&mut self, number: usize) -> anyhow::Result<()> {
        let Some((mut child, reading)) = self.agents[number].life.take() else { return Ok(()) };
        child.kill().await.context("an agent was gone already")?;
        Ok(reading.await?)
    }

    pub(super) fn restart(&mut self, number: usize) -> anyhow::Result<()> {
        let agent = &mut self.agents[number];
        let mut command = program("promenade-agent");
        command.arg("--config").arg(&agent.config).stderr(Stdio::piped());
        let mut child = command.spawn().context("promenade-agent")?;
        let mut lines = BufReader::new(child.stderr.take().context("its log")?).lines();
        let begun = Arc::clone(&agent.begun);
        let reading = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(event) = read(&line) {
                    begun.lock().unwrap_or_else(PoisonError::into_inner).push(event);
                }
            }
        });
        agent.life = Some((child, reading));
        Ok(())
    }

    /// Ends all; what each began in all its lives.
    pub(super) async fn stop(mut self) -> anyhow::Result<BTreeMap<DeviceId, Vec<Begun>>> {
        let mut all = BTreeMap::new();
        for number in 0..self.agents.len() {
            self.kill(number).await?;
            let agent = &self.agents[number];
            let begun = agent.begun.lock().unwrap_or_else(PoisonError::into_inner).clone();
            all.insert(agent.device, begun);
        }
        Ok(all)
    }
}

/// Registers a device that can count.
pub(super) async fn register(world: &World, name: &str) -> anyhow::Result<(DeviceId, String)> {
    let profile = json!({"type": "other", "capabilities": capabilities()});
    let body = json!({"kind": "appliance", "name": name, "profile": profile});
    let made = world.api().post("/devices", body).await?;
    let id = made["id"].as_str().context("an id")?.parse()?;
    Ok((id, made["secret"].as_str().context("a secret")?.to_owned()))
}

/// A line of the log that says what is begun: its time comes first.
fn read(line: &str) -> Option<Begun> {
    let (_, command) = line.split_once("a command is begun command=")?;
    let at: jiff::Timestamp = line.split_whitespace().next()?.parse().ok()?;
    let command = command.split_whitespace().next()?.parse().ok()?;
    Some(Begun { command, at: Timestamp(at.as_millisecond()) })
}
