//! Why something was refused: a closed list that devices may rely on.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_as_text;

/// Why a batch or a ping was refused, as receipts and the loss ledger say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The message is no batch: neither JSON nor CBOR, a missing or wrong `boot`, `seq` or `pings`, a repeated key.
    Unreadable,
    /// The message is longer than [`MAX_BATCH_BYTES`](crate::MAX_BATCH_BYTES).
    TooLarge,
    /// The batch holds more than [`MAX_PINGS`](crate::MAX_PINGS) pings.
    TooManyPings,
    /// This `(boot, seq)` was accepted before with other pings.
    SequenceReused,
    /// The device's clock is more than ten minutes away from the server's.
    ClockSkew,
    /// The ping is older than the acceptance window.
    TooOld,
    /// The ping is more than five minutes ahead of the server's clock, after correction.
    FromTheFuture,
    /// `id` is missing or is none of the known identifiers.
    BadIdentifier,
    /// `rssi` is missing, is no integer or is out of range.
    BadRssi,
    /// Another field of the ping is missing or wrong, or the ping is no object.
    BadField,
    /// The fixed end of the ping has no place in a venue at that time.
    NotPlaced,
    /// The phone's person has not agreed to being counted, or has taken it back.
    NoConsent,
    /// A quota is used up; the same number may be sent again unchanged.
    RateLimited(Limit),
}

/// Which quota was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// Pings of one device in a minute.
    PingsPerMinute,
    /// Batches of one device in a minute, whatever they hold.
    BatchesPerMinute,
    /// Boots of one device in a minute.
    BootsPerMinute,
    /// Messages of one device in a second, of whatever kind.
    MessagesPerSecond,
    /// Bytes of them.
    BytesPerSecond,
    /// Messages of all devices and services of an organization in a second.
    OrganizationMessagesPerSecond,
    /// Bytes of them.
    OrganizationBytesPerSecond,
}

/// A word that is no reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown reason")]
pub struct ReasonError;

impl Reason {
    /// Every reason, in the order of declaration.
    pub const ALL: &[Self] = &[
        Self::Unreadable,
        Self::TooLarge,
        Self::TooManyPings,
        Self::SequenceReused,
        Self::ClockSkew,
        Self::TooOld,
        Self::FromTheFuture,
        Self::BadIdentifier,
        Self::BadRssi,
        Self::BadField,
        Self::NotPlaced,
        Self::NoConsent,
        Self::RateLimited(Limit::PingsPerMinute),
        Self::RateLimited(Limit::BatchesPerMinute),
        Self::RateLimited(Limit::BootsPerMinute),
        Self::RateLimited(Limit::MessagesPerSecond),
        Self::RateLimited(Limit::BytesPerSecond),
        Self::RateLimited(Limit::OrganizationMessagesPerSecond),
        Self::RateLimited(Limit::OrganizationBytesPerSecond),
    ];

    /// The word for it in receipts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::TooManyPings => "too_many_pings",
            Self::SequenceReused => "sequence_reused",
            Self::ClockSkew => "clock_skew",
            Self::TooOld => "too_old",
            Self::FromTheFuture => "from_the_future",
            Self::BadIdentifier => "bad_identifier",
            Self::BadRssi => "bad_rssi",
            Self::BadField => "bad_field",
            Self::NotPlaced => "not_placed",
            Self::NoConsent => "no_consent",
            Self::RateLimited(Limit::PingsPerMinute) => "rate_limited:pings_per_minute",
            Self::RateLimited(Limit::BatchesPerMinute) => "rate_limited:batches_per_minute",
            Self::RateLimited(Limit::BootsPerMinute) => "rate_limited:boots_per_minute",
            Self::RateLimited(Limit::MessagesPerSecond) => "rate_limited:messages_per_s",
            Self::RateLimited(Limit::BytesPerSecond) => "rate_limited:bytes_per_s",
            Self::RateLimited(Limit::OrganizationMessagesPerSecond) => {
                "rate_limited:organization_messages_per_s"
            }
            Self::RateLimited(Limit::OrganizationBytesPerSecond) => "rate_limited:organization_bytes_per_s",
        }
    }

    /// Whether the same number may be sent again unchanged and be accepted then.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited(_))
    }
}

impl Reason {
    /// Whether the number that was refused is remembered as one that should come again, as far as it may.
    pub const fn is_remembered(self) -> bool {
        !matches!(self, Self::RateLimited(Limit::BatchesPerMinute | Limit::BootsPerMinute))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Reason {
    type Err = ReasonError;

    fn from_str(text: &str) -> Result<Self, ReasonError> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == text).ok_or(ReasonError)
    }
}

serde_as_text!(Reason, "a reason of refusal");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_prints_the_word_that_parses_to_it() {
        for &reason in Reason::ALL {
            assert_eq!(reason.to_string().parse(), Ok(reason));
        }
        assert!("rate_limited".parse::<Reason>().is_err());
        assert!("Unreadable".parse::<Reason>().is_err());
    }

    #[test]
    fn only_quotas_are_worth_a_retry() {
        for reason in Reason::ALL {
            assert_eq!(reason.is_retryable(), reason.as_str().starts_with("rate_limited:"), "{reason}");
        }
    }
}
