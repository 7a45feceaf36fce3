//! Numbers of hours, days and weeks, made from the rows of visits and stays once these are quiet.
//!
//! A rollup says what the rows say or it is not read: whoever writes rows marks the quarters of an hour that they touch, in
//! the same transaction, and what is marked is worked out from the rows. So answers do not depend on when, or whether,
//! rollups are made. Stored hours are cut off where a day begins, so that days consist of hours and weeks of days.

mod making;
mod marks;
mod reading;
mod rows;
mod standing;

use presence::{Bucket, Calendar, Timeline};
use protocol::{OrganizationId, Timestamp, VenueId, ZoneId};

use crate::analytics::Seen;

pub(crate) use marks::Touched;

/// Which numbers are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Whose venue it is.
    pub organization: OrganizationId,
    /// The venue.
    pub venue: VenueId,
    /// The calendar that the venue follows now, which all its buckets do, those of the past too.
    pub calendar: &'a Calendar,
    /// The size of the buckets.
    pub size: Bucket,
    /// Where consecutive buckets begin.
    pub starts: &'a [Timestamp],
    /// Where the last of them ends.
    pub end: Timestamp,
    /// Until when everything is counted, read before anything else.
    pub known: Timestamp,
}

words! {
    /// The size of a rollup.
    pub(crate) enum Size {
        /// An hour of the wall clock, or the part of it that belongs to one day.
        Hour = "hour",
        /// A day of the venue.
        Day = "day",
        /// Seven days, from Monday.
        Week = "week",
    }
}

/// A span of time, and the bucket that its numbers go into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    from: Timestamp,
    to: Timestamp,
    bucket: usize,
}

impl Size {
    /// The spans of this size that a longer one consists of.
    fn cut(self, calendar: &Calendar, whole: Span) -> Vec<Span> {
        let starts = match self {
            Self::Week => vec![whole.from],
            Self::Day => {
                let mut starts = Vec::new();
                let mut at = whole.from;
                while at < whole.to {
                    starts.push(at);
                    at = calendar.day(at).to;
                }
                starts
            }
            Self::Hour => calendar.hours(whole.from, whole.to),
        };
        let ends = starts.iter().skip(1).copied().chain([whole.to]);
        starts.iter().zip(ends).map(|(from, to)| Span { from: *from, to, bucket: whole.bucket }).collect()
    }
}

/// What was seen, as it counts: a stay is inside if its zone was at its time, whatever it became since.
fn observed(seen: &Seen, timeline: &Timeline) -> presence::Observed {
    let run = |visit: &crate::VisitRow| presence::ObservedRun {
        id: visit.id,
        subject: visit.subject,
        from: visit.from,
        to: visit.to,
        class: visit.class,
        returning: visit.returning,
    };
    let stay = |stay: &crate::StayRow| {
        let kind = timeline.at(stay.from).zones.get(&stay.zone);
        presence::ObservedStay {
            run: stay.visit,
            class: stay.class,
            zone: stay.zone,
            inside: kind.is_some_and(|kind| kind.is_inside()),
            staff: kind.is_some_and(|kind| *kind == protocol::ZoneKind::Staff),
            from: stay.from,
            to: stay.to,
        }
    };
    presence::Observed {
        runs: seen.visits.iter().map(run).collect(),
        stays: seen.stays.iter().map(stay).collect(),
    }
}

/// The zone of a row; nil stands for the whole venue.
fn place(zone: Option<ZoneId>) -> uuid::Uuid {
    zone.as_ref().map_or(uuid::Uuid::nil(), ZoneId::as_uuid)
}
