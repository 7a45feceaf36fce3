//! What can be changed of the scan at a distance: what of the air is of interest, and how often it is told.
//!
//! | member | |
//! |---|---|
//! | `formats`, `prefixes`, `min_rssi` | as in `[scanner]` with `kind = "bluetooth"`; without an adapter there are none |
//! | `interval_ms` | as in `[batches]` |
//!
//! What was set is kept on the disk and holds over the configuration, until it is set to null. The part `scan` of the
//! reported state is what is in force.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::{CommandReason, twin};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::config::{BatchesConfig, BluetoothConfig, Format, ScannerConfig};
use crate::durable::replace;
use crate::scan::Interest;

/// The name of the part of the twin.
pub const PART: &str = "scan";

/// How many prefixes can be set at once, so that what waits in the journal is small.
const MOST_PREFIXES: usize = 16;

/// How many characters they have at most: no identifier of a beacon is longer.
const LONGEST_PREFIX: usize = 64;

/// How many formats can be set at once: there are no more.
const MOST_FORMATS: usize = 7;

/// What is in force.
#[derive(Debug)]
pub struct Tuning {
    configured: Settings,
    /// What was set; what is none of it is as configured.
    set: Settings,
    interest: watch::Sender<Interest>,
    dir: PathBuf,
}

/// Settings, some of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    formats: Option<Vec<Format>>,
    prefixes: Option<Vec<String>>,
    /// In dBm. As wide as numbers come, since one out of range is something else than no number.
    min_rssi: Option<i64>,
    interval_ms: Option<i64>,
}

/// Why something cannot be set, and in words.
pub type Refusal = (CommandReason, Option<String>);

impl Tuning {
    /// Takes up what was set before, as far as this scanner has it; what cannot be read is as configured.
    pub fn open(scanner: &ScannerConfig, batches: &BatchesConfig, dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let configured = Settings::configured(scanner, batches);
        let set = match fs::read(path(dir)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Settings::default()),
            Err(error) => return Err(error),
        };
        let set = set.and_then(|set: Settings| {
            let set = set.of_those(&configured);
            set.check().map(|()| set).map_err(|(reason, detail)| detail.unwrap_or_else(|| reason.to_string()))
        });
        let set = set.unwrap_or_else(|error| {
            warn!(error, "what was set of the scan cannot be read; it is as configured");
            Settings::default()
        });
        let interest = watch::Sender::new(configured.with(&set).interest());
        Ok(Self { configured, set, interest, dir: dir.to_owned() })
    }

    /// What of the air is of interest, now and later.
    pub fn interest(&self) -> watch::Receiver<Interest> {
        self.interest.subscribe()
    }

    /// The time between batches.
    pub fn interval(&self) -> Duration {
        let ms = self.in_force().interval_ms.and_then(|ms| u64::try_from(ms).ok());
        Duration::from_millis(ms.unwrap_or_default())
    }

    /// The part of the reported state: what is in force. Nulls take away what another scanner had.
    pub fn report(&self) -> Value {
        serde_json::to_value(self.in_force()).unwrap_or_default()
    }

    /// Whether this can be set: members as in the [report](Self::report), null for what is configured.
    pub fn check(&self, change: &Map<String, Value>) -> Result<(), Refusal> {
        self.after(change).map(|_| ())
    }

    /// What of a desired part is not so yet; nothing of one that cannot be followed, with a warning.
    pub fn wanted(&self, desired: &Value) -> Option<Map<String, Value>> {
        let (Value::Object(force), Value::Object(desired)) = (self.report(), desired) else {
            warn!("the desired part `scan` is none");
            return None;
        };
        let open = Some(twin::delta(&force, desired)).filter(|open| !open.is_empty())?;
        match self.check(&open) {
            Ok(()) => Some(open),
            Err((reason, detail)) => {
                warn!(%reason, detail, "the desired part `scan` cannot be followed");
                None
            }
        }
    }

    /// Sets what is named. It survives a power cut when this returns; after an error nothing changed.
    pub fn change(&mut self, change: &Map<String, Value>) -> io::Result<()> {
        let set = self
            .after(change)
            .map_err(|(reason, detail)| io::Error::other(detail.unwrap_or_else(|| reason.to_string())))?;
        let bytes = serde_json::to_vec(&set).map_err(io::Error::other)?;
        replace(&self.dir, &path(&self.dir), &bytes)?;
        self.set = set;
        self.interest.send_replace(self.in_force().interest());
        info!(scan = %self.report(), "the scan is set anew");
        Ok(())
    }

    fn in_force(&self) -> Settings {
        self.configured.with(&self.set)
    }

    /// What will be set after a change.
    fn after(&self, change: &Map<String, Value>) -> Result<Settings, Refusal> {
        let bad = |error: serde_json::Error| (CommandReason::BadArguments, Some(error.to_string()));
        // Read by itself first: what is null would be gone unseen.
        let named = Settings::deserialize(change).map_err(bad)?;
        if named.of_those(&self.configured) != named {
            return Err((
                CommandReason::NotSupported,
                Some("this scanner has no formats, prefixes or least level".to_owned()),
            ));
        }
        named.check()?;
        let mut set = match serde_json::to_value(&self.set) {
            Ok(Value::Object(set)) => set,
            _ => Map::new(),
        };
        twin::merge(&mut set, change.clone());
        Settings::deserialize(Value::Object(set)).map_err(bad)
    }
}

impl Settings {
    fn configured(scanner: &ScannerConfig, batches: &BatchesConfig) -> Self {
        let interval_ms = i64::try_from(batches.interval_ms).ok();
        match scanner {
            ScannerConfig::Bluetooth(bluetooth) => Self {
                formats: Some(bluetooth.formats.clone()),
                prefixes: Some(bluetooth.prefixes.clone()),
                min_rssi: Some(bluetooth.min_rssi.into()),
                interval_ms,
            },
            ScannerConfig::Replay(_) | ScannerConfig::Simulated(_) => Self { interval_ms, ..Self::default() },
        }
    }

    /// These, and those in their place that the other has.
    fn with(&self, other: &Self) -> Self {
        let (this, other) = (self.clone(), other.clone());
        Self {
            formats: other.formats.or(this.formats),
            prefixes: other.prefixes.or(this.prefixes),
            min_rssi: other.min_rssi.or(this.min_rssi),
            interval_ms: other.interval_ms.or(this.interval_ms),
        }
    }

    /// These, as far as the other has them.
    fn of_those(&self, other: &Self) -> Self {
        let this = self.clone();
        Self {
            formats: this.formats.filter(|_| other.formats.is_some()),
            prefixes: this.prefixes.filter(|_| other.prefixes.is_some()),
            min_rssi: this.min_rssi.filter(|_| other.min_rssi.is_some()),
            interval_ms: this.interval_ms.filter(|_| other.interval_ms.is_some()),
        }
    }

    fn check(&self) -> Result<(), Refusal> {
        let check = |holds: bool, reason, words: &str| {
            if holds { Ok(()) } else { Err((reason, Some(words.to_owned()))) }
        };
        let (bad, beyond) = (CommandReason::BadArguments, CommandReason::OutOfRange);
        let formats = self.formats.as_ref();
        check(
            formats.is_none_or(|formats| (1..=MOST_FORMATS).contains(&formats.len())),
            bad,
            "`formats` names one to seven",
        )?;
        let prefixes = self.prefixes.as_ref();
        check(
            prefixes.is_none_or(|prefixes| {
                prefixes.len() <= MOST_PREFIXES
                    && prefixes.iter().all(|prefix| prefix.len() <= LONGEST_PREFIX)
            }),
            beyond,
            "`prefixes` are 16 at most, of 64 characters",
        )?;
        let is_level =
            |&level: &i64| i8::try_from(level).is_ok_and(|level| BluetoothConfig::MIN_RSSI.contains(&level));
        check(self.min_rssi.as_ref().is_none_or(is_level), beyond, "`min_rssi` is -127 to 20 dBm")?;
        let is_interval =
            |&ms: &i64| u64::try_from(ms).is_ok_and(|ms| BatchesConfig::INTERVAL_MS.contains(&ms));
        check(self.interval_ms.as_ref().is_none_or(is_interval), beyond, "`interval_ms` is 10 to 3600000")
    }

    /// Only an adapter asks for it; other scanners have none.
    fn interest(&self) -> Interest {
        let min_rssi = self.min_rssi.and_then(|level| i8::try_from(level).ok());
        Interest::new(
            self.formats.as_deref().unwrap_or_default(),
            self.prefixes.as_deref().unwrap_or_default(),
            min_rssi.unwrap_or(*BluetoothConfig::MIN_RSSI.start()),
        )
    }
}

/// The file in this directory.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("scan.json")
}

#[cfg(test)]
mod tests;
