//! Which numbers of a series are shown: decided from whole weeks, whatever part of them was asked for.

use presence::{Bucket, Calendar, Tally};
use protocol::{Timestamp, ZoneId};
use store::{Question, Store};

use super::period::{Size, begin, end};
use super::suppression::{People, SmallestGroup};
use crate::problem::{Mistake, Problem};

/// From the largest cells to the smallest; each lies in one of those before it.
const SIZES: [Bucket; 4] = [Bucket::Week, Bucket::Day, Bucket::Hour, Bucket::Quarter];

/// How many numbers of a bucket are decided about apart.
const NUMBERS: usize = 8;

/// Numbers that are shown or not, each by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    /// Visits, and what is told of all of them. If these are not shown, nothing of the bucket is.
    Visits,
    Bounces,
    PassersBy,
    /// The most at one moment, and the mean.
    Occupancy,
    Engaged,
    Returning,
    /// Visits by length.
    Lengths,
    ZoneStays,
}

/// Which numbers of a bucket are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown([bool; NUMBERS]);

/// All cells of one size that have a part in the decision.
struct Level {
    size: Bucket,
    starts: Vec<Timestamp>,
    end: Timestamp,
}

/// Who decides.
pub(super) struct Decision<'a> {
    pub(super) store: &'a Store,
    pub(super) group: SmallestGroup,
}

impl Decision<'_> {
    /// What is shown of the buckets of a question, of the venue or of one of its zones.
    pub(super) async fn shown(
        &self,
        question: &Question<'_>,
        zone: Option<ZoneId>,
    ) -> Result<Vec<Shown>, Problem> {
        let (Some(&from), false) = (question.starts.first(), self.group.allows(1)) else {
            return Ok(vec![Shown::from([true; NUMBERS]); question.starts.len()]);
        };
        let levels = levels(question.calendar, question.size, from, question.end)?;
        let places = if zone.is_some() { vec![None, zone] } else { vec![None] };
        let mut tallies = Vec::with_capacity(levels.len());
        for level in &levels {
            let question = Question { size: level.size, starts: &level.starts, end: level.end, ..*question };
            tallies.push(self.store.tallies(&question, &places).await?);
        }
        let mut shown = self.decide(&levels, |level, cell| people(&tallies[level][0][cell]));
        if zone.is_some() {
            shown = self.decide(&levels, |level, cell| {
                people_of_zone(&tallies[level][1][cell], &tallies[level][0][cell], shown[level][cell])
            });
        }
        let (Some(level), Some(shown)) = (levels.last(), shown.pop()) else { return Ok(Vec::new()) };
        let asked = level.starts.iter().zip(shown).filter(|(start, _)| (from..question.end).contains(start));
        Ok(asked.map(|(_, shown)| Shown::from(shown)).collect())
    }

    /// Which numbers of each cell of each level are shown, from the top down.
    fn decide(
        &self,
        levels: &[Level],
        people: impl Fn(usize, usize) -> [People; NUMBERS],
    ) -> Vec<Vec<[bool; NUMBERS]>> {
        let mut decided: Vec<Vec<[bool; NUMBERS]>> = Vec::with_capacity(levels.len());
        for (index, level) in levels.iter().enumerate() {
            let mut shown = vec![[false; NUMBERS]; level.starts.len()];
            let Some(above) = index.checked_sub(1) else {
                for (cell, shown) in shown.iter_mut().enumerate() {
                    *shown = people(index, cell).map(|people| self.group.shows(people));
                }
                decided.push(shown);
                continue;
            };
            for (whole, whole_is_shown) in decided[above].iter().enumerate() {
                let (from, to) = levels[above].span(whole);
                let first = level.starts.partition_point(|start| *start < from);
                let last = level.starts.partition_point(|start| *start < to);
                let parts: Vec<_> = (first..last)
                    .map(|cell| {
                        // Where a day begins within an hour, that hour is a part of two days.
                        let cut = level.span(cell).1 > to;
                        people(index, cell).map(|people| People { hidden: people.hidden || cut, ..people })
                    })
                    .collect();
                for number in 0..NUMBERS {
                    let of_number: Vec<People> = parts.iter().map(|part| part[number]).collect();
                    let of_number = self.group.shows_parts(whole_is_shown[number], &of_number);
                    for (cell, is_shown) in shown[first..].iter_mut().zip(of_number) {
                        cell[number] = is_shown;
                    }
                }
            }
            decided.push(shown);
        }
        decided
    }
}

impl Level {
    fn span(&self, cell: usize) -> (Timestamp, Timestamp) {
        (self.starts[cell], self.starts.get(cell + 1).copied().unwrap_or(self.end))
    }
}

impl Shown {
    /// What of a whole is shown that consists of these buckets: what is shown of each.
    pub(super) fn of_all(buckets: &[Shown]) -> Shown {
        Shown(std::array::from_fn(|number| buckets.iter().all(|bucket| bucket.0[number])))
    }

    pub(super) fn has(self, number: Number) -> bool {
        self.0[number as usize]
    }
}

impl From<[bool; NUMBERS]> for Shown {
    fn from(shown: [bool; NUMBERS]) -> Shown {
        let visits = shown[Number::Visits as usize];
        Shown(shown.map(|is_shown| visits && is_shown))
    }
}

/// The cells around those of `[from, to)`, down to their size: the weeks, all days of these, all hours of the days and all quarters
/// of the hours that have a part in it.
fn levels(calendar: &Calendar, size: Bucket, from: Timestamp, to: Timestamp) -> Result<Vec<Level>, Problem> {
    let mut levels = Vec::new();
    let mut whole = Bucket::Week;
    for bucket in SIZES {
        let around = begin(calendar, Size(whole), from).zip(end(calendar, Size(whole), to));
        // Where days begin within an hour, the hours around them are whole ones.
        let cells = around
            .and_then(|(from, to)| begin(calendar, Size(bucket), from).zip(end(calendar, Size(bucket), to)));
        let Some((start, end)) = cells else {
            return Err(Problem::invalid_query(vec![Mistake::parameter("from", "is beyond the calendar")]));
        };
        let starts = calendar.buckets(bucket, start, end).map_err(|error| Problem::internal(&error))?;
        levels.push(Level { size: bucket, starts, end });
        if bucket == size {
            break;
        }
        whole = bucket;
    }
    Ok(levels)
}

/// Who is behind the numbers of a venue's cell, in the order of [`Number`]. Of all but visits only runs, stays or subjects at one moment are known.
fn people(tally: &Tally) -> [People; NUMBERS] {
    let visits = tally.visits();
    let one = |number| [number, 0, 0, 0, 0, 0];
    // Who is not in one part of the visits is in the other.
    let parted = |part: u64| [part, visits - part.min(visits), 0, 0, 0, 0];
    [
        one(tally.uniques.count()),
        one(tally.bounces),
        one(tally.passers_by),
        one(tally.peak),
        parted(tally.engaged),
        parted(tally.returning),
        tally.dwell.buckets(),
        one(tally.zone_stays),
    ]
    .map(|inside| People { inside, ..People::default() })
}

/// The same of a zone's cell, whose venue's numbers are shown or not.
fn people_of_zone(zone: &Tally, venue: &Tally, shown: [bool; NUMBERS]) -> [People; NUMBERS] {
    let (mut people, around) = (people(zone), people(venue));
    for number in 0..NUMBERS {
        let (inside, all) = (people[number].inside, around[number].inside);
        people[number].outside = std::array::from_fn(|at| all[at].saturating_sub(inside[at]));
        people[number].hidden = !shown[number];
    }
    // Somebody who came twice can have been in the zone once.
    if venue.visits() > zone.visits() {
        let outside = &mut people[Number::Visits as usize].outside[0];
        *outside = (*outside).max(1);
    }
    people
}
