//! What is asked for: the head of a request (RFC 9112), as far as a page that is only read needs it.
//!
//! The server is written out, as it needs a method, a path and a host: a library for it would be a tenth of the program.

use std::net::IpAddr;

/// Bytes of a request at most: a browser sends some hundred.
pub(super) const LONGEST: usize = 4 * 1024;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// The page.
    Page,
    /// The same as JSON.
    Json,
}

/// Why there is no answer: a status (RFC 9110 section 15.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is no request.
    Bad,
    /// It is for another host: a page of somebody else that has its name resolve to this machine asks so.
    Misdirected,
    /// There is nothing else here.
    NotFound,
    /// It is for reading.
    Method,
    /// It is too long.
    Long,
}

impl Refusal {
    pub(super) fn status(self) -> &'static str {
        match self {
            Self::Bad => "400 Bad Request",
            Self::Misdirected => "421 Misdirected Request",
            Self::NotFound => "404 Not Found",
            Self::Method => "405 Method Not Allowed",
            Self::Long => "431 Request Header Fields Too Large",
        }
    }
}

/// Reads the head of a request, up to the empty line that ends it.
pub(super) fn read(head: &str) -> Result<Request, Refusal> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refusal::Bad);
    };
    if !version.starts_with("HTTP/1.") {
        return Err(Refusal::Bad);
    }
    let fields = lines.filter_map(|line| line.split_once(':'));
    let mut hosts = fields.filter(|(name, _)| name.eq_ignore_ascii_case("host"));
    // Exactly one (RFC 9112 section 3.2).
    let (Some((_, host)), None) = (hosts.next(), hosts.next()) else { return Err(Refusal::Bad) };
    if !is_own(host.trim()) {
        return Err(Refusal::Misdirected);
    }
    if method != "GET" {
        return Err(Refusal::Method);
    }
    match target {
        "/" => Ok(Request::Page),
        "/status.json" => Ok(Request::Json),
        _ => Err(Refusal::NotFound),
    }
}

/// Whether a name, with its port or without, is one of the loopback, which nobody else's name server can give away.
fn is_own(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let is_loopback = address.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    port.is_none_or(is_port) && (is_loopback || name.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_is_read_from_this_machine_only() {
        for (head, expected) in [
            ("GET / HTTP/1.1\r\nHost: localhost:8484\r\nAccept: */*", Ok(Request::Page)),
            ("GET /status.json HTTP/1.1\r\nhost:127.0.0.1", Ok(Request::Json)),
            ("GET / HTTP/1.0\r\nHost: [::1]:9", Ok(Request::Page)),
            ("GET / HTTP/1.1\r\nHost: [::1]", Ok(Request::Page)),
            ("GET / HTTP/1.1\r\nHost: LOCALHOST", Ok(Request::Page)),
            ("GET / HTTP/1.1\r\nHost: evil.example", Err(Refusal::Misdirected)),
            ("GET / HTTP/1.1\r\nHost: localhost.evil.example:8484", Err(Refusal::Misdirected)),
            ("GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example", Err(Refusal::Misdirected)),
            ("GET / HTTP/1.1\r\nHost: 192.168.1.7:8484", Err(Refusal::Misdirected)),
            ("GET / HTTP/1.1\r\nHost: localhost:evil", Err(Refusal::Misdirected)),
            ("GET / HTTP/1.1\r\nHost:", Err(Refusal::Misdirected)),
            ("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost", Err(Refusal::Bad)),
            ("GET / HTTP/1.1", Err(Refusal::Bad)),
            ("GET /", Err(Refusal::Bad)),
            ("GET / / HTTP/1.1\r\nHost: localhost", Err(Refusal::Bad)),
            ("GET / HTTP/2\r\nHost: localhost", Err(Refusal::Bad)),
            ("", Err(Refusal::Bad)),
            ("POST / HTTP/1.1\r\nHost: localhost", Err(Refusal::Method)),
            ("GET /etc/passwd HTTP/1.1\r\nHost: localhost", Err(Refusal::NotFound)),
        ] {
            assert_eq!(read(head), expected, "{head}");
        }
    }
}
