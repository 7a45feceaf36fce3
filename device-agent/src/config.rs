//! What an agent is told: a TOML file, one table for each part, overridden by environment variables.
//!
//! `PROMENADE_AGENT_LINK_HOST=broker.example` stands for `host` in `[link]`: the first word after the prefix is the
//! table, the rest its key. A value that reads as a TOML number, truth value or quoted string is that, anything else is
//! plain text.

mod advertise;
mod appliance;
mod bluetooth;
mod commands;
mod enrolment;
mod link;
mod overrides;
mod privacy;
mod programs;
mod scanner;
mod secret;
mod status;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use protocol::{DeviceId, MAX_PINGS};
use serde::Deserialize;

pub use advertise::{AdvertiseConfig, IBeaconConfig};
pub use appliance::{ApplianceConfig, SimulatedApplianceConfig};
pub use bluetooth::{BluetoothConfig, Format};
pub use commands::{ClockSetting, CommandsConfig};
pub use enrolment::EnrolmentConfig;
pub use link::LinkConfig;
pub use privacy::{PrivacyConfig, Pseudonyms};
pub use programs::{CommandLine, Programs, ProgramsConfig};
pub(crate) use programs::{ITEM, PERCENT, URL};
pub use scanner::{ReplayConfig, ScannerConfig, Shift, SimulatedConfig};
pub use secret::Secret;
pub use status::StatusConfig;

/// Everything an agent is told.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who this device is.
    #[serde(default)]
    pub device: DeviceConfig,
    /// How it comes in when it does not know; without it, somebody has to.
    #[serde(default)]
    pub enrolment: Option<EnrolmentConfig>,
    /// The way to the platform.
    #[serde(default)]
    pub link: LinkConfig,
    /// Where advertisements come from.
    pub scanner: ScannerConfig,
    /// What this device sends itself; without it, nothing.
    #[serde(default)]
    pub advertise: Option<AdvertiseConfig>,
    /// How pings are grouped.
    #[serde(default)]
    pub batches: BatchesConfig,
    /// Where batches wait for their receipt.
    #[serde(default)]
    pub spool: SpoolConfig,
    /// Whether identifiers leave this device as they were heard.
    #[serde(default)]
    pub privacy: PrivacyConfig,
    /// Which commands are run.
    #[serde(default)]
    pub commands: CommandsConfig,
    /// What the agent drives; without it, nothing.
    #[serde(default)]
    pub appliance: Option<ApplianceConfig>,
    /// A page for whoever installs the device.
    #[serde(default)]
    pub status: StatusConfig,
    /// What is logged.
    #[serde(default)]
    pub log: LogConfig,
}

/// `[device]`: the identity, as `POST /devices` answered it, or where the agent keeps the one that it fetched itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceConfig {
    /// The device's id, which is also its user name. Without it, the identity is the one that was fetched.
    pub id: Option<DeviceId>,
    /// The device's secret. Either this or `secret_file`, or neither beside a certificate of the link.
    pub secret: Option<Secret>,
    /// A file that holds the secret and nothing else.
    pub secret_file: Option<PathBuf>,
    /// Where the identity is kept that was fetched; without it, `identity.json` in the spool's directory.
    pub identity: Option<PathBuf>,
}

/// `[batches]`: how pings are grouped.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchesConfig {
    /// Milliseconds between batches, and so between writes to the disk.
    pub interval_ms: u64,
    /// Most pings in a batch, 1..=1000.
    pub max_pings: usize,
}

/// `[spool]`: where batches wait for their receipt.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpoolConfig {
    /// Its directory, which it has for itself.
    pub dir: PathBuf,
    /// Most bytes it takes; beyond, the oldest batches are given up.
    pub max_bytes: u64,
    /// Bytes of a segment file, the unit in which room is freed; at most a quarter of `max_bytes`.
    pub segment_bytes: u64,
}

/// `[log]`: what is logged, on standard error.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug`, `trace`, or per module as in `info,device_agent::link=debug`.
    pub level: String,
}

/// Why a configuration is refused. Never shows a value of `[device]`.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no TOML.
    #[error("line {line}: {message}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// What the parser said, without the line itself.
        message: String,
    },
    /// The TOML does not fit.
    #[error("{0}")]
    Shape(String),
    /// A value is out of its range, or two contradict each other.
    #[error("{0}")]
    Value(&'static str),
}

impl Config {
    /// Reads the file, lays the variables over it, fetches the secret and validates the whole.
    pub fn load(
        path: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let read = |path: &Path| {
            std::fs::read_to_string(path)
                .map_err(|source| ConfigError::File { path: path.to_owned(), source })
        };
        let mut config = Self::parse(&read(path)?, variables)?;
        if let Some(file) = &config.device.secret_file {
            config.device.secret = Some(Secret::new(read(file)?.trim()));
            config.device.secret_file = None;
        }
        config.validate()?;
        Ok(config)
    }

    /// Reads the text and lays the variables over it; the secret's file is not read and nothing is validated.
    pub fn parse(
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut tables: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or(text));
            ConfigError::Syntax { line: before.lines().count().max(1), message: error.message().to_owned() }
        })?;
        overrides::lay_over(&mut tables, variables)?;
        Self::deserialize(tables).map_err(|error| ConfigError::Shape(error.to_string().trim().to_owned()))
    }

    /// Checks what types cannot: ranges, and that there is one secret, or a certificate instead.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let check = |holds: bool, sentence| if holds { Ok(()) } else { Err(ConfigError::Value(sentence)) };
        self.device.validate(&self.link, check)?;
        self.enrolment.as_ref().map_or(Ok(()), |enrolment| enrolment.validate(check))?;
        self.link.validate(check)?;
        self.scanner.validate(check)?;
        self.advertise.as_ref().map_or(Ok(()), |advertise| advertise.validate(check))?;
        self.batches.validate(check)?;
        self.spool.validate(check)?;
        self.commands.validate(check)?;
        self.status.validate(check)?;
        check(
            self.privacy.pseudonyms != Pseudonyms::Required || !self.commands.require_signature,
            "`pseudonyms = \"required\"` takes its key from the desired twin, which `require_signature` does not follow",
        )?;
        self.appliance.as_ref().map_or(Ok(()), |appliance| appliance.validate(check))
    }

    /// Where the identity is kept that the agent fetched itself.
    pub fn identity_file(&self) -> PathBuf {
        self.device.identity.clone().unwrap_or_else(|| self.spool.dir.join("identity.json"))
    }

    /// Where the journal is.
    pub fn commands_dir(&self) -> PathBuf {
        self.commands.dir.clone().unwrap_or_else(|| self.spool.dir.join("commands"))
    }
}

impl DeviceConfig {
    fn validate(
        &self,
        link: &LinkConfig,
        check: impl Fn(bool, &'static str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        if self.id.is_none() {
            return check(
                self.secret.is_none() && self.secret_file.is_none() && link.certificate.is_none(),
                "without `id` in [device] the identity is the one that was fetched, which has its own secret or certificate",
            );
        }
        check(self.identity.is_none(), "[device] needs either `id` or `identity`, and not both")?;
        // A certificate that names the device is enough.
        let is_certified = link.certificate.is_some() && self.secret.is_none() && self.secret_file.is_none();
        check(
            is_certified || self.secret.is_some() != self.secret_file.is_some(),
            "[device] needs either `secret` or `secret_file`, and not both",
        )?;
        check(
            self.secret.as_ref().is_none_or(Secret::is_presentable),
            "the secret is empty or no single word",
        )
    }
}

impl BatchesConfig {
    /// Times that there may be between batches, in milliseconds.
    pub const INTERVAL_MS: RangeInclusive<u64> = 10..=3_600_000;

    fn validate(
        &self,
        check: impl Fn(bool, &'static str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        check(Self::INTERVAL_MS.contains(&self.interval_ms), "`interval_ms` is 10 to 3600000")?;
        check((1..=MAX_PINGS).contains(&self.max_pings), "`max_pings` is 1 to 1000")
    }
}

impl SpoolConfig {
    fn validate(
        &self,
        check: impl Fn(bool, &'static str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        check(
            (64 * 1024..=4 * 1024 * 1024).contains(&self.segment_bytes),
            "`segment_bytes` is 65536 (64 KiB) to 4194304 (4 MiB)",
        )?;
        check(self.max_bytes / 4 >= self.segment_bytes, "`max_bytes` is at least four times `segment_bytes`")
    }
}

impl Default for BatchesConfig {
    fn default() -> Self {
        Self { interval_ms: 2_000, max_pings: MAX_PINGS }
    }
}

impl Default for SpoolConfig {
    fn default() -> Self {
        Self {
            dir: "/var/lib/promenade-agent".into(),
            max_bytes: 256 * 1024 * 1024,
            segment_bytes: 1024 * 1024,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".into() }
    }
}

#[cfg(test)]
mod tests;
