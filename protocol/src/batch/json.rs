//! The JSON form of a batch (RFC 8259).

mod reader;

use reader::Reader;

use super::draft::{Draft, Field, PingDraft, PingField};
use super::{Batch, BatchError, Decoded, Malformed, Ping};
use crate::{Identifier, Reason};

/// Bytes of a ping that has nothing but what it needs and a MAC address.
const LEAST_PING: usize = 64;

pub(super) fn decode(body: &[u8]) -> Result<Decoded, BatchError> {
    let mut draft = Draft::new(body.len(), LEAST_PING);
    let valid = match str::from_utf8(body) {
        Ok(_) => body,
        // What stands before the first invalid byte may still tell the number.
        Err(error) => &body[..error.valid_up_to()],
    };
    let read = message(&mut Reader::new(valid), &mut draft);
    draft.finish(if valid.len() == body.len() { read } else { Err(Malformed) })
}

fn message(reader: &mut Reader<'_>, draft: &mut Draft) -> Result<(), Malformed> {
    reader.open(b'{')?;
    let mut more = reader.first_key()?;
    while more {
        let field = match reader.key()? {
            b"boot" => Some(Field::Boot),
            b"seq" => Some(Field::Seq),
            b"first" => Some(Field::First),
            b"sent" => Some(Field::Sent),
            b"pings" => Some(Field::Pings),
            _ => None,
        };
        match field {
            Some(Field::Pings) => {
                draft.begin(Field::Pings);
                pings(reader, draft)?;
            }
            Some(field) => {
                draft.begin(field);
                draft.set(field, &reader.scalar()?);
            }
            None => reader.skip()?,
        }
        more = reader.next_key()?;
    }
    reader.end()
}

fn pings(reader: &mut Reader<'_>, draft: &mut Draft) -> Result<(), Malformed> {
    if reader.peek()? != b'[' {
        draft.no_pings();
        return reader.skip();
    }
    reader.open(b'[')?;
    let mut more = reader.first_item()?;
    while more {
        if draft.is_full() {
            reader.skip()?;
        } else if reader.peek()? == b'{' {
            draft.push(ping(reader)?);
        } else {
            reader.skip()?;
            draft.push(Err(Reason::BadField));
        }
        more = reader.next_item()?;
    }
    Ok(())
}

fn ping(reader: &mut Reader<'_>) -> Result<Result<Ping, Reason>, Malformed> {
    let mut draft = PingDraft::default();
    reader.open(b'{')?;
    let mut more = reader.first_key()?;
    while more {
        let field = match reader.key()? {
            b"id" => Some(PingField::Id),
            b"rssi" => Some(PingField::Rssi),
            b"at" => Some(PingField::At),
            b"tx" => Some(PingField::Tx),
            b"max" => Some(PingField::Max),
            b"n" => Some(PingField::N),
            _ => None,
        };
        match field {
            Some(field) => draft.set(field, &reader.scalar()?),
            None => reader.skip()?,
        }
        more = reader.next_key()?;
    }
    Ok(draft.finish())
}

pub(super) fn encode(batch: &Batch) -> Vec<u8> {
    let mut out = Vec::with_capacity(96 + 128 * batch.pings.len());
    text(&mut out, b"{\"boot\":", batch.boot.as_str());
    number(&mut out, b",\"seq\":", i128::from(batch.seq));
    if let Some(first) = batch.first {
        number(&mut out, b",\"first\":", i128::from(first));
    }
    if let Some(sent) = batch.sent {
        number(&mut out, b",\"sent\":", i128::from(sent.0));
    }
    out.extend_from_slice(b",\"pings\":[");
    for (index, ping) in batch.pings.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        text(&mut out, b"{\"id\":", ping.id.text(&mut [0; Identifier::MAX_LEN]));
        number(&mut out, b",\"rssi\":", i128::from(ping.rssi));
        number(&mut out, b",\"at\":", i128::from(ping.at.0));
        if let Some(tx) = ping.tx {
            number(&mut out, b",\"tx\":", i128::from(tx));
        }
        if let Some(max) = ping.max {
            number(&mut out, b",\"max\":", i128::from(max));
        }
        if let Some(n) = ping.n {
            number(&mut out, b",\"n\":", i128::from(n));
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}

/// A quoted text of visible ASCII, in which only two characters need a backslash (RFC 8259 section 7).
fn text(out: &mut Vec<u8>, before: &[u8], text: &str) {
    out.extend_from_slice(before);
    out.push(b'"');
    for &byte in text.as_bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn number(out: &mut Vec<u8>, before: &[u8], number: i128) {
    out.extend_from_slice(before);
    let mut digits = [0; 39];
    let mut start = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}
