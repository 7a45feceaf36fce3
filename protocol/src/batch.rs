//! Batches of pings in JSON and CBOR; `batch.cddl` in this crate describes both.
//!
//! Decoding is one pass without a tree: each value is read as a scalar or skipped, so a bad ping costs no second look,
//! depth of nesting costs no stack, and numbers of any size are just numbers out of range.

mod cbor;
mod draft;
mod json;

use crate::{Boot, Identifier, Reason, Timestamp};

/// Most pings in a batch.
pub const MAX_PINGS: usize = 1000;

/// Most bytes of a batch in either encoding.
pub const MAX_BATCH_BYTES: usize = 256 * 1024;

/// The highest number of a batch: 2^53 - 1, the last integer every JSON implementation keeps exact (RFC 8259 section 6).
pub const MAX_SEQ: u64 = (1 << 53) - 1;

/// One observation: the reporter heard `id` at `rssi` at `at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    /// What was heard.
    pub id: Identifier,
    /// Received signal strength in dBm, -127 to 20 (Bluetooth Core Specification 5.4, volume 4 part E section 7.7.65.2).
    pub rssi: i8,
    /// When, on the reporter's clock.
    pub at: Timestamp,
    /// Power in dBm that the beacon says it is heard at from one metre, -127 to 20.
    pub tx: Option<i8>,
    /// Strongest signal in dBm if several observations were put together, -127 to 20.
    pub max: Option<i8>,
    /// How many observations were put together, at least 1.
    pub n: Option<u16>,
}

/// One message of pings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The run of the reporter that numbered it.
    pub boot: Boot,
    /// Its number in that run, from 0 to [`MAX_SEQ`].
    pub seq: u64,
    /// The lowest number the reporter still holds, at most `seq`.
    pub first: Option<u64>,
    /// The reporter's clock at sending, stamped anew on a resend.
    pub sent: Option<Timestamp>,
    /// At most [`MAX_PINGS`].
    pub pings: Vec<Ping>,
}

/// A batch as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The batch with its good pings, in order.
    pub batch: Batch,
    /// Position in the message and cause of every bad ping, ascending.
    pub refused: Vec<(u32, Reason)>,
}

/// Why a message is no batch, with its `(boot, seq)` where that could still be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Neither JSON nor CBOR, or not the shape of a batch.
    #[error("the message is not a readable batch")]
    Unreadable(Option<(Boot, u64)>),
    /// Longer than [`MAX_BATCH_BYTES`].
    #[error("the batch is longer than {MAX_BATCH_BYTES} bytes")]
    TooLarge(Option<(Boot, u64)>),
    /// More than [`MAX_PINGS`] pings.
    #[error("the batch has more than {MAX_PINGS} pings")]
    TooManyPings(Option<(Boot, u64)>),
}

impl BatchError {
    /// The word for it in the receipt.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Unreadable(_) => Reason::Unreadable,
            Self::TooLarge(_) => Reason::TooLarge,
            Self::TooManyPings(_) => Reason::TooManyPings,
        }
    }

    /// The number of the batch, if it could be read.
    pub const fn number(&self) -> Option<(Boot, u64)> {
        match *self {
            Self::Unreadable(number) | Self::TooLarge(number) | Self::TooManyPings(number) => number,
        }
    }
}

impl Batch {
    /// The JSON form, without spaces, absent fields left out.
    pub fn to_json(&self) -> Vec<u8> {
        json::encode(self)
    }

    /// The CBOR form with integer keys and compact identifiers, in deterministic encoding (RFC 8949 section 4.2.1).
    pub fn to_cbor(&self) -> Vec<u8> {
        cbor::encode(self)
    }

    /// Reads a message.
    ///
    /// `content_type` is `application/json` or `application/cbor`, parameters ignored; without one the first byte tells:
    /// what cannot start a JSON text is CBOR. Pings that are bad by themselves are listed in [`Decoded::refused`];
    /// anything else wrong is an error. Fields that are not known are skipped, wherever they stand.
    pub fn decode(body: &[u8], content_type: Option<&str>) -> Result<Decoded, BatchError> {
        let encoding = match content_type {
            Some(name) => Encoding::named(name).ok_or(BatchError::Unreadable(None))?,
            None => Encoding::sniffed(body),
        };
        // The head of a message that is too large mostly holds its number, and the reporter needs to know which it was.
        let head = &body[..body.len().min(MAX_BATCH_BYTES)];
        let decoded = match encoding {
            Encoding::Json => json::decode(head),
            Encoding::Cbor => cbor::decode(head),
        };
        if body.len() > MAX_BATCH_BYTES {
            return Err(BatchError::TooLarge(match decoded {
                Ok(decoded) => Some((decoded.batch.boot, decoded.batch.seq)),
                Err(error) => error.number(),
            }));
        }
        decoded
    }
}

/// Whether a power can stand in a ping.
pub(crate) const fn is_dbm(power: i8) -> bool {
    -127 <= power && power <= 20
}

#[derive(Clone, Copy)]
enum Encoding {
    Json,
    Cbor,
}

impl Encoding {
    fn named(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else if essence.eq_ignore_ascii_case("application/cbor") {
            Some(Self::Cbor)
        } else {
            None
        }
    }

    fn sniffed(body: &[u8]) -> Self {
        match body.first() {
            // RFC 8259 section 2: white space, a structure, a string, a number or a literal.
            Some(
                b' ' | b'\t' | b'\n' | b'\r' | b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n',
            ) => Self::Json,
            _ => Self::Cbor,
        }
    }
}

/// The encoding itself is broken: nothing after this point can be understood.
#[derive(Clone, Copy, Debug)]
struct Malformed;

/// Deepest nesting that is skipped in a field that is not known; deeper is taken for an attack.
const MAX_DEPTH: u32 = 128;

/// A value as both encodings know it; what holds other values has been skipped and is `Other`.
enum Scalar<'a> {
    Null,
    Integer(i64),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    /// A float, a boolean, a list, an integer beyond 64 bits: right nowhere in a batch.
    Other,
}
