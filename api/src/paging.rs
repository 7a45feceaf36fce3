//! Lists, a page at a time: `limit`, an opaque `cursor`, and what a page looks like.

use std::fmt::Write;

use protocol::{StayId, Timestamp, VisitId};
use serde::Serialize;
use store::{Listed, Page};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::fingerprint::Fingerprint;
use crate::problem::Problem;
use crate::query::Query;

/// Items of a page when nobody asks for a number.
pub const DEFAULT_LIMIT: u32 = 50;
/// Items of a page at most.
pub const MAX_LIMIT: u32 = 500;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Items<T: ToSchema> {
    /// The items of this page.
    items: Vec<T>,
    /// Pass it as `cursor` for the next page; null on the last one.
    next_cursor: Option<String>,
}

/// Which list a cursor is good for: a cursor of one list says nothing in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum List {
    Venues = 1,
    Zones,
    Devices,
    Keys,
    Stays,
    Certificates,
    Losses,
    Members,
    Roles,
    Invitations,
    Clients,
    Grants,
    Audit,
    Commands,
    BulkCommands,
    Enrolments,
    ClaimKeys,
    OwnVisits,
}

impl<T: ToSchema> Items<T> {
    /// A page of a list that is ordered by id.
    pub(crate) fn of<S>(list: List, listed: Listed<S>, item: impl FnMut(S) -> T) -> Items<T> {
        let next_cursor = listed.next.map(|id| text(list, id.as_bytes()));
        Items { items: listed.items.into_iter().map(item).collect(), next_cursor }
    }

    /// The whole of a list that is never long.
    pub(crate) fn all<S>(items: Vec<S>, item: impl FnMut(S) -> T) -> Items<T> {
        Items { items: items.into_iter().map(item).collect(), next_cursor: None }
    }

    /// A page of certificates, which are told by their fingerprint.
    pub(crate) fn of_certificates(items: Vec<T>, next: Option<Fingerprint>) -> Items<T> {
        Items { items, next_cursor: next.map(|fingerprint| text(List::Certificates, &fingerprint.0)) }
    }

    /// A page of stays, which are ordered by start and id.
    pub(crate) fn of_stays(items: Vec<T>, next: Option<(Timestamp, StayId)>) -> Items<T> {
        Items { items, next_cursor: next.map(|(at, id)| timed_text(List::Stays, at, id.as_uuid())) }
    }

    /// A page of one's own visits, which are ordered the same way.
    pub(crate) fn of_own_visits(items: Vec<T>, next: Option<(Timestamp, VisitId)>) -> Items<T> {
        Items { items, next_cursor: next.map(|(at, id)| timed_text(List::OwnVisits, at, id.as_uuid())) }
    }
}

/// The page of an id-ordered list that the query asks for.
pub(crate) fn page(query: &mut Query, list: List) -> Page {
    let cursor = query.optional("cursor", |text| {
        let mark: [u8; 16] = mark(list, text)?;
        Ok(Uuid::from_bytes(mark))
    });
    Page { cursor, limit: limit(query) }
}

/// The mark after which the query asks for stays.
pub(crate) fn stays_cursor(query: &mut Query) -> Option<(Timestamp, StayId)> {
    query.optional("cursor", |text| timed_mark(List::Stays, text).map(|(at, id)| (at, StayId::from_uuid(id))))
}

/// The mark after which the query asks for one's own visits.
pub(crate) fn own_visits_cursor(query: &mut Query) -> Option<(Timestamp, VisitId)> {
    let read = |text: &str| timed_mark(List::OwnVisits, text).map(|(at, id)| (at, VisitId::from_uuid(id)));
    query.optional("cursor", read)
}

/// The certificate after which the query asks for more.
pub(crate) fn certificates_cursor(query: &mut Query) -> Option<Fingerprint> {
    query.optional("cursor", |text| mark(List::Certificates, text).map(Fingerprint))
}

/// How many items the query asks for.
pub(crate) fn limit(query: &mut Query) -> u32 {
    let parse = |text: &str| {
        let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.ok_or_else(|| format!("must be a number from 1 to {MAX_LIMIT}"))
    };
    query.optional("limit", parse).unwrap_or(DEFAULT_LIMIT)
}

/// The page and nothing else from the query.
pub(crate) fn only_page(mut query: Query, list: List) -> Result<Page, Problem> {
    let page = page(&mut query, list);
    query.finish().map(|()| page)
}

/// A cursor: the list, the mark and a check byte, in hexadecimal. The check is against accidents, not against forgery:
/// a forged mark shows nothing that the list itself would not.
fn text(list: List, mark: &[u8]) -> String {
    let mut bytes = vec![list as u8];
    bytes.extend_from_slice(mark);
    bytes.push(check(&bytes));
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A cursor of a list that is ordered by time and id.
fn timed_text(list: List, at: Timestamp, id: Uuid) -> String {
    let mut mark = at.0.to_be_bytes().to_vec();
    mark.extend_from_slice(id.as_bytes());
    text(list, &mark)
}

fn timed_mark(list: List, text: &str) -> Result<(Timestamp, Uuid), String> {
    let mark: [u8; 24] = mark(list, text)?;
    let (mut at, mut id) = ([0; 8], [0; 16]);
    at.copy_from_slice(&mark[..8]);
    id.copy_from_slice(&mark[8..]);
    Ok((Timestamp(i64::from_be_bytes(at)), Uuid::from_bytes(id)))
}

fn mark<const N: usize>(list: List, text: &str) -> Result<[u8; N], String> {
    let wrong = || "is not a cursor of this list; pass `next_cursor` as it came".to_owned();
    if text.len() != 2 * (N + 2) || !text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(wrong());
    }
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong());
    let bytes = (0..text.len()).step_by(2).map(byte).collect::<Result<Vec<u8>, String>>()?;
    let (body, sum) = bytes.split_at(N + 1);
    if body[0] != list as u8 || sum[0] != check(body) {
        return Err(wrong());
    }
    body[1..].try_into().map_err(|_| wrong())
}

fn check(bytes: &[u8]) -> u8 {
    blake3::hash(bytes).as_bytes()[0]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_comes_back_to_its_own_list(bytes: [u8; 16]) {
            let cursor = text(List::Devices, &bytes);
            prop_assert_eq!(mark::<16>(List::Devices, &cursor), Ok(bytes));
            prop_assert!(mark::<16>(List::Venues, &cursor).is_err());
            prop_assert!(mark::<24>(List::Devices, &cursor).is_err());
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}") {
            let _: Result<[u8; 16], String> = mark(List::Venues, &text);
        }

        #[test]
        fn a_changed_digit_is_noticed(bytes: [u8; 16], at in 0usize..34) {
            let cursor = text(List::Zones, &bytes);
            let mut changed = cursor.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).unwrap();
            // One in 256 changes meets the same check byte; a whole cursor still never reads as the same mark.
            prop_assert_ne!(mark::<16>(List::Zones, &changed), Ok(bytes));
        }
    }
}
