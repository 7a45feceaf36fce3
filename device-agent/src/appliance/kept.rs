//! The state of a thing, kept on the disk, and what its capabilities let become of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use protocol::{Capabilities, CommandReason, capability, twin};
use serde_json::{Map, Value};
use tracing::warn;

use crate::durable::replace;

/// The part of the twin that nobody can set.
const SENSOR: &str = "sensor";

/// A state of which each part is one that a thing with these capabilities can be in.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) capabilities: Capabilities,
    state: Map<String, Value>,
    dir: PathBuf,
}

impl Kept {
    /// Takes up the state in this directory, as far as it fits, over what a new thing is like.
    pub(super) fn open(
        capabilities: &Capabilities,
        beginning: Map<String, Value>,
        dir: &Path,
    ) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let mut state = beginning;
        match fs::read(path(dir)) {
            Ok(bytes) => match serde_json::from_slice::<Map<String, Value>>(&bytes) {
                Ok(saved) => take_up(&mut state, &saved, capabilities),
                Err(error) => warn!(%error, "the appliance's state cannot be read; it begins anew"),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Self { capabilities: capabilities.clone(), state, dir: dir.to_owned() })
    }

    pub(super) fn state(&self) -> &Map<String, Value> {
        &self.state
    }

    /// What the order would change, as a merge patch; or why it is refused.
    pub(super) fn plan(&self, order: &capability::Order) -> Result<Map<String, Value>, CommandReason> {
        self.capabilities.after(&self.state, order)
    }

    /// What of a desired state it can be in and is not yet. A part that it cannot be in is left out with a warning, one
    /// that is none of its capabilities without.
    pub(super) fn wanted(&self, desired: &Map<String, Value>) -> Map<String, Value> {
        let mut open = twin::delta(&self.state, desired);
        open.retain(|name, part| {
            if name == SENSOR || !self.capabilities.names().any(|own| own == name) {
                return false;
            }
            let one = Map::from_iter([(name.clone(), part.clone())]);
            let mut after = self.state.clone();
            twin::merge(&mut after, one);
            after.retain(|other, _| other == name);
            match self.capabilities.holds(&after) {
                Ok(()) if after.contains_key(name) => true,
                Ok(()) => false,
                Err(fault) => {
                    warn!(%fault, "a part of the desired twin cannot be followed");
                    false
                }
            }
        });
        open
    }

    /// Changes the state. It survives a power cut when this returns; after an error nothing changed here.
    pub(super) fn change(&mut self, patch: &Map<String, Value>) -> io::Result<()> {
        if patch.is_empty() {
            return Ok(());
        }
        let mut after = self.state.clone();
        twin::merge(&mut after, patch.clone());
        let bytes = serde_json::to_vec(&after).map_err(io::Error::other)?;
        replace(&self.dir, &path(&self.dir), &bytes)?;
        self.state = after;
        Ok(())
    }

    /// Changes the state without saving it: what is measured would wear the disk out for nothing.
    pub(super) fn note(&mut self, patch: &Map<String, Value>) {
        twin::merge(&mut self.state, patch.clone());
    }
}

/// The file in this directory.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("appliance.json")
}

/// Lays over a state what was saved of each part, where the thing can be in it.
fn take_up(state: &mut Map<String, Value>, saved: &Map<String, Value>, capabilities: &Capabilities) {
    for name in capabilities.names() {
        let Some(part) = saved.get(name) else { continue };
        let mut with = state.clone();
        twin::merge(&mut with, Map::from_iter([(name.to_owned(), part.clone())]));
        if capabilities.holds(&with).is_ok() && with.contains_key(name) {
            *state = with;
        }
    }
}
