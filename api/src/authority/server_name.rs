//! What clients call a server: an address, or a name of the domain name system.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use rcgen::SanType;

use super::Result;

/// A name or an address that a server's certificate is good for (RFC 5280 section 4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerName {
    /// An address.
    Address(IpAddr),
    /// A name; its first label may be `*`.
    Name(String),
}

/// A text that is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a host name such as mqtt.example.org, or an IP address, without a port")]
pub struct ServerNameError;

impl ServerName {
    pub(super) fn alternative(&self) -> Result<SanType> {
        Ok(match self {
            ServerName::Address(address) => SanType::IpAddress(*address),
            ServerName::Name(name) => SanType::DnsName(name.clone().try_into()?),
        })
    }
}

impl FromStr for ServerName {
    type Err = ServerNameError;

    fn from_str(text: &str) -> std::result::Result<ServerName, ServerNameError> {
        if let Ok(address) = text.parse() {
            return Ok(ServerName::Address(address));
        }
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(letter)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let labels = text.strip_prefix("*.").unwrap_or(text);
        // A name whose last label is a number would be read as an address by others.
        let ends_well = !labels.rsplit('.').next().unwrap_or_default().bytes().all(|b| b.is_ascii_digit());
        if text.len() <= 253 && labels.split('.').all(label) && ends_well {
            Ok(ServerName::Name(text.to_ascii_lowercase()))
        } else {
            Err(ServerNameError)
        }
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerName::Address(address) => address.fmt(f),
            ServerName::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        for (text, printed) in [
            ("localhost", "localhost"),
            ("MQTT.example.ORG", "mqtt.example.org"),
            ("*.example.org", "*.example.org"),
            ("kiosk_1.shop", "kiosk_1.shop"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("2001:DB8::7", "2001:db8::7"),
        ] {
            assert_eq!(text.parse::<ServerName>().map(|name| name.to_string()), Ok(printed.to_owned()));
        }
        assert!(matches!("::1".parse(), Ok(ServerName::Address(_))));
        let long = ["a".repeat(63).as_str(); 4].join(".");
        for wrong in [
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "a b",
            "a:1883",
            "[::1]",
            "*",
            "a.*.b",
            "1.2.3",
            "ä.example",
            &long,
            "https://a",
        ] {
            assert_eq!(wrong.parse::<ServerName>(), Err(ServerNameError), "{wrong}");
        }
    }
}
