//! Identifiers that change, computed from the key that only the beacon and its owner have (Eddystone-EID,
//! `eddystone-eid/eid-computation.md`).

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};

use crate::{Timestamp, hex};

/// The largest rotation period exponent ("Overview", item 3): a new identifier every nine hours.
pub const MAX_ROTATION_EXPONENT: u8 = 15;

/// How wrong the clock of a beacon may go, in millionths ("Overview", item 2).
const DRIFT_PPM: i64 = 150;

/// Windows to each side that are looked at in the end, however long a beacon was left alone.
const MOST_WINDOWS_OFF: i64 = 8;

/// Seconds for which a temporary key holds: it depends on the top 16 bits of the counter.
const TEMPORARY_KEY_S: u32 = 1 << 16;

/// The key that makes the identifiers of a beacon. Does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityKey([u8; 16]);

/// A text that is no identity key. Does not repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("32 hexadecimal digits")]
pub struct IdentityKeyError;

/// How often the identifier of a beacon changes, and where the beacon's counter stood when it was registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    exponent: u8,
    counter: u32,
    at: Timestamp,
}

/// The identifiers of a beacon in some of its windows, in order.
#[derive(Clone)]
pub struct Eids<'a> {
    key: &'a IdentityKey,
    exponent: u8,
    windows: RangeInclusive<u32>,
    /// The temporary key that was computed last, and the top 16 bits of the counters that it is for.
    temporary: Option<(u32, Aes128)>,
}

impl IdentityKey {
    /// The key with these bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes, to be sealed or computed with.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for IdentityKey {
    type Err = IdentityKeyError;

    fn from_str(text: &str) -> Result<Self, IdentityKeyError> {
        let mut key = [0; 16];
        if hex::parse(text.as_bytes(), &mut key) { Ok(Self(key)) } else { Err(IdentityKeyError) }
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Rotation {
    /// An identifier for 2^`exponent` seconds of the beacon's `counter`, which stood so at `at`. `None` for an exponent above
    /// [`MAX_ROTATION_EXPONENT`].
    pub fn new(exponent: u8, counter: u32, at: Timestamp) -> Option<Self> {
        (exponent <= MAX_ROTATION_EXPONENT).then_some(Self { exponent, counter, at })
    }

    /// The rotation period exponent.
    pub const fn exponent(&self) -> u8 {
        self.exponent
    }

    /// When it was registered.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The windows (the counter divided by 2^`exponent`) whose identifiers the beacon may send from `from` through `to`.
    ///
    /// One more on each side, since a beacon changes at a random moment within its window ("Implementation guidelines"), and as
    /// many more as its clock may have gone wrong by since it was registered, eight at most.
    pub fn windows(&self, from: Timestamp, to: Timestamp) -> RangeInclusive<u32> {
        let drift_s = self.age_s(from).abs().max(self.age_s(to).abs()) * DRIFT_PPM / 1_000_000;
        let off = (1 + (drift_s >> self.exponent)).min(MOST_WINDOWS_OFF);
        let window = |at| (i64::from(self.counter) + self.age_s(at)) >> self.exponent;
        let last = i64::from(u32::MAX >> self.exponent);
        let (first, until) = (window(from) - off, window(to) + off);
        if until < 0 || first > last {
            // The counter had not begun to run, or is over.
            return RangeInclusive::new(1, 0);
        }
        first.max(0) as u32..=until.min(last) as u32
    }

    fn age_s(&self, at: Timestamp) -> i64 {
        at.since(self.at).div_euclid(1_000)
    }
}

impl<'a> Eids<'a> {
    /// Those of the beacon with this key in these windows.
    pub fn new(key: &'a IdentityKey, rotation: &Rotation, windows: RangeInclusive<u32>) -> Self {
        Self { key, exponent: rotation.exponent, windows, temporary: None }
    }

    /// "Computing the EID value".
    fn of(&mut self, counter: u32) -> [u8; 8] {
        let era = counter / TEMPORARY_KEY_S;
        let temporary = match &self.temporary {
            Some((of, cipher)) if *of == era => cipher,
            _ => &self.temporary.insert((era, temporary_key(self.key, era))).1,
        };
        let mut block = [0; 16];
        block[11] = self.exponent;
        block[12..].copy_from_slice(&counter.to_be_bytes());
        let mut block = block.into();
        temporary.encrypt_block(&mut block);
        let mut eid = [0; 8];
        eid.copy_from_slice(&block[..8]);
        eid
    }
}

/// Each window with its identifier.
impl Iterator for Eids<'_> {
    type Item = (u32, [u8; 8]);

    fn next(&mut self) -> Option<Self::Item> {
        let window = self.windows.next()?;
        Some((window, self.of(window << self.exponent)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.windows.size_hint()
    }
}

/// "Computing the temporary key", from the top 16 bits of the counter.
fn temporary_key(key: &IdentityKey, era: u32) -> Aes128 {
    let mut block = [0; 16];
    block[11] = 0xff;
    block[14..].copy_from_slice(&(era as u16).to_be_bytes());
    let mut block = block.into();
    Aes128::new(&key.0.into()).encrypt_block(&mut block);
    Aes128::new(&block)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn eid(key: &str, exponent: u8, counter: u32) -> String {
        let key = key.parse().unwrap();
        let rotation = Rotation::new(exponent, counter, Timestamp(0)).unwrap();
        let window = counter >> exponent;
        let (_, eid) = Eids::new(&key, &rotation, window..=window).next().unwrap();
        crate::Identifier::Eid(eid).to_string()
    }

    /// From the tests of `ephemeral_calc`, the calculator of Radius Networks (`github.com/RadiusNetworks/ephemeral_calc`,
    /// `spec/encryptor_spec.rb`); `openssl enc -aes-128-ecb` agrees.
    #[test]
    fn published_identifiers() {
        let key = "0102030405060708090A111213141516";
        assert_eq!(eid(key, 10, 0), "eid:a9b76a71c5f89290");
        assert_eq!(eid(key, 10, 2_000), "eid:4144413e45fefa58");
    }

    /// From the tests of `node-eddystone-beacon-scanner`, which publish the temporary key and what it makes of a time.
    #[test]
    fn the_second_step_on_a_published_temporary_key() {
        let temporary = 0xb7c2_d909_d27d_22df_8343_2711_6248_0210_u128.to_be_bytes();
        let key = IdentityKey::new([0; 16]);
        let counter: u32 = 1_518_080_946;
        let cipher = Aes128::new(&temporary.into());
        let mut eids = Eids {
            key: &key,
            exponent: 12,
            windows: counter >> 12..=counter >> 12,
            temporary: Some((counter / TEMPORARY_KEY_S, cipher)),
        };
        assert_eq!(eids.next().unwrap().1, [0x7d, 0xd8, 0x16, 0x9d, 0xae, 0x94, 0x25, 0x8c]);
    }

    #[test]
    fn the_temporary_key_changes_within_a_run_of_windows() {
        let key = IdentityKey::new([7; 16]);
        let rotation = Rotation::new(15, 0, Timestamp(0)).unwrap();
        let run: Vec<_> = Eids::new(&key, &rotation, 0..=5).collect();
        let one_by_one: Vec<_> =
            (0..=5).flat_map(|window| Eids::new(&key, &rotation, window..=window)).collect();
        assert_eq!(run, one_by_one);
    }

    #[test]
    fn windows_are_those_of_the_time_and_what_is_tolerated() {
        let at = Timestamp(20_000 * DAY);
        let rotation = Rotation::new(10, 65_280, at).unwrap();
        assert_eq!(rotation.windows(at, at), 62..=64);
        assert_eq!(rotation.windows(at, at.plus(1_023_000)), 62..=65);
        assert_eq!(rotation.windows(at.minus(768_001), at), 61..=64, "from the window before on");
        // 150 ppm of 100 days are 1,296 s: a window more.
        let later = at.plus(100 * DAY);
        let now = (65_280 + 100 * 86_400) >> 10;
        assert_eq!(rotation.windows(later, later), now - 2..=now + 2);
        let years = at.plus(10_000 * DAY);
        let now = (65_280 + 10_000 * 86_400) >> 10;
        assert_eq!(rotation.windows(years, years), now - 8..=now + 8);
        // Before the counter began.
        assert!(rotation.windows(at.minus(DAY), at.minus(DAY)).is_empty());
        assert_eq!(rotation.windows(at.minus(DAY), at), 0..=64);
        assert!(rotation.windows(Timestamp(i64::MAX), Timestamp(i64::MAX)).is_empty());
        assert!(Rotation::new(16, 0, at).is_none());
    }

    #[test]
    fn a_key_is_32_digits_and_keeps_to_itself() {
        let key: IdentityKey = "0102030405060708090a0B0c0d0e0f10".parse().unwrap();
        assert_eq!(key.bytes(), &std::array::from_fn(|index| index as u8 + 1));
        assert_eq!(format!("{key:?}"), "…");
        for wrong in ["", "01", "0102030405060708090a0b0c0d0e0f1", "0102030405060708090a0b0c0d0e0f1g"] {
            assert_eq!(wrong.parse::<IdentityKey>(), Err(IdentityKeyError));
        }
    }
}
