//! Cookies (RFC 6265).

use axum::http::HeaderMap;
use axum::http::header::COOKIE;

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// The secret of a browser session.
    Session,
    /// What binds forms to the browser.
    Binding,
    /// Where somebody was going who has to look into their mail first.
    Next,
}

impl Cookie {
    /// With TLS the browser itself sees to it that no other host and no plain connection set it (RFC 6265bis section
    /// 4.1.3.2).
    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-promenade",
            (Self::Session, false) => "promenade",
            (Self::Binding, true) => "__Host-promenade-form",
            (Self::Binding, false) => "promenade-form",
            (Self::Next, true) => "__Host-promenade-next",
            (Self::Next, false) => "promenade-next",
        }
    }

    /// Its value in a request.
    pub(crate) fn read(self, headers: &HeaderMap, secure: bool) -> Option<&str> {
        let name = self.name(secure);
        let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The header that sets it, for so many seconds or until the browser is closed. Scripts never see it, and a form of
    /// another site does not bring it along.
    pub(crate) fn set(self, value: &str, secure: bool, max_age_s: Option<i64>) -> String {
        let name = self.name(secure);
        let life = max_age_s.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let only_tls = if secure { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{only_tls}{life}")
    }

    /// The header that takes it away.
    pub(crate) fn clear(self, secure: bool) -> String {
        self.set("", secure, Some(0))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn it_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; promenade-form=f; promenade=s"));
        assert_eq!(Cookie::Session.read(&headers, false), Some("s"));
        assert_eq!(Cookie::Binding.read(&headers, false), Some("f"));
        assert_eq!(Cookie::Session.read(&headers, true), None, "a plain cookie is not the one of TLS");
    }

    #[test]
    fn with_tls_it_is_for_tls_alone() {
        assert_eq!(
            Cookie::Session.set("x", true, Some(60)),
            "__Host-promenade=x; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=60"
        );
        assert_eq!(Cookie::Binding.set("x", false, None), "promenade-form=x; Path=/; HttpOnly; SameSite=Lax");
    }
}
