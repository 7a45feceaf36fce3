//! Points in time as devices and servers exchange them.

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, on the clock of whoever wrote it; negative before 1970.
///
/// Arithmetic saturates: a device may send any integer, and the distance to `now` must stay meaningful.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This time `ms` milliseconds later.
    pub const fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// This time `ms` milliseconds earlier.
    pub const fn minus(self, ms: i64) -> Self {
        Self(self.0.saturating_sub(ms))
    }

    /// Milliseconds from `other` to this time, negative if `other` is later.
    pub const fn since(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }

    /// The whole second this time lies in, rounded down also before 1970.
    pub const fn second(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_down_on_both_sides_of_1970() {
        assert_eq!(Timestamp(1999).second(), 1);
        assert_eq!(Timestamp(0).second(), 0);
        assert_eq!(Timestamp(-1).second(), -1);
        assert_eq!(Timestamp(-1000).second(), -1);
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp(i64::MAX).plus(1), Timestamp(i64::MAX));
        assert_eq!(Timestamp(i64::MIN).minus(1), Timestamp(i64::MIN));
        assert_eq!(Timestamp(i64::MAX).since(Timestamp(i64::MIN)), i64::MAX);
        assert_eq!(Timestamp(5).since(Timestamp(7)), -2);
    }

    #[test]
    fn json_is_an_integer() {
        assert_eq!(serde_json::to_string(&Timestamp(1_790_000_000_123)).unwrap(), "1790000000123");
        assert_eq!(serde_json::from_str::<Timestamp>("-5").unwrap(), Timestamp(-5));
        assert!(serde_json::from_str::<Timestamp>("1.5").is_err());
    }
}
