//! The address that this server is known by.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::config::check_issuer;
use crate::error::IdentityError;

/// The issuer identifier (RFC 8414 section 2): an origin, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issuer {
    text: String,
    is_secure: bool,
}

/// Which of our APIs a token is for (RFC 8707): a token for one is refused by the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// The HTTP API, `{issuer}/api/v1`: what a token is for unless its client asked for another.
    Api,
    /// The MQTT broker, `{issuer}/mqtt`.
    Mqtt,
}

impl Issuer {
    /// The configured one, or what `http` listens on.
    pub(crate) fn new(configured: Option<&str>, http: SocketAddr) -> Result<Self, IdentityError> {
        let text = configured.map_or_else(|| listened_on(http), str::to_owned);
        let named = |why| IdentityError::Config(format!("identity.issuer: `{text}` {why}"));
        let is_secure = check_issuer(&text).map_err(named)?.scheme() == "https";
        Ok(Self { text, is_secure })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether browsers come by TLS; else this is a machine of its own.
    pub(crate) fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The URL of a path that begins with a slash.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// The identifier of an API, as it stands in `aud` and `resource`.
    pub(crate) fn resource(&self, audience: Audience) -> String {
        match audience {
            Audience::Api => self.at("/api/v1"),
            Audience::Mqtt => self.at("/mqtt"),
        }
    }

    /// The API with this identifier.
    pub(crate) fn audience(&self, resource: &str) -> Option<Audience> {
        [Audience::Api, Audience::Mqtt].into_iter().find(|audience| self.resource(*audience) == resource)
    }
}

/// Nobody reaches the unspecified address by its name, and only this machine may do without TLS.
fn listened_on(http: SocketAddr) -> String {
    let ip = if http.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { http.ip() };
    let origin = format!("http://{}", SocketAddr::new(ip, http.port()));
    origin.strip_suffix(":80").unwrap_or(&origin).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_is_listened_on_unless_configured() {
        let issuer = |configured: Option<&str>, http: &str| {
            Issuer::new(configured, http.parse().unwrap()).map(|issuer| issuer.text)
        };
        assert_eq!(issuer(None, "0.0.0.0:8080").unwrap(), "http://127.0.0.1:8080");
        assert_eq!(issuer(None, "127.0.0.1:80").unwrap(), "http://127.0.0.1");
        assert_eq!(issuer(Some("https://id.example"), "0.0.0.0:8080").unwrap(), "https://id.example");
        assert!(issuer(None, "192.0.2.1:8080").is_err(), "plain HTTP across a network");
    }

    #[test]
    fn a_resource_names_its_api() {
        let issuer = Issuer::new(Some("https://id.example"), "127.0.0.1:1".parse().unwrap()).unwrap();
        assert_eq!(issuer.audience("https://id.example/mqtt"), Some(Audience::Mqtt));
        assert_eq!(issuer.audience("https://id.example/api/v1"), Some(Audience::Api));
        assert_eq!(issuer.audience("https://id.example/api/v1/"), None);
    }
}
