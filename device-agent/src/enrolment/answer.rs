//! What the platform's answers mean to a device that asks to come in: 200, or a problem document (RFC 9457).

use std::time::Duration;

use serde::Deserialize;

use super::client::Answer;

/// How long to wait where the platform does not say, in seconds.
const RATE_LIMITED_S: u64 = 60;

/// The longest wait that is believed.
const LONGEST_S: u64 = 3_600;

/// Most characters of what the platform says in words.
const MOST_WORDS: usize = 300;

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It has what was asked for.
    Given(Vec<u8>),
    /// Nobody has decided yet.
    Pending,
    /// The same, and it was asked too soon.
    SlowDown,
    /// It is too late: only asking anew helps.
    Over,
    /// Nothing was decided; it may be asked again, after this long if it says so.
    Later(String, Option<Duration>),
    /// It is decided, and asking again does not help.
    Refused(String),
}

/// The members of a problem document that matter here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    detail: String,
    reason: Option<String>,
}

/// Reads an answer by the table of refusals that the platform documents.
pub(super) fn understand(answer: Answer) -> Meaning {
    if answer.status == 200 {
        return Meaning::Given(answer.body);
    }
    let problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_default();
    let words = || {
        let mut words = printable(&problem.detail);
        if let Some(reason) = &problem.reason {
            words = format!("{words} ({})", printable(reason));
        }
        if problem.detail.is_empty() { format!("it answers with status {}", answer.status) } else { words }
    };
    let kind = problem.kind.rsplit('/').next().unwrap_or_default();
    match (kind, answer.status) {
        ("enrolment-pending", _) => Meaning::Pending,
        ("enrolment-slow-down", _) => Meaning::SlowDown,
        // The key of the request is one that a device has, as after an answer that was lost: another is made.
        ("enrolment-expired" | "conflict", _) => Meaning::Over,
        ("rate-limited", _) | (_, 429) => {
            let seconds = answer.retry_after_s.unwrap_or(RATE_LIMITED_S).clamp(1, LONGEST_S);
            Meaning::Later(words(), Some(Duration::from_secs(seconds)))
        }
        ("unavailable", _) | (_, 500..) => Meaning::Later(words(), None),
        // Denied, a claim key that does not do, no authority to sign with, and whatever else cannot be right later.
        _ => Meaning::Refused(words()),
    }
}

/// What may be shown on a terminal or in a log of a text from outside.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(MOST_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(status: u16, retry_after_s: Option<u64>, body: &str) -> Meaning {
        understand(Answer { status, retry_after_s, body: body.as_bytes().to_vec() })
    }

    fn problem(slug: &str) -> String {
        format!(r#"{{"type":"/api/problems/{slug}","title":"t","status":400,"detail":"why"}}"#)
    }

    #[test]
    fn each_refusal_means_what_is_documented() {
        let seconds = |s| Some(Duration::from_secs(s));
        for (status, retry, slug, expected) in [
            (400, None, "enrolment-pending", Meaning::Pending),
            (400, None, "enrolment-slow-down", Meaning::SlowDown),
            (400, None, "enrolment-expired", Meaning::Over),
            (409, None, "conflict", Meaning::Over),
            (400, None, "enrolment-denied", Meaning::Refused("why".into())),
            (409, None, "no-authority", Meaning::Refused("why".into())),
            (422, None, "validation", Meaning::Refused("why".into())),
            (429, Some(7), "rate-limited", Meaning::Later("why".into(), seconds(7))),
            (429, None, "rate-limited", Meaning::Later("why".into(), seconds(60))),
            (429, Some(9_999_999), "rate-limited", Meaning::Later("why".into(), seconds(3_600))),
            (503, None, "unavailable", Meaning::Later("why".into(), None)),
            (500, None, "internal", Meaning::Later("why".into(), None)),
        ] {
            assert_eq!(meaning(status, retry, &problem(slug)), expected, "{slug}");
        }
        assert_eq!(meaning(200, None, "{}"), Meaning::Given(b"{}".to_vec()));
    }

    #[test]
    fn what_is_said_is_shown_without_what_a_terminal_would_follow() {
        let body =
            r#"{"type":"/api/problems/claim-key-refused","detail":"no \u001b[2J","reason":"used_up\n"}"#;
        assert_eq!(meaning(403, None, body), Meaning::Refused("no [2J (used_up)".into()));
        let proxy = meaning(502, None, "<html>");
        assert_eq!(proxy, Meaning::Later("it answers with status 502".into(), None));
        assert_eq!(meaning(404, None, ""), Meaning::Refused("it answers with status 404".into()));
    }
}
