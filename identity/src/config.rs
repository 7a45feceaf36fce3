//! The `[identity]` section of the configuration.

mod provider;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::{Host, Url};

use crate::purpose::Purposes;
pub(crate) use provider::check_address;
pub use provider::{ProviderConfig, ProviderKind};

/// How people and applications sign in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address that browsers and clients know this server by, and the `iss` of every token (RFC 8414 section 2): a
    /// scheme, a host and perhaps a port. Without one, `http://` and the address that the server listens on.
    pub issuer: Option<String>,
    /// Who may make an account.
    pub sign_up: SignUp,
    /// How mail is sent.
    pub mail: MailConfig,
    /// The file with the key that private keys and second factors are sealed with. Without one, `sealing.key` in the data
    /// directory, made at the first start. Keep a copy apart from copies of the database: either is worth nothing alone.
    pub sealing_key_file: Option<PathBuf>,
    /// How long an access token is good for, in seconds.
    pub access_token_s: u32,
    /// How long the refresh token of a client without a secret may stay unused, in days.
    pub refresh_token_days: u32,
    /// How long a browser stays signed in, in days.
    pub session_days: u32,
    /// How long a browser that is not used stays signed in, in days.
    pub session_idle_days: u32,
    /// Whether this server may call addresses of its own network when a client's registration or a provider's metadata asks
    /// for it, and without TLS. Off, so that nobody reaches through it what they cannot reach themselves; for tests and
    /// closed networks.
    pub allow_private_addresses: bool,
    /// What people are asked to agree to, by its name. `presence`, without which phones are not counted, has a text of its own.
    pub purposes: Purposes,
    /// Whom people may sign in with instead of a password.
    pub provider: Vec<ProviderConfig>,
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignUp {
    /// Whoever has an invitation.
    #[default]
    Invited,
    /// Everybody with an e-mail address.
    Open,
}

/// How mail is sent: by a server, into a folder, or not at all.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// The server, as `smtps://user:password@host` or `smtp://…?tls=required`.
    pub smtp: Option<String>,
    /// A folder that each mail is written into, for development.
    pub folder: Option<PathBuf>,
    /// Whom mail comes from.
    pub from: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            issuer: None,
            sign_up: SignUp::default(),
            mail: MailConfig::default(),
            sealing_key_file: None,
            access_token_s: 3_600,
            refresh_token_days: 90,
            session_days: 30,
            session_idle_days: 7,
            allow_private_addresses: false,
            purposes: Purposes::default(),
            provider: Vec::new(),
        }
    }
}

impl Default for MailConfig {
    fn default() -> Self {
        Self { smtp: None, folder: None, from: "Promenade <promenade@localhost>".to_owned() }
    }
}

/// A password may stand in the URL of the mail server.
impl std::fmt::Debug for MailConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailConfig")
            .field("smtp", &self.smtp.as_ref().map(|_| "…"))
            .field("folder", &self.folder)
            .field("from", &self.from)
            .finish()
    }
}

impl Config {
    /// Where the sealing key is.
    pub(crate) fn sealing_key(&self, data: &Path) -> PathBuf {
        self.sealing_key_file.clone().unwrap_or_else(|| data.join("sealing.key"))
    }

    /// Names the first setting that cannot be used, and why.
    pub fn validate(&self) -> Result<(), String> {
        if let Some(issuer) = &self.issuer {
            check_issuer(issuer).map_err(|why| format!("identity.issuer: {why}"))?;
        }
        if self.mail.smtp.is_some() && self.mail.folder.is_some() {
            return Err("identity.mail: `smtp` and `folder` exclude each other".to_owned());
        }
        if self.mail.from.parse::<lettre::message::Mailbox>().is_err() {
            return Err("identity.mail.from: is no e-mail address".to_owned());
        }
        if self.sign_up == SignUp::Open && self.mail.smtp.is_none() && self.mail.folder.is_none() {
            return Err("identity.sign_up: `open` needs `identity.mail`, to verify addresses".to_owned());
        }
        self.purposes.validate()?;
        provider::validate(&self.provider, self.allow_private_addresses)?;
        // Revocation reaches the API at once, but a token that other services check by its signature lives this long.
        let bounds = [
            ("access_token_s", self.access_token_s, 60, 86_400),
            ("refresh_token_days", self.refresh_token_days, 1, 3_650),
            ("session_days", self.session_days, 1, 365),
            ("session_idle_days", self.session_idle_days, 1, 365),
        ];
        for (name, value, least, most) in bounds {
            if !(least..=most).contains(&value) {
                return Err(format!("identity.{name}: must be {least} to {most}"));
            }
        }
        Ok(())
    }
}

/// An issuer is an origin: `https`, or `http` of this machine itself for development.
pub(crate) fn check_issuer(issuer: &str) -> Result<Url, &'static str> {
    let url = Url::parse(issuer).map_err(|_| "is no URL")?;
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => {}
        "http" if is_loopback => {}
        _ => return Err("must be an `https` URL"),
    }
    // Clients compare the text, so there is one way to write it.
    if url.origin().ascii_serialization() != issuer {
        return Err("must be a scheme, a host and perhaps a port, in lower case and without anything behind");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_an_origin() {
        for good in
            ["https://id.example", "https://id.example:8443", "http://127.0.0.1:8080", "http://[::1]:80"]
        {
            let expected = good != "http://[::1]:80"; // the default port is not written
            assert_eq!(check_issuer(good).is_ok(), expected, "{good}");
        }
        for bad in [
            "",
            "id.example",
            "http://id.example",
            "https://id.example/",
            "https://ID.example",
            "https://id.example/tenant",
            "https://user@id.example",
            "https://id.example?x",
            "ftp://id.example",
        ] {
            assert!(check_issuer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_defaults_are_valid_and_a_wrong_setting_is_named() {
        assert_eq!(Config::default().validate(), Ok(()));
        let wrong = Config { access_token_s: 5, ..Config::default() };
        assert!(wrong.validate().unwrap_err().starts_with("identity.access_token_s"));
        let wrong = Config { issuer: Some("http://id.example".to_owned()), ..Config::default() };
        assert!(wrong.validate().unwrap_err().starts_with("identity.issuer"));
    }
}
