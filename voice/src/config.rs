//! The `[voice]` section of the configuration.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::secret::Secret;

/// How devices are shown to voice assistants. Nothing is, unless it says so.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Google's assistant.
    pub google: GoogleConfig,
    /// Amazon's assistant.
    pub alexa: AlexaConfig,
    /// Fewer people than this are told as if it were not known how many there are.
    pub smallest_occupancy: u32,
}

/// The `[voice.google]` section.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GoogleConfig {
    /// Whether `/voice/google` answers.
    pub enabled: bool,
    /// The JSON file with the key of a service account that may call Home Graph. Without one Google asks for states, and is
    /// not told of changes.
    pub service_account: Option<PathBuf>,
    /// Where Home Graph is.
    pub home_graph: String,
}

/// The `[voice.alexa]` section.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlexaConfig {
    /// Whether `/voice/alexa` answers.
    pub enabled: bool,
    /// The skill's client id for messages. Without it Alexa asks for states, and is not told of changes.
    pub client_id: Option<String>,
    /// The secret of that client.
    pub client_secret: Option<Secret>,
    /// Where the skill's users are.
    pub region: Region,
    /// Where the event gateway is, if not where that of the region is.
    pub events: Option<String>,
    /// The token endpoint of Login with Amazon.
    pub tokens: String,
}

/// Where the users of a skill are: each region has an event gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    /// North America.
    #[default]
    NorthAmerica,
    /// Europe and India.
    Europe,
    /// The Far East and Australia.
    FarEast,
}

/// How long is waited for what. No setting: tests choose shorter ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long devices are waited for while Google waits, which is answered before 3 s.
    pub google_patience: Duration,
    /// How long devices are waited for while Alexa waits, which is answered before 6 s.
    pub alexa_patience: Duration,
    /// How much longer everything else about an answer may take, such as a database that is slow.
    pub spare: Duration,
    /// Changes of states that come so close are told together.
    pub coalesced: Duration,
    /// Changes of devices, names, rooms and capabilities are told when there was none for so long.
    pub debounced: Duration,
    /// How often everything is looked at anew: connections and venues tell of no change.
    pub looked: Duration,
    /// How long a refused report waits; doubled with every refusal.
    pub backed_off: Duration,
    /// How long Google may take to ask for what there is after it was asked to. It queues that: until then it may not know what
    /// is new, and answers 404.
    pub synced: Duration,
    /// How long Google may take to take in what it was answered to SYNC.
    pub settled: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { google: GoogleConfig::default(), alexa: AlexaConfig::default(), smallest_occupancy: 5 }
    }
}

impl Default for GoogleConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            service_account: None,
            home_graph: "https://homegraph.googleapis.com".to_owned(),
        }
    }
}

impl Default for AlexaConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            client_id: None,
            client_secret: None,
            region: Region::default(),
            events: None,
            tokens: "https://api.amazon.com/auth/o2/token".to_owned(),
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            google_patience: Duration::from_millis(2_500),
            alexa_patience: Duration::from_secs(5),
            spare: Duration::from_millis(400),
            coalesced: Duration::from_millis(500),
            debounced: Duration::from_secs(5),
            looked: Duration::from_secs(30),
            backed_off: Duration::from_secs(1),
            synced: Duration::from_mins(2),
            settled: Duration::from_secs(3),
        }
    }
}

impl Config {
    /// Whether it can be used; the text names what cannot.
    pub fn validate(&self) -> Result<(), String> {
        check_url("voice.google.home_graph", &self.google.home_graph)?;
        check_url("voice.alexa.tokens", &self.alexa.tokens)?;
        if let Some(events) = &self.alexa.events {
            check_url("voice.alexa.events", events)?;
        }
        if self.alexa.client_id.is_some() != self.alexa.client_secret.is_some() {
            return Err("voice.alexa: client_id and client_secret go together".to_owned());
        }
        Ok(())
    }
}

impl AlexaConfig {
    /// Where messages go.
    pub(crate) fn events(&self) -> &str {
        self.events.as_deref().unwrap_or(match self.region {
            Region::NorthAmerica => "https://api.amazonalexa.com/v3/events",
            Region::Europe => "https://api.eu.amazonalexa.com/v3/events",
            Region::FarEast => "https://api.fe.amazonalexa.com/v3/events",
        })
    }
}

fn check_url(setting: &str, url: &str) -> Result<(), String> {
    let is_one = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_one { Ok(()) } else { Err(format!("{setting}: `{url}` is no address of a server")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_shown_unless_it_says_so_and_mistakes_are_named() {
        let read = |value| serde_json::from_value::<Config>(value);
        let config = read(json!({})).unwrap();
        assert_eq!((config.google.enabled, config.alexa.enabled, config.validate()), (false, false, Ok(())));
        assert!(read(json!({"google": {"enable": true}})).is_err());
        let events = |region| read(json!({"alexa": {"region": region}})).unwrap().alexa.events().to_owned();
        assert_eq!(events("europe"), "https://api.eu.amazonalexa.com/v3/events");
        assert_eq!(events("north_america"), "https://api.amazonalexa.com/v3/events");
        for (wrong, named) in [
            (json!({"google": {"home_graph": "homegraph"}}), "voice.google.home_graph"),
            (json!({"alexa": {"events": "file:///x"}}), "voice.alexa.events"),
            (json!({"alexa": {"client_id": "x"}}), "voice.alexa"),
        ] {
            assert!(read(wrong.clone()).unwrap().validate().unwrap_err().starts_with(named), "{wrong}");
        }
        let secret = read(json!({"alexa": {"client_id": "x", "client_secret": "s3cret"}})).unwrap();
        assert!(!format!("{secret:?}").contains("s3cret"));
    }
}
