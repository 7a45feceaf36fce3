//! What has been read of a batch so far, whichever encoding it comes in.

use super::{Batch, BatchError, Decoded, MAX_PINGS, MAX_SEQ, Malformed, Ping, Scalar, is_dbm};
use crate::{Boot, Identifier, Reason, Timestamp};

/// Fields of a batch; the discriminants are the keys of the CBOR form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Boot = 0,
    Seq = 1,
    First = 2,
    Sent = 3,
    Pings = 4,
}

/// Fields of a ping; the discriminants are the keys of the CBOR form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PingField {
    Id = 0,
    Rssi = 1,
    At = 2,
    Tx = 3,
    Max = 4,
    N = 5,
}

/// A batch in the making; reading goes on after a fault, because the number may still come.
pub(super) struct Draft {
    boot: Option<Boot>,
    seq: Option<u64>,
    first: Option<u64>,
    sent: Option<Timestamp>,
    pings: Vec<Ping>,
    refused: Vec<(u32, Reason)>,
    count: usize,
    seen: Seen,
    faulty: bool,
}

impl Draft {
    /// Room for the pings of a message of `len` bytes whose pings take at least `least` bytes each, mostly.
    pub(super) fn new(len: usize, least: usize) -> Self {
        Self {
            boot: None,
            seq: None,
            first: None,
            sent: None,
            pings: Vec::with_capacity((len / least).min(MAX_PINGS)),
            refused: Vec::new(),
            count: 0,
            seen: Seen::default(),
            faulty: false,
        }
    }

    /// Notes that a field comes now; coming twice is a fault.
    pub(super) fn begin(&mut self, field: Field) {
        self.faulty |= self.seen.repeats(field as u8);
    }

    /// The value of a field that [began](Self::begin), for all but `pings`.
    pub(super) fn set(&mut self, field: Field, value: &Scalar<'_>) {
        let fits = match (field, value) {
            (Field::Boot, Scalar::Text(name)) => {
                self.boot = Boot::from_bytes(name).ok();
                self.boot.is_some()
            }
            (Field::Seq, Scalar::Integer(seq)) => {
                self.seq = number(*seq);
                self.seq.is_some()
            }
            (Field::First, Scalar::Integer(first)) => {
                self.first = number(*first);
                self.first.is_some()
            }
            (Field::Sent, Scalar::Integer(sent)) => {
                self.sent = Some(Timestamp(*sent));
                true
            }
            (Field::First | Field::Sent, Scalar::Null) => true,
            _ => false,
        };
        self.faulty |= !fits;
    }

    /// `pings` is no list.
    pub(super) fn no_pings(&mut self) {
        self.faulty = true;
    }

    /// Whether the next ping is one too many, and therefore only to be skipped; counts it then.
    pub(super) fn is_full(&mut self) -> bool {
        let full = self.count >= MAX_PINGS;
        self.count += usize::from(full);
        full
    }

    /// The next ping of the message; a repeated field in it is a fault of the whole message.
    pub(super) fn push(&mut self, ping: Result<Ping, Reason>) {
        match ping {
            Ok(ping) => self.pings.push(ping),
            Err(Reason::Unreadable) => self.faulty = true,
            Err(reason) => self.refused.push((self.count as u32, reason)),
        }
        self.count += 1;
    }

    /// The batch, if the encoding held to the end of the message.
    pub(super) fn finish(self, encoding: Result<(), Malformed>) -> Result<Decoded, BatchError> {
        // A number given twice is none.
        let twice = self.seen.came_twice(Field::Boot as u8) || self.seen.came_twice(Field::Seq as u8);
        let number = self.boot.zip(self.seq).filter(|_| !twice);
        if encoding.is_err() || self.faulty {
            return Err(BatchError::Unreadable(number));
        }
        let (Some((boot, seq)), true) = (number, self.seen.came(Field::Pings as u8)) else {
            return Err(BatchError::Unreadable(number));
        };
        if self.first.is_some_and(|first| first > seq) {
            return Err(BatchError::Unreadable(number));
        }
        if self.count > MAX_PINGS {
            return Err(BatchError::TooManyPings(number));
        }
        let batch = Batch { boot, seq, first: self.first, sent: self.sent, pings: self.pings };
        Ok(Decoded { batch, refused: self.refused })
    }
}

/// A ping in the making.
#[derive(Default)]
pub(super) struct PingDraft {
    id: Option<Identifier>,
    rssi: Option<i8>,
    at: Option<Timestamp>,
    tx: Option<i8>,
    max: Option<i8>,
    n: Option<u16>,
    seen: Seen,
    flawed: bool,
}

impl PingDraft {
    #[inline]
    pub(super) fn set(&mut self, field: PingField, value: &Scalar<'_>) {
        self.seen.repeats(field as u8);
        match (field, value) {
            (PingField::Id, Scalar::Text(text)) => self.id = Identifier::from_bytes(text).ok(),
            (PingField::Id, Scalar::Bytes(canonical)) => self.id = Identifier::from_canonical(canonical).ok(),
            (PingField::Rssi, Scalar::Integer(rssi)) => self.rssi = dbm(*rssi),
            (PingField::At, Scalar::Integer(at)) => self.at = Some(Timestamp(*at)),
            (PingField::Tx, Scalar::Integer(tx)) => {
                self.tx = dbm(*tx);
                self.flawed |= self.tx.is_none();
            }
            (PingField::Max, Scalar::Integer(max)) => {
                self.max = dbm(*max);
                self.flawed |= self.max.is_none();
            }
            (PingField::N, Scalar::Integer(n)) => {
                self.n = u16::try_from(*n).ok().filter(|&n| n > 0);
                self.flawed |= self.n.is_none();
            }
            // What `id`, `rssi` and `at` lack is seen at the end, where each has its own reason.
            (PingField::Id | PingField::Rssi | PingField::At, _) | (_, Scalar::Null) => {}
            _ => self.flawed = true,
        }
    }

    /// The ping, or the reason against it; `Unreadable` if a field came twice.
    pub(super) fn finish(self) -> Result<Ping, Reason> {
        if self.seen.twice != 0 {
            return Err(Reason::Unreadable);
        }
        let id = self.id.ok_or(Reason::BadIdentifier)?;
        let rssi = self.rssi.ok_or(Reason::BadRssi)?;
        let at = self.at.filter(|_| !self.flawed).ok_or(Reason::BadField)?;
        Ok(Ping { id, rssi, at, tx: self.tx, max: self.max, n: self.n })
    }
}

/// Which keys of a map came, and which came twice; one bit a key.
#[derive(Default)]
struct Seen {
    once: u8,
    twice: u8,
}

impl Seen {
    fn repeats(&mut self, key: u8) -> bool {
        let bit = 1 << key;
        self.twice |= self.once & bit;
        self.once |= bit;
        self.came_twice(key)
    }

    fn came(&self, key: u8) -> bool {
        self.once & (1 << key) != 0
    }

    fn came_twice(&self, key: u8) -> bool {
        self.twice & (1 << key) != 0
    }
}

fn number(value: i64) -> Option<u64> {
    u64::try_from(value).ok().filter(|&number| number <= MAX_SEQ)
}

fn dbm(value: i64) -> Option<i8> {
    i8::try_from(value).ok().filter(|&dbm| is_dbm(dbm))
}
