//! Which numbers of a series are shown: decided from whole weeks, whatever part of them was asked for.

use presence::{Bucket, Calendar};
use protocol::Timestamp;
use store::Store;

use super::figures::Figures;
use super::period::{Size, begin, end};
use super::reading::{self, Question};
use super::suppression::{People, SmallestGroup};
use crate::problem::{Mistake, Problem};

/// From the largest cells to the smallest; each lies in one of those before it.
const SIZES: [Bucket; 4] = [Bucket::Week, Bucket::Day, Bucket::Hour, Bucket::Quarter];

/// How many numbers of a bucket are decided about apart; none is a sum that another is part of.
const NUMBERS: usize = 4;

/// Which numbers of a bucket are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    /// Visits, and what is told of them. If not, nothing of the bucket is shown.
    pub(super) visits: bool,
    pub(super) bounces: bool,
    pub(super) passers_by: bool,
    /// The most at one moment, and the mean.
    pub(super) occupancy: bool,
}

/// All cells of one size that have a part in the decision.
struct Level {
    starts: Vec<Timestamp>,
    end: Timestamp,
}

/// Who decides.
pub(super) struct Decision<'a> {
    pub(super) store: &'a Store,
    pub(super) calendar: &'a Calendar,
    pub(super) group: SmallestGroup,
}

impl Decision<'_> {
    /// What is shown of the buckets of a question that begin at `starts`.
    pub(super) async fn shown(
        &self,
        question: &Question,
        size: Size,
        starts: &[Timestamp],
    ) -> Result<Vec<Shown>, Problem> {
        let (Some(&from), false) = (starts.first(), self.group.allows(1)) else {
            return Ok(vec![Shown::from([true; NUMBERS]); starts.len()]);
        };
        let levels = self.levels(size, from, question.end)?;
        let venue = self.figures(&question.of_venue(), &levels).await?;
        let mut shown = self.decide(&levels, |level, cell| people(&venue[level][cell]));
        if question.zone.is_some() {
            let zone = self.figures(question, &levels).await?;
            shown = self.decide(&levels, |level, cell| {
                people_of_zone(&zone[level][cell], &venue[level][cell], shown[level][cell])
            });
        }
        let (Some(level), Some(shown)) = (levels.last(), shown.pop()) else { return Ok(Vec::new()) };
        let asked = level.starts.iter().zip(shown).filter(|(start, _)| (from..question.end).contains(start));
        Ok(asked.map(|(_, shown)| Shown::from(shown)).collect())
    }

    /// The cells around those of `[from, to)`, down to their size: the weeks, all days of these, all hours of the days and all
    /// quarters of the hours that have a part in it.
    fn levels(&self, size: Size, from: Timestamp, to: Timestamp) -> Result<Vec<Level>, Problem> {
        let mut levels = Vec::new();
        for (index, bucket) in SIZES.into_iter().enumerate() {
            // A whole is as large as it takes to hold what was asked for.
            let whole = Size(SIZES[index.saturating_sub(1)]);
            let around = begin(self.calendar, whole, from).zip(end(self.calendar, whole, to));
            // Where days begin within an hour, that hour is a part of two days.
            let cells = around.and_then(|(from, to)| {
                begin(self.calendar, Size(bucket), from).zip(end(self.calendar, Size(bucket), to))
            });
            let Some((start, stop)) = cells else {
                return Err(Problem::invalid_query(vec![Mistake::parameter(
                    "from",
                    "is beyond the calendar",
                )]));
            };
            let starts = self.calendar.buckets(bucket, start, stop);
            let starts = starts.map_err(|error| Problem::internal(&error))?;
            levels.push(Level { starts, end: stop });
            if Size(bucket) == size {
                break;
            }
        }
        Ok(levels)
    }

    async fn figures(&self, question: &Question, levels: &[Level]) -> Result<Vec<Vec<Figures>>, Problem> {
        let mut figures = Vec::with_capacity(levels.len());
        for level in levels {
            let question = Question { end: level.end, ..*question };
            figures.push(reading::series(self.store, &question, &level.starts).await?);
        }
        Ok(figures)
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
            match index.checked_sub(1) {
                None => {
                    for (cell, shown) in shown.iter_mut().enumerate() {
                        *shown = people(index, cell).map(|people| self.group.shows(people));
                    }
                }
                Some(above) => {
                    for (whole, whole_is_shown) in decided[above].iter().enumerate() {
                        let (from, to) = levels[above].span(whole);
                        let first = level.starts.partition_point(|start| *start < from);
                        let parts: Vec<_> = (first..level.starts.partition_point(|start| *start < to))
                            .map(|cell| {
                                let cut = level.span(cell).1 > to;
                                people(index, cell)
                                    .map(|people| People { hidden: people.hidden || cut, ..people })
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

impl From<[bool; NUMBERS]> for Shown {
    fn from([visits, bounces, passers_by, occupancy]: [bool; NUMBERS]) -> Shown {
        Shown {
            visits,
            bounces: visits && bounces,
            passers_by: visits && passers_by,
            occupancy: visits && occupancy,
        }
    }
}

/// Who is behind the numbers of a venue's cell. Of bounces and passers-by only runs are known.
fn people(figures: &Figures) -> [People; NUMBERS] {
    let Figures { uniques, bounces, passers_by, occupancy_peak, .. } = *figures;
    [uniques, bounces, passers_by, occupancy_peak].map(|inside| People { inside, ..People::default() })
}

/// The same of a zone's cell, whose venue's numbers are shown or not.
fn people_of_zone(zone: &Figures, venue: &Figures, shown: [bool; NUMBERS]) -> [People; NUMBERS] {
    let (mut people, venue_people) = (people(zone), people(venue));
    for number in 0..NUMBERS {
        people[number].outside = venue_people[number].inside.saturating_sub(people[number].inside);
        people[number].hidden = !shown[number];
    }
    // Somebody who came twice can have been in the zone once.
    if venue.visits > zone.visits {
        people[0].outside = people[0].outside.max(1);
    }
    people
}
