//! A batch that is rendered once and sent many times with another number and other times.

use super::{Encoding, LoadError};
use protocol::{Batch, Identifier, Ping, Timestamp};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Numbers start here: from here on they have ten digits in JSON and nine bytes in CBOR for longer than any load lasts.
pub(super) const FIRST_SEQ: u64 = 1 << 32;

/// Stands for the times while rendering; thirteen digits or nine bytes, as every time of these decades.
const PLACEHOLDER: i64 = 1_789_123_456_789;

/// The rendered batch and where its number and times stand.
#[derive(Clone, Debug)]
pub(super) struct Template {
    body: Vec<u8>,
    encoding: Encoding,
    seq: usize,
    times: Vec<usize>,
}

impl Template {
    /// One ping for each subject.
    pub(super) fn new(
        boot: &str,
        subjects: impl Iterator<Item = u32>,
        encoding: Encoding,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, LoadError> {
        let wrong = |what: &str| LoadError::Plan(format!("a batch cannot be prepared: {what}"));
        let pings = subjects.map(|subject| {
            let [_, a, b, c] = subject.to_be_bytes();
            let id = Identifier::Ble { address: [0xd0, 0x10, 0xad, a, b, c], random: false };
            let rssi = rng.random_range(-90..=-50);
            Ping { id, rssi, at: Timestamp(PLACEHOLDER), tx: None, max: None, n: None }
        });
        let pings: Vec<Ping> = pings.collect();
        let count = pings.len();
        let boot = boot.parse().map_err(|_| wrong("its boot name"))?;
        let batch = Batch { boot, seq: FIRST_SEQ, first: None, sent: None, pings };
        let body = match encoding {
            Encoding::Json => batch.to_json(),
            Encoding::Cbor => batch.to_cbor(),
        };
        let (seqs, times) = (find(&body, &number(FIRST_SEQ, encoding)), PLACEHOLDER.cast_unsigned());
        let times = find(&body, &number(times, encoding));
        match seqs.as_slice() {
            [seq] if times.len() == count => Ok(Self { seq: *seq, times, body, encoding }),
            _ => Err(wrong("its numbers are not where they should be")),
        }
    }

    /// Bytes of the batch.
    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    /// Writes the batch with this number and this time of all its pings.
    pub(super) fn write(&self, seq: u64, at: Timestamp, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.body);
        let body = &mut out[start..];
        let at = at.0.cast_unsigned();
        match self.encoding {
            Encoding::Json => {
                decimal(&mut body[self.seq..self.seq + 10], seq);
                let mut digits = [0; 13];
                decimal(&mut digits, at);
                for place in &self.times {
                    body[*place..place + 13].copy_from_slice(&digits);
                }
            }
            Encoding::Cbor => {
                body[self.seq + 1..self.seq + 9].copy_from_slice(&seq.to_be_bytes());
                for place in &self.times {
                    body[place + 1..place + 9].copy_from_slice(&at.to_be_bytes());
                }
            }
        }
    }
}

/// A number as it stands in the body; in CBOR with its head, major type 0 with eight bytes.
fn number(value: u64, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Json => value.to_string().into_bytes(),
        Encoding::Cbor => [&[0x1b], value.to_be_bytes().as_slice()].concat(),
    }
}

fn find(body: &[u8], part: &[u8]) -> Vec<usize> {
    body.windows(part.len()).enumerate().filter(|(_, window)| *window == part).map(|(at, _)| at).collect()
}

fn decimal(digits: &mut [u8], mut value: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::{Purpose, stream};

    #[test]
    fn what_is_written_over_is_read_back() {
        for encoding in [Encoding::Json, Encoding::Cbor] {
            for count in [1, 10, 50] {
                let mut rng = stream(1, Purpose::Load, 0);
                let template = Template::new("b00t", 0..count, encoding, &mut rng).unwrap();
                let mut out = vec![7; 3];
                template.write(FIRST_SEQ + 12_345, Timestamp(1_790_000_000_123), &mut out);
                assert_eq!(out.len(), 3 + template.len());
                let decoded = Batch::decode(&out[3..], None).unwrap();
                assert!(decoded.refused.is_empty());
                assert_eq!(decoded.batch.seq, FIRST_SEQ + 12_345);
                assert_eq!(decoded.batch.pings.len(), count as usize);
                assert!(decoded.batch.pings.iter().all(|ping| ping.at == Timestamp(1_790_000_000_123)));
            }
        }
    }
}
