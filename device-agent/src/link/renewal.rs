//! When the next certificate is asked for, and what became of that. Pure: keys, answers and times go in and out.
//!
//! A certificate is renewed when two thirds to three quarters of its life are over, spread by the seed, so that a fleet
//! that came in on one day does not come again on one.

use std::time::Duration;

use protocol::{Renewal as Answer, RenewalRefusal, RenewalRequest, Timestamp};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tracing::warn;

use crate::backoff::Backoff;
use crate::identity::{Draft, DraftError, Pair, Validity};

/// The name of the part of the twin.
pub const PART: &str = "certificate";

/// The share of its life after which a certificate is renewed, at the earliest and at the latest.
const SHARE: (f64, f64) = (2.0 / 3.0, 3.0 / 4.0);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often it is looked whether it is time, as the wall clock may jump.
const LOOK: Duration = Duration::from_mins(1);

/// The wait after a first failure, and the longest.
const REST: (Duration, Duration) = (Duration::from_hours(1), Duration::from_hours(24));

/// What is known of the next certificate.
#[derive(Debug)]
pub(super) struct Renewal {
    share: f64,
    /// Its key, and until when its certificate is waited for, in elapsed time.
    asked: Option<(Draft, Duration)>,
    /// It is not asked for before, in elapsed time.
    rest_until: Duration,
    failures: u32,
    jitter: Backoff,
    outcome: Option<Failure>,
    /// What was reported last.
    reported: Option<Value>,
    /// Whether the log says already that it is too late.
    is_over: bool,
}

/// Why there is no next certificate yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The platform said why.
    Refused(RenewalRefusal),
    /// It said nothing, or the connection was lost before.
    Unanswered,
    /// It said something else.
    Unreadable,
    /// It gave a certificate for another key.
    Stranger,
    /// It gave one that is not valid now.
    NotValid,
    /// No key could be made, or nothing could be written.
    Device,
    /// The platform gave it and did not let it sign in, while the one before does.
    SignIn,
}

impl Renewal {
    pub(super) fn new(seed: u64) -> Self {
        let share = ChaCha8Rng::seed_from_u64(seed).random_range(SHARE.0..=SHARE.1);
        Self {
            share,
            asked: None,
            rest_until: Duration::ZERO,
            failures: 0,
            jitter: Backoff::new(1, 1, seed),
            outcome: None,
            reported: None,
            is_over: false,
        }
    }

    /// The request to send now, if it is time by the wall clock.
    pub(super) fn work(
        &mut self,
        validity: Validity,
        wall: Timestamp,
        elapsed: Duration,
    ) -> Option<RenewalRequest> {
        if self.asked.as_ref().is_some_and(|(_, until)| elapsed >= *until) {
            self.failed(Failure::Unanswered, elapsed);
        }
        if self.asked.is_some() || elapsed < self.rest_until || wall < validity.after(self.share) {
            return None;
        }
        match Draft::new().and_then(|draft| Ok((draft.request()?, draft))) {
            Ok((csr, draft)) => {
                self.asked = Some((draft, elapsed + PATIENCE));
                Some(RenewalRequest { csr })
            }
            Err(error) => {
                warn!(%error, "no key for the next certificate");
                self.failed(Failure::Device, elapsed);
                None
            }
        }
    }

    /// When to look again, in elapsed time.
    pub(super) fn due(&self, elapsed: Duration) -> Duration {
        let answer = self.asked.as_ref().map_or(Duration::MAX, |(_, until)| *until);
        answer.min(elapsed + LOOK)
    }

    /// What an answer brings; nothing where nobody asked.
    pub(super) fn answer(&mut self, body: &[u8], wall: Timestamp) -> Option<Result<Pair, Failure>> {
        let (draft, _) = self.asked.take()?;
        Some(read(&draft, body, wall))
    }

    /// The connection is lost: its answer comes no more.
    pub(super) fn parted(&mut self, elapsed: Duration) {
        if self.asked.is_some() {
            self.failed(Failure::Unanswered, elapsed);
        }
    }

    /// The next certificate has signed in. If it is old already, as the two clocks see it, it is not renewed at once all
    /// the same.
    pub(super) fn renewed(&mut self, elapsed: Duration) {
        (self.failures, self.outcome, self.is_over) = (0, None, false);
        self.rest_until = elapsed + self.jitter.around(REST.0);
    }

    /// Something came between. It is tried again after a rest that grows.
    pub(super) fn failed(&mut self, failure: Failure, elapsed: Duration) {
        self.asked = None;
        self.outcome = Some(failure);
        let about = match failure {
            Failure::Refused(RenewalRefusal::TooMany) => REST.1,
            _ => REST.0.saturating_mul(1 << self.failures.min(8)).min(REST.1),
        };
        self.failures = self.failures.saturating_add(1);
        let wait = self.jitter.around(about);
        warn!(why = failure.word(), wait_s = wait.as_secs(), "there is no next certificate yet");
        self.rest_until = elapsed + wait;
    }

    /// Says once in the log that it is too late to renew this one.
    pub(super) fn mourn(&mut self, validity: Validity, wall: Timestamp) {
        if validity.not_after < wall && !std::mem::replace(&mut self.is_over, true) {
            tracing::error!(
                not_after = validity.not_after.0,
                "the certificate of this device is over: let it in anew with `promenade-agent enrol --replace`"
            );
        }
    }

    /// The part of the reported state, if it is another than was told last.
    pub(super) fn report(&mut self, validity: Validity) -> Option<Value> {
        let renewal = self.outcome.map_or("ok".into(), Failure::word);
        let part = json!({"not_after": validity.not_after, "renewal": renewal});
        (self.reported.as_ref() != Some(&part)).then(|| self.reported.insert(part).clone())
    }
}

fn read(draft: &Draft, body: &[u8], wall: Timestamp) -> Result<Pair, Failure> {
    let (certificate, authority) = match serde_json::from_slice(body) {
        Ok(Answer::Signed { certificate, authority, .. }) => (certificate, authority),
        Ok(Answer::Refused { refused }) => return Err(Failure::Refused(refused)),
        Err(_) => return Err(Failure::Unreadable),
    };
    let pair = draft.signed(&certificate, &authority).map_err(|error| match error {
        DraftError::Stranger => Failure::Stranger,
        DraftError::Key(_) => Failure::Device,
    })?;
    let validity = Validity::of(&pair.certificate).map_err(|_| Failure::Unreadable)?;
    if validity.includes(wall) { Ok(pair) } else { Err(Failure::NotValid) }
}

impl Failure {
    /// The word for it in the twin.
    fn word(self) -> String {
        let word = match self {
            Self::Refused(refusal) => return format!("refused:{refusal}"),
            Self::Unanswered => "unanswered",
            Self::Unreadable => "unreadable",
            Self::Stranger => "wrong_key",
            Self::NotValid => "not_valid",
            Self::Device => "device",
            Self::SignIn => "sign_in",
        };
        format!("failed:{word}")
    }
}

#[cfg(test)]
mod tests;
