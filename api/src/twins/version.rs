//! Versions of the desired state as entity tags (RFC 9110 section 8.8.3).

use axum::http::HeaderMap;
use axum::http::header::IF_MATCH;

use crate::problem::{Kind, Problem};

/// Which version a request wants to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Whatever there is.
    Any,
    /// This one.
    Version(u64),
    /// One that no desired state ever had.
    Never,
}

/// The tag of a version.
pub(super) fn tag(version: u64) -> String {
    format!("\"{version}\"")
}

/// Reads `If-Match` (RFC 9110 section 13.1.1): one tag, or `*`. A weak tag never matches.
pub(super) fn wanted(headers: &HeaderMap) -> Result<Wanted, Problem> {
    let mut values = headers.get_all(IF_MATCH).iter();
    let Some(value) = values.next() else { return Ok(Wanted::Any) };
    let wrong = || {
        let detail = "an If-Match is one version in quotes as `ETag` has it, such as \"7\", or `*`";
        Problem::new(Kind::InvalidIfMatch, detail)
    };
    let text = value.to_str().ok().filter(|_| values.next().is_none()).ok_or_else(wrong)?.trim();
    if text == "*" {
        return Ok(Wanted::Any);
    }
    let (is_weak, quoted) = text.strip_prefix("W/").map_or((false, text), |rest| (true, rest));
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(wrong)?;
    if inner.contains('"') {
        return Err(wrong());
    }
    let version = inner.parse().ok().filter(|version| !is_weak && tag(*version) == quoted);
    Ok(version.map_or(Wanted::Never, Wanted::Version))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_version_is_wanted_as_its_tag_says() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IF_MATCH, HeaderValue::from_str(value).unwrap());
            }
            wanted(&headers).ok()
        };
        let cases: [(&[&str], Option<Wanted>); 14] = [
            (&[], Some(Wanted::Any)),
            (&["*"], Some(Wanted::Any)),
            (&["\"0\""], Some(Wanted::Version(0))),
            (&[" \"7\" "], Some(Wanted::Version(7))),
            (&["\"07\""], Some(Wanted::Never)),
            (&["\"-7\""], Some(Wanted::Never)),
            (&["\"\""], Some(Wanted::Never)),
            (&["\"abc\""], Some(Wanted::Never)),
            (&["W/\"7\""], Some(Wanted::Never)),
            (&["7"], None),
            (&["\"7"], None),
            (&["\"7\", \"8\""], None),
            (&["\"7\"", "\"8\""], None),
            (&[""], None),
        ];
        for (values, expected) in cases {
            assert_eq!(read(values), expected, "{values:?}");
        }
    }
}
