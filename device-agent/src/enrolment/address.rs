//! Where the platform speaks HTTP.

use std::net::IpAddr;

use hyper::Uri;

use crate::config::EnrolmentConfig;

/// A server of HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Its name or address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    /// What the header `Host` says (RFC 9110, section 7.2).
    pub(super) authority: String,
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(pub &'static str);

impl Address {
    /// The server that is asked to let the device in. Without TLS it is this machine, unless the way to it is trusted.
    pub fn of(config: &EnrolmentConfig) -> Result<Self, AddressError> {
        const WRONG: AddressError = AddressError(
            "[enrolment] `server` is an address as https://id.example.org, and nothing after it",
        );
        let uri: Uri = config.server.parse().map_err(|_| WRONG)?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(WRONG),
        };
        let authority = uri.authority().ok_or(WRONG)?;
        let is_whole = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if !is_whole || authority.as_str().contains('@') {
            return Err(WRONG);
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(WRONG);
        }
        let is_here =
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if !tls && !is_here && !config.insecure_http {
            return Err(AddressError(
                "[enrolment] `server` is https, as whoever is on the way would read what the device gets \
                 (`insecure_http` allows it)",
            ));
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => Some(if tls { 443 } else { 80 }),
            // One that is too large is none to the library.
            rest => rest.and_then(|rest| rest.strip_prefix(':')?.parse().ok()),
        };
        let port = port.ok_or(WRONG)?;
        Ok(Self { host, port, tls, authority: authority.as_str().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(server: &str, insecure_http: bool) -> Result<(String, u16, bool), &'static str> {
        let config = EnrolmentConfig { insecure_http, ..EnrolmentConfig::at(server.into()) };
        Address::of(&config).map(|address| (address.host, address.port, address.tls)).map_err(|error| error.0)
    }

    #[test]
    fn what_is_said_in_the_open_stays_on_this_machine() {
        assert_eq!(address("https://id.example.org", false), Ok(("id.example.org".into(), 443, true)));
        assert_eq!(address("https://10.0.0.7:8443/", false), Ok(("10.0.0.7".into(), 8_443, true)));
        for here in ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080/"] {
            assert!(address(here, false).is_ok(), "{here}");
        }
        for elsewhere in ["http://id.example.org", "http://10.0.0.7:8080", "http://localhost.example.org"] {
            assert!(address(elsewhere, false).unwrap_err().contains("is https"), "{elsewhere}");
            assert!(address(elsewhere, true).is_ok(), "{elsewhere}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in [
            "",
            "id.example.org",
            "ftp://id.example.org",
            "https://",
            "https://id.example.org/api",
            "https://id.example.org?a=b",
            "https://me:dk_hidden@id.example.org",
            "https://id.example.org:99999",
        ] {
            assert!(address(wrong, true).unwrap_err().contains("an address as"), "{wrong}");
        }
    }
}
