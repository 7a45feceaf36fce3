//! Settings that are allowed and that nobody should have by accident.

use std::fmt;

use super::Config;

/// Something that an operator should know of their configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    text: String,
    is_grave: bool,
}

impl Config {
    /// What the operator should know before serving with these settings.
    pub fn warnings(&self) -> Vec<Warning> {
        let anonymous = &self.mqtt.anonymous;
        let mut warnings = Vec::new();
        if !anonymous.publish.is_empty() || !anonymous.subscribe.is_empty() {
            let open = self.open_addresses();
            warnings.push(if anonymous.remote && !open.is_empty() {
                Warning::grave(format!(
                    "anybody who reaches {} may publish to {:?} and subscribe to {:?} without signing in \
                     (mqtt.anonymous with remote = true)",
                    open.join(" or "),
                    anonymous.publish,
                    anonymous.subscribe
                ))
            } else {
                Warning::plain(format!(
                    "programs on this machine may publish to {:?} and subscribe to {:?} without signing in \
                     (mqtt.anonymous), and so may everybody who comes through a proxy on this machine",
                    anonymous.publish, anonymous.subscribe
                ))
            });
        }
        let issuer = self.identity.issuer.as_deref().unwrap_or_default();
        if issuer.starts_with("https://") && self.http.trusted_proxies.is_empty() {
            warnings.push(Warning::plain(
                "browsers come by TLS (identity.issuer), so through a proxy, and http.trusted_proxies does not name it: \
                 everybody has its address, and wrong passwords of one slow all of them down"
                    .into(),
            ));
        }
        if self.privacy.smallest_group < 5 {
            warnings.push(Warning::plain(format!(
                "footfall shows numbers that {} people are behind (privacy.smallest_group); with fewer than 5 single people can be \
                 recognized in them",
                self.privacy.smallest_group
            )));
        }
        if self.listen.of_mqtt().iter().all(|(_, address)| address.0.is_none()) {
            warnings.push(Warning::plain("every transport of MQTT is off: no device can connect".into()));
        }
        warnings
    }

    /// Where MQTT listens for more than this machine.
    fn open_addresses(&self) -> Vec<String> {
        let addresses = self.listen.of_mqtt().into_iter().filter_map(|(_, address)| address.0);
        addresses
            .filter(|address| !address.ip().to_canonical().is_loopback())
            .map(|address| address.to_string())
            .collect()
    }
}

impl Warning {
    fn plain(text: String) -> Self {
        Self { text, is_grave: false }
    }

    fn grave(text: String) -> Self {
        Self { text, is_grave: true }
    }

    /// Whether the server is open to strangers from elsewhere.
    pub fn is_grave(&self) -> bool {
        self.is_grave
    }

    /// Tells it in the log; what is grave as an error, so that no filter of levels hides it.
    pub fn log(&self) {
        if self.is_grave {
            tracing::error!("OPEN TO STRANGERS: {}", self.text);
        } else {
            tracing::warn!("{}", self.text);
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Address, Config};

    #[test]
    fn strangers_are_told_of() {
        let mut config = Config::default();
        assert_eq!(config.warnings(), []);
        config.mqtt.anonymous.publish = vec!["a/#".into()];
        let [warning] = &config.warnings()[..] else { panic!("one warning") };
        assert!(!warning.is_grave() && warning.to_string().contains("a/#"), "{warning}");
        assert!(warning.to_string().contains("through a proxy on this machine"), "{warning}");
        config.listen.wss = Address(Some(([0, 0, 0, 0], 8084).into()));
        assert!(!config.warnings()[0].is_grave(), "the broker keeps strangers of other machines out");
        config.mqtt.anonymous.remote = true;
        let [warning] = &config.warnings()[..] else { panic!("one warning") };
        assert!(warning.is_grave() && warning.to_string().contains("0.0.0.0:8084"), "{warning}");
        config.listen.wss = Address(Some("[::ffff:127.0.0.1]:8084".parse().expect("an address")));
        assert!(!config.warnings()[0].is_grave(), "nobody from elsewhere reaches it");
    }

    #[test]
    fn a_proxy_that_is_not_named_is_told_of() {
        let mut config = Config::default();
        config.identity.issuer = Some("https://id.example".into());
        assert!(config.warnings()[0].to_string().contains("http.trusted_proxies"));
        let settings = [("PROMENADE_HTTP__TRUSTED_PROXIES".into(), r#"["10.0.0.1"]"#.into())];
        config.http = Config::load(None, settings).expect("it is valid").http;
        assert_eq!(config.warnings(), []);
    }

    #[test]
    fn a_server_without_mqtt_says_so() {
        let mut config = Config::default();
        config.listen.mqtt = Address(None);
        assert!(config.warnings()[0].to_string().contains("no device can connect"));
    }
}
