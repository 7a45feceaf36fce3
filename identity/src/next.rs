//! Where to go after a page: always to another page of ours.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::browser::Cookie;

/// A path of this server that a person may be sent on to, with its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Next(String);

/// Pages that lead to the sign-in page; nothing else is ever the way on.
const PATHS: [&str; 4] = ["/account", "/device", "/invitation", "/oauth/authorize"];

/// Characters of the longest one: it is kept while a person is elsewhere.
const LONGEST: usize = 4_000;
/// Characters of the longest one in a cookie, which browsers keep up to 4,096 of, encoded.
const LONGEST_COOKIE: usize = 2_900;
/// How long it is remembered: as long as a link that verifies an address is good.
const REMEMBERED_S: i64 = 24 * 3_600;

impl Default for Next {
    /// The person's own page.
    fn default() -> Self {
        Self("/account".to_owned())
    }
}

impl Next {
    /// Reads a path that a form or a query brought along; none when it leads anywhere else (an open redirect), or
    /// is too long.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let path = text.split('?').next().unwrap_or_default();
        let is_known = PATHS.iter().any(|known| {
            path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        // Browsers take a backslash for a slash and drop control characters.
        let is_plain =
            text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') && !path.contains("..");
        (is_known && is_plain && text.len() <= LONGEST).then(|| Self(text.to_owned()))
    }

    /// The same from a parameter that may be missing.
    pub(crate) fn read(text: Option<&str>) -> Self {
        text.and_then(Self::parse).unwrap_or_default()
    }

    /// The header that lets the browser remember it while its person looks into their mail; none for what no browser would
    /// keep.
    pub(crate) fn remember(&self, secure: bool) -> Option<String> {
        let is_kept = self != &Self::default() && self.0.len() <= LONGEST_COOKIE;
        is_kept.then(|| Cookie::Next.set(&URL_SAFE_NO_PAD.encode(&self.0), secure, Some(REMEMBERED_S)))
    }

    /// What the browser remembers.
    pub(crate) fn remembered(headers: &HeaderMap, secure: bool) -> Self {
        let kept = Cookie::Next.read(headers, secure).and_then(|value| URL_SAFE_NO_PAD.decode(value).ok());
        let text = kept.and_then(|bytes| String::from_utf8(bytes).ok());
        Self::read(text.as_deref())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The page without its query, in which the secret of a link may be: what may stand in a row.
    pub(crate) fn page(&self) -> &str {
        self.0.split('?').next().unwrap_or_default()
    }

    /// The token of a link to a page, if that is where it leads.
    pub(crate) fn token_of(&self, page: &str) -> Option<String> {
        let (path, query) = self.0.split_once('?')?;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let (_, token) = pairs.find(|(name, _)| name == "token").filter(|_| path == page)?;
        Some(token.into_owned())
    }

    /// The address of a page that leads on to here.
    pub(crate) fn after(&self, path: &str) -> String {
        let query =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &self.0).finish();
        format!("{path}?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_a_link_is_read() {
        let token = |text: &str| Next::parse(text).unwrap().token_of("/invitation");
        assert_eq!(token("/invitation?token=iv_a").as_deref(), Some("iv_a"));
        assert_eq!(token("/invitation"), None);
        assert_eq!(token("/invitation/account?token=iv_a"), None);
        assert_eq!(token("/account?token=iv_a"), None);
        assert_eq!(Next::parse("/invitation?token=iv_a").unwrap().page(), "/invitation");
    }

    #[test]
    fn a_long_one_is_as_good_as_none() {
        let of_length = |length: usize| format!("{:a<length$}", "/account?");
        assert!(Next::parse(&of_length(LONGEST)).is_some());
        assert_eq!(Next::read(Some(&of_length(LONGEST + 1))), Next::default());
    }

    #[test]
    fn it_never_leads_away() {
        for good in [
            "/account",
            "/account/services",
            "/device?user_code=A",
            "/oauth/authorize?redirect_uri=https%3A%2F%2Fx",
        ] {
            assert_eq!(Next::parse(good).map(|next| next.0).as_deref(), Some(good));
        }
        for bad in [
            "",
            "/",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/account",
            "/accountant",
            "/account/../oauth/logout",
            "/account\r\nSet-Cookie: x",
            "/sign-out",
        ] {
            assert_eq!(Next::parse(bad), None, "{bad}");
        }
    }
}
