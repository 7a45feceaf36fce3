//! The CBOR form of a batch (RFC 8949), keys and shapes as in `batch.cddl`.

mod reader;

use reader::{Head, Reader};

use super::draft::{Draft, Field, PingDraft, PingField};
use super::{Batch, BatchError, Decoded, Malformed, Ping};
use crate::{Identifier, Reason};

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;

/// Bytes of a ping that has nothing but what it needs and a MAC address in compact form.
const LEAST_PING: usize = 23;

pub(super) fn decode(body: &[u8]) -> Result<Decoded, BatchError> {
    let mut draft = Draft::new(body.len(), LEAST_PING);
    let read = message(&mut Reader::new(body), &mut draft);
    draft.finish(read)
}

fn message(reader: &mut Reader<'_>, draft: &mut Draft) -> Result<(), Malformed> {
    let Head { major: MAP, value, indefinite } = reader.head()? else { return Err(Malformed) };
    let mut left = if indefinite { None } else { Some(value) };
    while reader.more(&mut left)? {
        let field = match reader.key()? {
            Some(0) => Some(Field::Boot),
            Some(1) => Some(Field::Seq),
            Some(2) => Some(Field::First),
            Some(3) => Some(Field::Sent),
            Some(4) => Some(Field::Pings),
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
    }
    reader.end()
}

fn pings(reader: &mut Reader<'_>, draft: &mut Draft) -> Result<(), Malformed> {
    if reader.peek_major()? != ARRAY {
        draft.no_pings();
        return reader.skip();
    }
    let head = reader.head()?;
    let mut left = if head.indefinite { None } else { Some(head.value) };
    while reader.more(&mut left)? {
        if draft.is_full() {
            reader.skip()?;
        } else if reader.peek_major()? == MAP {
            draft.push(ping(reader)?);
        } else {
            reader.skip()?;
            draft.push(Err(Reason::BadField));
        }
    }
    Ok(())
}

fn ping(reader: &mut Reader<'_>) -> Result<Result<Ping, Reason>, Malformed> {
    let mut draft = PingDraft::default();
    let head = reader.head()?;
    let mut left = if head.indefinite { None } else { Some(head.value) };
    while reader.more(&mut left)? {
        let field = match reader.key()? {
            Some(0) => Some(PingField::Id),
            Some(1) => Some(PingField::Rssi),
            Some(2) => Some(PingField::At),
            Some(3) => Some(PingField::Tx),
            Some(4) => Some(PingField::Max),
            Some(5) => Some(PingField::N),
            _ => None,
        };
        match field {
            Some(field) => draft.set(field, &reader.scalar()?),
            None => reader.skip()?,
        }
    }
    Ok(draft.finish())
}

pub(super) fn encode(batch: &Batch) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + 48 * batch.pings.len());
    let fields = 3 + usize::from(batch.first.is_some()) + usize::from(batch.sent.is_some());
    head(&mut out, MAP, fields as u64);
    key(&mut out, Field::Boot as u8);
    head(&mut out, TEXT, batch.boot.as_str().len() as u64);
    out.extend_from_slice(batch.boot.as_str().as_bytes());
    key(&mut out, Field::Seq as u8);
    head(&mut out, UNSIGNED, batch.seq);
    if let Some(first) = batch.first {
        key(&mut out, Field::First as u8);
        head(&mut out, UNSIGNED, first);
    }
    if let Some(sent) = batch.sent {
        key(&mut out, Field::Sent as u8);
        integer(&mut out, sent.0);
    }
    key(&mut out, Field::Pings as u8);
    head(&mut out, ARRAY, batch.pings.len() as u64);
    for ping in &batch.pings {
        encode_ping(&mut out, ping);
    }
    out
}

fn encode_ping(out: &mut Vec<u8>, ping: &Ping) {
    let optional = [
        (PingField::Tx, ping.tx.map(i64::from)),
        (PingField::Max, ping.max.map(i64::from)),
        (PingField::N, ping.n.map(i64::from)),
    ];
    head(out, MAP, 3 + optional.iter().filter(|(_, value)| value.is_some()).count() as u64);
    key(out, PingField::Id as u8);
    let mut buf = [0; Identifier::MAX_LEN];
    let id = ping.id.canonical(&mut buf);
    head(out, BYTES, id.len() as u64);
    out.extend_from_slice(id);
    key(out, PingField::Rssi as u8);
    integer(out, i64::from(ping.rssi));
    key(out, PingField::At as u8);
    integer(out, ping.at.0);
    for (field, value) in optional {
        if let Some(value) = value {
            key(out, field as u8);
            integer(out, value);
        }
    }
}

fn key(out: &mut Vec<u8>, key: u8) {
    head(out, UNSIGNED, u64::from(key));
}

fn integer(out: &mut Vec<u8>, value: i64) {
    match u64::try_from(value) {
        Ok(value) => head(out, UNSIGNED, value),
        // The argument of a negative integer is -1 - value, which are the inverted bits (RFC 8949 section 3.1).
        Err(_) => head(out, NEGATIVE, !value as u64),
    }
}

/// The shortest head of an item (RFC 8949 section 4.2.1).
fn head(out: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    let bytes = value.to_be_bytes();
    match value {
        0..24 => out.push(major | value as u8),
        24..0x100 => out.extend_from_slice(&[major | 0x18, value as u8]),
        0x100..0x1_0000 => {
            out.push(major | 0x19);
            out.extend_from_slice(&bytes[6..]);
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 0x1a);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | 0x1b);
            out.extend_from_slice(&bytes);
        }
    }
}
