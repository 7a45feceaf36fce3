//! The numbers of a bucket, as they are told. `docs/metrics.md` says in words what each is.

use presence::{Bucket, Tally};
use protocol::Timestamp;
use serde::Serialize;
use store::Question;
use utoipa::ToSchema;

use super::shown::{Number, Shown};
use crate::instant::Instant;

/// The numbers of one bucket; all are null when it is suppressed, and single ones where too few people are behind them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FootfallBucket {
    /// The first moment of the bucket.
    #[schema(value_type = String, format = DateTime)]
    start: Instant,
    /// Visits that began in the bucket: the interior was reached and the subject stayed for 120 s or more.
    visits: Option<u64>,
    /// Distinct subjects among the visits; exact up to 256, with a standard error of 1.15 % beyond.
    uniques: Option<u64>,
    /// Visits of subjects that had a visit on an earlier day.
    returning: Option<u64>,
    /// Visits of 10 minutes or more.
    engaged: Option<u64>,
    /// The interior was reached, but only for a shorter time.
    bounces: Option<u64>,
    /// The interior was never reached.
    passers_by: Option<u64>,
    /// Visits as a part of visits and passers-by; null without either.
    capture_rate: Option<f64>,
    /// Visits and bounces as a part of these and passers-by; null without any.
    entry_rate: Option<f64>,
    /// Visits that touch the zone as a part of all of the venue; null unless a zone is asked for, or without a visit.
    draw: Option<f64>,
    /// The mean of the visits' lengths in seconds; null without a visit.
    dwell_mean_s: Option<f64>,
    /// The middle of the visits' lengths in seconds, within 1 % beyond 256 visits; null without a visit.
    dwell_median_s: Option<f64>,
    /// The length in seconds that nine in ten visits do not exceed, within 1 % beyond 256 visits; null without a visit.
    dwell_p90_s: Option<f64>,
    /// Visits by length: below 2, 5, 10, 20 and 40 minutes, and from 40 minutes on.
    dwell_buckets: Option<[u64; 6]>,
    /// Stays of 30 s or more that began in the bucket.
    zone_stays: Option<u64>,
    /// The most subjects at one moment.
    occupancy_peak: Option<u64>,
    /// Subjects on average over the bucket's time.
    occupancy_mean: Option<f64>,
    /// Whether the numbers are withheld because so few people are behind them.
    suppressed: bool,
}

/// A series and what it is about.
pub(super) struct Whole<'a> {
    question: &'a Question<'a>,
    /// Of the venue or of the zone asked for.
    tallies: &'a [Tally],
    /// Of the venue, where a zone was asked for.
    venue: Option<&'a [Tally]>,
    /// What of each bucket is shown.
    shown: &'a [Shown],
}

impl<'a> Whole<'a> {
    /// `tallies` of what was asked for, and then of the venue if that is not the same.
    pub(super) fn new(
        question: &'a Question<'a>,
        tallies: &'a [Vec<Tally>],
        shown: &'a [Shown],
    ) -> Whole<'a> {
        Whole {
            question,
            tallies: tallies.first().map_or(&[], Vec::as_slice),
            venue: tallies.get(1).map(Vec::as_slice),
            shown,
        }
    }

    pub(super) fn series(&self) -> Vec<FootfallBucket> {
        let Question { starts, end, known, .. } = *self.question;
        let ends = starts.iter().skip(1).copied().chain([end]);
        let buckets = starts.iter().zip(ends).zip(self.tallies).zip(self.shown).enumerate();
        buckets
            .map(|(index, (((start, end), tally), shown))| {
                let all = self.venue.map(|venue| venue[index].visits());
                FootfallBucket::of((*start, end.min(known)), tally, all, *shown)
            })
            .collect()
    }

    pub(super) fn total(&self) -> FootfallBucket {
        let Question { starts, end, known, .. } = *self.question;
        let mut total = Tally::default();
        for tally in self.tallies {
            total.merge(tally);
        }
        let all = self.venue.map(|venue| venue.iter().map(Tally::visits).sum());
        let start = starts.first().copied().unwrap_or(end);
        FootfallBucket::of((start, end.min(known)), &total, all, Shown::of_all(self.shown))
    }

    pub(super) fn peak_hour(&self) -> Option<Instant> {
        let hours = self.question.starts.iter().zip(self.tallies).rev();
        let (start, most) = hours.max_by_key(|(_, tally)| tally.visits())?;
        let all_are_shown = Shown::of_all(self.shown).has(Number::Visits);
        (self.question.size == Bucket::Hour && most.visits() > 0 && all_are_shown).then_some(Instant(*start))
    }
}

impl FootfallBucket {
    /// The numbers of the time from the start of a bucket until which everything is known; `all` are the visits of the
    /// venue if the tally is of a zone.
    fn of(
        (start, known): (Timestamp, Timestamp),
        tally: &Tally,
        all: Option<u64>,
        shown: Shown,
    ) -> FootfallBucket {
        let (visits, bounces, passers_by) = (tally.visits(), tally.bounces, tally.passers_by);
        let length = known.since(start);
        FootfallBucket {
            start: start.into(),
            visits: shown.has(Number::Visits).then_some(visits),
            uniques: shown.has(Number::Visits).then_some(tally.uniques.count()),
            returning: shown.has(Number::Returning).then_some(tally.returning),
            engaged: shown.has(Number::Engaged).then_some(tally.engaged),
            bounces: shown.has(Number::Bounces).then_some(bounces),
            passers_by: shown.has(Number::PassersBy).then_some(passers_by),
            capture_rate: part(visits, visits + passers_by).filter(|_| shown.has(Number::PassersBy)),
            entry_rate: part(visits + bounces, visits + bounces + passers_by)
                .filter(|_| shown.has(Number::Bounces) && shown.has(Number::PassersBy)),
            draw: all.and_then(|all| part(visits, all)).filter(|_| shown.has(Number::Visits)),
            dwell_mean_s: tally.dwell.mean_ms().filter(|_| shown.has(Number::Visits)).map(seconds),
            dwell_median_s: tally.dwell.median_ms().filter(|_| shown.has(Number::Visits)).map(seconds),
            dwell_p90_s: tally.dwell.quantile_ms(90).filter(|_| shown.has(Number::Visits)).map(seconds),
            dwell_buckets: shown.has(Number::Lengths).then_some(tally.dwell.buckets()),
            zone_stays: shown.has(Number::ZoneStays).then_some(tally.zone_stays),
            occupancy_peak: shown.has(Number::Occupancy).then_some(tally.peak),
            occupancy_mean: shown.has(Number::Occupancy).then_some(if length > 0 {
                tally.occupied_ms as f64 / length as f64
            } else {
                0.0
            }),
            suppressed: !shown.has(Number::Visits),
        }
    }
}

/// A part of a whole from 0 to 1; none of nothing.
pub(crate) fn part(of: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| of as f64 / whole as f64)
}

/// Milliseconds as seconds.
pub(crate) fn seconds(ms: f64) -> f64 {
    ms / 1_000.0
}
