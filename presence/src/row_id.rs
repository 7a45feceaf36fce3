//! Ids of stays and visits, derived from what they are ids of, so that the same row always has the same id.

use protocol::{StayId, Subject, Timestamp, VenueId, VisitId};
use siphasher::sip128::SipHasher24;
use uuid::Builder;

/// The key is fixed: ids have to be the same in every process, and subjects are pseudonyms already.
const KEY: &[u8; 16] = b"promenade row id";

/// The id of the visit of `subject` that begins at `from`.
pub(crate) fn visit(venue: VenueId, subject: Subject, from: Timestamp) -> VisitId {
    VisitId::from_uuid(derive(b'v', venue, subject, from))
}

/// The id of the stay of `subject` that begins at `from`.
pub(crate) fn stay(venue: VenueId, subject: Subject, from: Timestamp) -> StayId {
    StayId::from_uuid(derive(b's', venue, subject, from))
}

/// SipHash-2-4-128 of (kind, venue, subject, start in big-endian milliseconds), marked as a UUID of version 8
/// (RFC 9562, 5.8).
fn derive(kind: u8, venue: VenueId, subject: Subject, from: Timestamp) -> uuid::Uuid {
    let mut bytes = [0; 41];
    bytes[0] = kind;
    bytes[1..17].copy_from_slice(venue.as_uuid().as_bytes());
    bytes[17..33].copy_from_slice(&subject.0.to_be_bytes());
    bytes[33..].copy_from_slice(&from.0.to_be_bytes());
    Builder::from_custom_bytes(SipHasher24::new_with_key(KEY).hash(&bytes).as_bytes()).into_uuid()
}
