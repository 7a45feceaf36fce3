//! Where a client may have its codes sent, beyond what `identity` asks of every address.

use identity::redirect_uri_mistake;
use store::{ClientKind, Party};

/// Google's own, for an action and for one that is tried out (what stands behind it is the project's id).
const GOOGLE: [&str; 2] = [
    "https://oauth-redirect.googleusercontent.com/r/",
    "https://oauth-redirect-sandbox.googleusercontent.com/r/",
];
/// Amazon's, one for each part of the world (what stands behind it is the vendor's id).
const AMAZON: [&str; 3] = [
    "https://pitangui.amazon.com/api/skill/link/",
    "https://layla.amazon.com/api/skill/link/",
    "https://alexa.amazon.co.jp/api/skill/link/",
];

/// What is wrong with an address for codes of a client; none when it can be registered.
pub(super) fn mistake(kind: ClientKind, party: Option<Party>, uri: &str) -> Option<String> {
    let Some(party) = party else { return redirect_uri_mistake(kind, uri).map(str::to_owned) };
    let (bases, id): (&[&str], &str) = match party {
        Party::Google => (&GOOGLE, "PROJECT"),
        Party::Amazon => (&AMAZON, "VENDOR"),
    };
    if bases.iter().any(|base| uri.strip_prefix(base).is_some_and(is_id)) {
        return None;
    }
    let shapes: Vec<String> = bases.iter().map(|base| format!("`{base}{id}`")).collect();
    Some(format!("must be {}", shapes.join(" or ")))
}

/// One part of a path that is no way to another place.
fn is_id(text: &str) -> bool {
    (1..=200).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assistant_has_the_addresses_of_its_party() {
        let of = |party, uri: &str| mistake(ClientKind::Assistant, Some(party), uri).is_none();
        for uri in [
            "https://oauth-redirect.googleusercontent.com/r/my-project_1",
            "https://oauth-redirect-sandbox.googleusercontent.com/r/my-project",
        ] {
            assert!(of(Party::Google, uri) && !of(Party::Amazon, uri), "{uri}");
        }
        for host in ["pitangui.amazon.com", "layla.amazon.com", "alexa.amazon.co.jp"] {
            let uri = format!("https://{host}/api/skill/link/M2AAAAAAAAAAAA");
            assert!(of(Party::Amazon, &uri) && !of(Party::Google, &uri), "{uri}");
        }
    }

    #[test]
    fn nothing_that_only_looks_like_them() {
        for uri in [
            "http://oauth-redirect.googleusercontent.com/r/p",
            "https://oauth-redirect.googleusercontent.com/r/",
            "https://oauth-redirect.googleusercontent.com/r/..",
            "https://oauth-redirect.googleusercontent.com/r/p/q",
            "https://oauth-redirect.googleusercontent.com/r/p?q",
            "https://oauth-redirect.googleusercontent.com/r/p#q",
            "https://oauth-redirect.googleusercontent.com/r/p%2f",
            "https://oauth-redirect.googleusercontent.com.example/r/p",
            "https://user@oauth-redirect.googleusercontent.com/r/p",
            "https://OAUTH-redirect.googleusercontent.com/r/p",
        ] {
            assert!(mistake(ClientKind::Assistant, Some(Party::Google), uri).is_some(), "{uri}");
        }
        assert!(
            mistake(ClientKind::Assistant, Some(Party::Amazon), "https://amazon.com/api/skill/link/V")
                .is_some()
        );
    }
}
