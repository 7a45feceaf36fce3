//! Where a browser is sent back to.

use store::{Client, ClientKind};
use url::Url;

/// Whether a code may be sent there: a registered address, compared letter by letter (RFC 9700 section 2.1). Only the port
/// of a loopback address of a public client may differ, since such an application takes whichever is free (RFC 8252
/// section 7.3).
pub(crate) fn is_registered(client: &Client, presented: &str) -> bool {
    let is_public = client.kind == ClientKind::Public;
    client.settings.redirect_uris.iter().any(|registered| {
        registered == presented
            || (is_public && loopback(registered).is_some_and(|parts| loopback(presented) == Some(parts)))
    })
}

/// A loopback address as text without its port: its origin and what follows.
fn loopback(uri: &str) -> Option<(&str, &str)> {
    ["http://127.0.0.1", "http://[::1]"].into_iter().find_map(|origin| {
        let rest = uri.strip_prefix(origin)?;
        let rest = match rest.strip_prefix(':') {
            Some(rest) => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                let (port, rest) = rest.split_at(digits);
                port.parse::<u16>().ok().filter(|port| *port > 0)?;
                rest
            }
            None => rest,
        };
        // Anything else would still be part of the host.
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((origin, rest))
    })
}

/// Says why an address cannot be registered for codes of such a client; none when it can.
///
/// `https` anywhere; for a public client also `http` on a loopback address and a scheme of its own with a dot in it (RFC
/// 8252 sections 7.1 and 7.3).
pub fn redirect_uri_mistake(kind: ClientKind, uri: &str) -> Option<&'static str> {
    let Ok(url) = Url::parse(uri) else { return Some("is no absolute URL") };
    if uri.contains('#') {
        return Some("has a fragment");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("names a user");
    }
    if uri.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Some("has white space in it");
    }
    match (url.scheme(), kind) {
        ("https", _) if url.host().is_some() => None,
        // An application in somebody's hands, or a server that is being developed on this machine.
        ("http", ClientKind::Public | ClientKind::Confidential) if loopback(uri).is_some() => None,
        ("http", _) => Some("must be `https`"),
        (scheme, ClientKind::Public) if scheme.contains('.') => None,
        _ => Some("must be `https`"),
    }
}

/// The address with what the answer says added to its query (RFC 6749 section 3.1.2).
pub(crate) fn with_answer(uri: &str, answer: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(answer);
    let separator = match uri.split_once('?') {
        None => "?",
        Some((_, before)) if before.is_empty() || before.ends_with('&') => "",
        Some(_) => "&",
    };
    // Letter by letter what was registered: a parser might write it differently.
    format!("{uri}{separator}{}", query.finish())
}

/// What `form-action` of a page has to allow so that the browser follows a form's answer there (CSP 3 section 6.4.1).
pub(crate) fn form_action(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    let origin = url.origin();
    let source = if origin.is_tuple() { origin.ascii_serialization() } else { format!("{}:", url.scheme()) };
    // Nothing that would end the directive.
    source.bytes().all(|byte| byte.is_ascii_graphic() && !b";,'\"".contains(&byte)).then_some(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_of_a_loopback_address_is_free() {
        assert_eq!(loopback("http://127.0.0.1:8080/cb"), loopback("http://127.0.0.1/cb"));
        assert_eq!(loopback("http://[::1]:8080/cb?a"), Some(("http://[::1]", "/cb?a")));
        assert_ne!(loopback("http://127.0.0.1:8080/cb"), loopback("http://127.0.0.1:8080/cb/"));
        for wrong in [
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.1:80@evil.example/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:99999/cb",
            "https://127.0.0.1/cb",
            "http://localhost/cb",
            "http://127.0.0.1#/cb",
        ] {
            assert_eq!(loopback(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_can_be_registered_depends_on_the_kind() {
        use ClientKind::{Assistant, Confidential, Public};
        for (kind, uri) in [
            (Assistant, "https://oauth-redirect.googleusercontent.com/r/PROJECT"),
            (Confidential, "https://app.example/cb?tenant=1"),
            (Public, "http://127.0.0.1/cb"),
            (Public, "com.example.app:/cb"),
        ] {
            assert_eq!(redirect_uri_mistake(kind, uri), None, "{uri}");
        }
        for (kind, uri) in [
            (Public, "http://localhost/cb"),
            (Public, "javascript:alert(1)"),
            (Public, "https://user@app.example/cb"),
            (Public, "https://app.example/cb#f"),
            (Public, "/cb"),
            (Assistant, "http://127.0.0.1/cb"),
            (Confidential, "com.example.app:/cb"),
        ] {
            assert!(redirect_uri_mistake(kind, uri).is_some(), "{uri}");
        }
    }

    #[test]
    fn an_answer_is_added_to_the_query() {
        let answer = [("code", "a b"), ("state", "x&y")];
        assert_eq!(with_answer("https://a.example/cb", &answer), "https://a.example/cb?code=a+b&state=x%26y");
        assert_eq!(
            with_answer("https://a.example/cb?t=1", &answer[..1]),
            "https://a.example/cb?t=1&code=a+b"
        );
    }

    #[test]
    fn a_form_may_lead_to_the_origin_alone() {
        assert_eq!(form_action("https://a.example:8443/cb?x").as_deref(), Some("https://a.example:8443"));
        assert_eq!(form_action("com.example.app:/cb").as_deref(), Some("com.example.app:"));
    }
}
