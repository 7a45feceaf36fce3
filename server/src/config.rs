//! Settings: a TOML file, then `PROMENADE_…` environment variables, then flags; each overrides what came before.

mod listen;
mod tls;
mod warning;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;
use toml::{Table, Value};

pub use listen::{Address, AddressError, Listen};
pub use tls::Tls;
pub use warning::Warning;

/// All settings of the program.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where everything is kept that must survive.
    pub data: PathBuf,
    /// Which addresses are listened on.
    pub listen: Listen,
    /// The certificates.
    pub tls: Tls,
    /// Which database.
    pub database: Database,
    /// How HTTP is served.
    pub http: Http,
    /// What is told of people.
    pub privacy: Privacy,
    /// How people and applications sign in.
    pub identity: identity::Config,
    /// How devices are shown to voice assistants.
    pub voice: voice::Config,
    /// The broker's bounds.
    pub mqtt: broker::Config,
    /// What is logged.
    pub log: Log,
}

/// The `[database]` section.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// A `postgres://` URL. Without one, SQLite in the data directory.
    pub url: Option<String>,
}

/// The `[http]` section.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// The reverse proxies that say in `X-Forwarded-For` for whom they ask.
    pub trusted_proxies: api::TrustedProxies,
}

/// The `[privacy]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Privacy {
    /// No number of footfall is shown that fewer people are behind; 1 shows all.
    pub smallest_group: u64,
}

/// The `[log]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// How much: a level, or directives such as `info,broker=debug`.
    pub filter: String,
    /// How each line looks.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, one JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("promenade-data"),
            listen: Listen::default(),
            tls: Tls::default(),
            database: Database::default(),
            http: Http::default(),
            privacy: Privacy::default(),
            identity: identity::Config::default(),
            voice: voice::Config::default(),
            mqtt: broker::Config::default(),
            log: Log::default(),
        }
    }
}

impl Default for Privacy {
    fn default() -> Self {
        Self { smallest_group: api::Config::default().smallest_group }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info,rumqttd=off,sqlx=warn".into(), format: LogFormat::Text }
    }
}

/// The prefix of environment variables; `__` goes one section down: `PROMENADE_DATABASE__URL`.
const PREFIX: &str = "PROMENADE_";

impl Config {
    /// Reads the file, if one is named, and lays the environment over it.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let mut settings = Table::new();
        if let Some(file) = file {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("the configuration file {} cannot be read", file.display()))?;
            settings =
                text.parse().with_context(|| format!("{} is not a valid configuration", file.display()))?;
        }
        for (name, value) in environment {
            let Some(path) = name.strip_prefix(PREFIX).filter(|path| !is_set_elsewhere(path)) else {
                continue;
            };
            let path: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
            set(&mut settings, &path, &value).with_context(|| format!("the environment variable {name}"))?;
        }
        let config: Self = settings.try_into().context("the configuration is not valid")?;
        config.validate()?;
        Ok(config)
    }

    /// Says what is wrong, in words that name the setting.
    pub fn validate(&self) -> anyhow::Result<()> {
        for checked in [self.mqtt.validate(), self.identity.validate(), self.voice.validate()] {
            if let Err(problem) = checked {
                bail!(problem);
            }
        }
        if let Some(url) = &self.database.url
            && !url.starts_with("postgres://")
            && !url.starts_with("postgresql://")
        {
            bail!("database.url must begin with postgres://; leave it out for SQLite in the data directory");
        }
        if self.privacy.smallest_group == 0 {
            bail!("privacy.smallest_group must be 1 or more; 1 hides nothing");
        }
        self.tls.validate()
    }
}

/// Variables with the prefix that other programs read: the agent's, and those of tests and replays.
fn is_set_elsewhere(path: &str) -> bool {
    path.starts_with("AGENT_") || path.starts_with("TEST_") || path == "RECORDED_AIR"
}

/// Puts a value where its path says: as TOML where it reads as TOML (numbers, lists), as text otherwise.
fn set(table: &mut Table, path: &[String], value: &str) -> anyhow::Result<()> {
    match path {
        [] => bail!("names no setting"),
        [key] => {
            let parsed = format!("value = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("value"));
            table.insert(key.clone(), parsed.unwrap_or_else(|| Value::String(value.to_owned())));
            Ok(())
        }
        [section, rest @ ..] => {
            let entry = table.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
            set(entry.as_table_mut().context("goes into something that is not a section")?, rest, value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> anyhow::Result<Config> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("promenade.toml");
        std::fs::write(&file, text)?;
        Config::load(Some(&file), environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn the_shipped_example_is_valid_and_says_the_defaults() {
        let example = load(include_str!("../promenade.example.toml"), &[]).expect("the example");
        assert_eq!(format!("{example:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let config = load(
            "[listen]\nhttp = \"127.0.0.1:1\"\n[mqtt.pings]\nper_minute = 5\n",
            &[
                ("PROMENADE_LISTEN__HTTP", "127.0.0.1:2"),
                ("PROMENADE_MQTT__PINGS__PER_MINUTE", "7"),
                ("PROMENADE_DATABASE__URL", "postgres://localhost/x"),
                ("OTHER", "x"),
                ("PROMENADE_TEST_LONG", "1"),
                ("PROMENADE_AGENT_LINK_HOST", "x"),
                ("PROMENADE_RECORDED_AIR", "/x"),
            ],
        )
        .expect("valid");
        assert_eq!(config.listen.http.port(), 2);
        assert_eq!(config.mqtt.pings.per_minute, 7);
        assert_eq!(config.database.url.as_deref(), Some("postgres://localhost/x"));
    }

    #[test]
    fn what_listens_is_switched_on_and_off() {
        let text = "[listen]\nmqtt = \"off\"\nmqtts = \"0.0.0.0:8883\"\nwss = \"[::]:8084\"\nws = \"127.0.0.1:8083\"\n";
        let listen = load(text, &[("PROMENADE_LISTEN__WS", "off")]).expect("valid").listen;
        let ports = [listen.mqtt, listen.mqtts, listen.ws, listen.wss].map(|at| at.0.map(|at| at.port()));
        assert_eq!(ports, [None, Some(8883), None, Some(8084)]);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, environment, expected) in [
            ("colour = 1", &[][..], "colour"),
            ("[mqtt]\nreceive_maximum = 0", &[], "receive_maximum"),
            ("[database]\nurl = \"mysql://x\"", &[], "database.url"),
            ("[listen]\nhttp = \"nowhere\"", &[], "http"),
            ("", &[("PROMENADE_COLOUR", "red")], "colour"),
            ("[mqtt.anonymous]\npublish = [\"a#\"]", &[], "a#"),
            ("[mqtt.anonymous]\npublish = [\"v1/#\"]", &[], "v1/#"),
            ("[mqtt.anonymous]\nsubscribe = [\"#\", \"$SYS/#\"]", &[], "$SYS/#"),
            ("[listen]\nmqtt = false", &[], "or \"off\""),
            ("", &[("PROMENADE_LISTEN__WSS", "8084")], "or \"off\""),
            ("[listen]\nhttp = \"off\"", &[], "http"),
            ("[tls]\ncertificate = \"a.pem\"", &[], "tls.key"),
            ("", &[("PROMENADE_TLS__KEY", "a.key")], "tls.certificate"),
        ] {
            let error = format!("{:#}", load(text, environment).expect_err(text));
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
