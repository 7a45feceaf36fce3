//! The id of a request: the client's, when it is one that a log can hold, else a new one.

use axum::http::{HeaderMap, HeaderName};

/// The header that carries the id, both ways.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a client.
const LONGEST: usize = 128;

/// The id of the request with these headers.
pub(crate) fn of(headers: &HeaderMap) -> String {
    let given = headers.get(HEADER).and_then(|value| value.to_str().ok());
    given.filter(|id| is_sane(id)).map_or_else(mint, str::to_owned)
}

/// Whether an id can stand in a log line without being taken for something else.
fn is_sane(id: &str) -> bool {
    (1..=LONGEST).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'))
}

fn mint() -> String {
    let mut bytes = [0; 16];
    // Without randomness requests are still answered; their ids are then all the same and say so.
    let _ = getrandom::fill(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sane_id_is_kept_and_another_replaced() {
        let kept = |id: &'static str| of(&HeaderMap::from_iter([(HEADER, id.parse().unwrap())]));
        assert_eq!(kept("req-1_a.b:c"), "req-1_a.b:c");
        for wrong in ["", "a b", "a\"b", "{x}"] {
            let minted = kept(wrong);
            assert_eq!((minted.len(), is_sane(&minted)), (32, true), "{wrong:?}");
        }
        assert_ne!(of(&HeaderMap::new()), of(&HeaderMap::new()));
    }
}
