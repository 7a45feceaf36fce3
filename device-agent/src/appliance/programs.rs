//! A thing that programs of this machine drive: a kiosk with its screen, its volume and what it shows.
//!
//! What it is like is what the last program was told, as none is asked. What was never set is not known: it is not
//! reported, and nothing is made louder or brighter than that, or muted.

mod run;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use protocol::capability::{BrightnessOrder, Order, VolumeOrder};
use protocol::{CommandReason, twin};
use serde_json::{Map, Value, json};
use tokio_util::task::AbortOnDropHandle;

use super::kept::Kept;
use super::{Effect, Outcome};
use crate::Clock;
use crate::config::{self, CommandLine, ITEM, PERCENT, ProgramsConfig, URL};

use run::Surroundings;

/// A thing that programs drive.
#[derive(Debug)]
pub struct Programs {
    kept: Kept,
    lines: config::Programs,
    urls: BTreeMap<String, String>,
    surroundings: Surroundings,
}

/// A program that is to be run, if one is, and what is so once it worked.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    command: Option<CommandLine>,
    changes: Map<String, Value>,
}

impl Programs {
    /// Takes up the state in this directory. Of a new thing nothing is known.
    pub fn open(config: &ProgramsConfig, dir: &Path) -> io::Result<Self> {
        Ok(Self {
            kept: Kept::open(&config.capabilities, Map::new(), dir)?,
            lines: config.programs.clone(),
            urls: config.urls.clone(),
            surroundings: Surroundings { environment: config.environment.clone(), limit: config.timeout() },
        })
    }

    pub(super) fn state(&self) -> &Map<String, Value> {
        self.kept.state()
    }

    /// What the order is about and nothing else, as each member of it has a program run.
    pub(super) fn plan(&self, order: &Order) -> Result<Map<String, Value>, CommandReason> {
        let mut patch = self.kept.plan(order)?;
        let known = self.kept.state().get(order.capability());
        let builds_on_it = matches!(
            order,
            Order::Brightness(BrightnessOrder::Adjust { .. })
                | Order::Volume(VolumeOrder::Adjust { .. } | VolumeOrder::Mute { .. })
        );
        if builds_on_it && known.is_none() {
            return Err(CommandReason::NotSupported);
        }
        if let (Order::Volume(order), Some(Value::Object(volume))) = (order, patch.get_mut("volume")) {
            let is_muted = known.is_some_and(|known| known["muted"] == true);
            match order {
                VolumeOrder::Mute { .. } => {
                    volume.remove("percent");
                }
                VolumeOrder::Set { .. } | VolumeOrder::Adjust { .. } if !is_muted => {
                    volume.remove("muted");
                }
                VolumeOrder::Set { .. } | VolumeOrder::Adjust { .. } => {}
            }
        }
        Ok(patch)
    }

    pub(super) fn wanted(&self, desired: &Map<String, Value>) -> Map<String, Value> {
        self.kept.wanted(desired)
    }

    pub(super) fn identify(&self, clock: &Clock) -> Effect {
        let command = self.lines.identify.clone();
        self.run(vec![Step { command, changes: Map::new() }], clock)
    }

    pub(super) fn begin(&self, patch: &Map<String, Value>, clock: &Clock) -> Effect {
        self.run(self.steps(patch), clock)
    }

    pub(super) fn change(&mut self, patch: &Map<String, Value>) -> io::Result<()> {
        self.kept.change(patch)
    }

    /// The programs that make these changes, one for each member of a part.
    fn steps(&self, patch: &Map<String, Value>) -> Vec<Step> {
        let members = patch.iter().filter_map(|(part, members)| Some((part, members.as_object()?)));
        let members = members.flat_map(|(part, members)| members.iter().map(move |member| (part, member)));
        members
            .map(|(part, (name, value))| Step {
                command: self.command(part, name, value),
                changes: Map::from_iter([(part.clone(), json!({name: value}))]),
            })
            .collect()
    }

    /// The program by which a member of a part gets this value; none where nothing is to be done for it.
    fn command(&self, part: &str, member: &str, value: &Value) -> Option<CommandLine> {
        let lines = &self.lines;
        let program = match (part, member, value.as_bool()) {
            ("on_off", "on", Some(true)) => &lines.on,
            ("on_off", "on", _) => &lines.off,
            ("brightness", "percent", _) => &lines.brightness,
            ("volume", "percent", _) => &lines.volume,
            ("volume", "muted", Some(true)) => &lines.mute,
            ("volume", "muted", _) => &lines.unmute,
            ("content", "item", _) => &lines.show,
            _ => &None,
        };
        let CommandLine { program, args } = program.clone()?;
        let item = value.as_str().unwrap_or_default();
        let percent = value.to_string();
        let url = self.urls.get(item).map_or("", String::as_str);
        // The address last: it is the only one that could have something like a placeholder in it.
        let fill = |arg: String| arg.replace(PERCENT, &percent).replace(ITEM, item).replace(URL, url);
        Some(CommandLine { program, args: args.into_iter().map(fill).collect() })
    }

    /// Runs one after the other, up to the first that fails.
    fn run(&self, steps: Vec<Step>, clock: &Clock) -> Effect {
        if steps.iter().all(|step| step.command.is_none()) {
            let mut changed = Map::new();
            for step in steps {
                twin::merge(&mut changed, step.changes);
            }
            return Effect::at_once(clock, changed);
        }
        let (surroundings, clock) = (self.surroundings.clone(), clock.clone());
        Effect::Running(AbortOnDropHandle::new(tokio::spawn(async move {
            let mut outcome = Outcome::default();
            for step in steps {
                if let Some(command) = step.command
                    && let Err(failure) = surroundings.run(&command, &clock).await
                {
                    outcome.failure = Some(failure);
                    break;
                }
                twin::merge(&mut outcome.changed, step.changes);
            }
            outcome
        })))
    }
}

#[cfg(test)]
mod tests;
