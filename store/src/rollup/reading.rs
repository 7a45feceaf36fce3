//! Answers: rollups of the largest size that hold, and rows for the rest.

use presence::{Bucket, Observed, Paths, Tally};
use protocol::{Timestamp, ZoneId};

use super::standing::Standing;
use super::{Question, Size, Span, observed, place};
use crate::engine::{Store, Tx};
use crate::error::Result;

/// Rows of about this much time, in milliseconds, are read at once, so that the memory of an answer does not grow with its
/// length.
const AT_ONCE_MS: i64 = 86_400_000;
/// No run lasts longer than a day, and no day longer than this.
const LONGEST_MS: i64 = 2 * 86_400_000;

impl Store {
    /// The tallies of each place, in the order of `places`, one for each bucket; no place is the whole venue.
    pub async fn tallies(
        &self,
        question: &Question<'_>,
        places: &[Option<ZoneId>],
    ) -> Result<Vec<Vec<Tally>>> {
        let mut answer = Answer {
            places,
            tallies: vec![vec![Tally::default(); question.starts.len()]; places.len()],
            paths: None,
        };
        self.fill(question, &mut answer).await?;
        Ok(answer.tallies)
    }

    /// The paths of all visits that began in one of the buckets.
    pub async fn paths(&self, question: &Question<'_>) -> Result<Paths> {
        let mut answer = Answer { places: &[], tallies: Vec::new(), paths: Some(Paths::default()) };
        self.fill(question, &mut answer).await?;
        Ok(answer.paths.unwrap_or_default())
    }

    async fn fill(&self, question: &Question<'_>, answer: &mut Answer<'_>) -> Result<()> {
        let mut spans = self.spans(question).await?;
        for size in sizes(question.size, answer.paths.is_some()) {
            let mut rest = Vec::new();
            let cut = spans.into_iter().flat_map(|span| size.cut(question.calendar, span));
            for spans in groups(&cut.collect::<Vec<_>>(), i64::MAX) {
                let Some(standing) = self.read_rolled(question, size, spans, answer).await? else {
                    rest.extend_from_slice(spans);
                    continue;
                };
                let holds = |span: &Span| span.to <= question.known && standing.holds(span.from, span.to);
                rest.extend(spans.iter().filter(|span| !holds(span)));
            }
            spans = rest;
        }
        if spans.is_empty() {
            return Ok(());
        }
        let timeline = self.timeline(question.organization, question.venue).await?;
        for spans in groups(&spans, AT_ONCE_MS) {
            let (from, to) = (spans[0].from, spans[spans.len() - 1].to);
            let seen = self.seen(question.organization, question.venue, from, to).await?;
            answer.count(&observed(&seen, &timeline), spans, question.known);
        }
        Ok(())
    }

    /// The buckets in which there can be anything.
    async fn spans(&self, question: &Question<'_>) -> Result<Vec<Span>> {
        let mut tx = self.snapshot().await?;
        let found = tx.first_and_last(question.organization, question.venue).await?;
        let Some((first, last)) = found else { return Ok(Vec::new()) };
        let ends = question.starts.iter().skip(1).copied().chain([question.end]);
        let buckets = question.starts.iter().zip(ends).enumerate();
        let spans = buckets.map(|(bucket, (from, to))| Span { from: *from, to, bucket });
        Ok(spans.filter(|span| first < span.to && span.from <= last.plus(LONGEST_MS)).collect())
    }

    /// Adds what the rollups of consecutive spans say where they hold; answers how they stand, if they follow the venue's
    /// calendar at all. State, marks and rollups are read as they were at one moment.
    async fn read_rolled(
        &self,
        question: &Question<'_>,
        size: Size,
        spans: &[Span],
        answer: &mut Answer<'_>,
    ) -> Result<Option<Standing>> {
        let mut tx = self.snapshot().await?;
        let standing = tx.standing(question.organization, question.venue).await?;
        let Some(standing) = standing.filter(|found| found.state.follows(question.calendar)) else {
            return Ok(None);
        };
        let held: Vec<Span> = spans
            .iter()
            .filter(|span| span.to <= question.known && standing.holds(span.from, span.to))
            .copied()
            .collect();
        for spans in groups(&held, i64::MAX) {
            answer.add_rolled(&mut tx, question, size, spans).await?;
        }
        Ok(Some(standing))
    }
}

/// What has been found so far.
struct Answer<'a> {
    places: &'a [Option<ZoneId>],
    tallies: Vec<Vec<Tally>>,
    /// Asked for instead of tallies.
    paths: Option<Paths>,
}

impl Answer<'_> {
    async fn add_rolled(
        &mut self,
        tx: &mut Tx,
        question: &Question<'_>,
        size: Size,
        spans: &[Span],
    ) -> Result<()> {
        let whose = (question.organization, question.venue);
        let (from, to) = (spans[0].from, spans[spans.len() - 1].to);
        if let Some(paths) = &mut self.paths {
            let found = tx.paths(whose, size, from, to).await?;
            for (_, part) in found {
                paths.merge(part);
            }
            return Ok(());
        }
        // One place is a run of the key; of several it is cheaper to read the time once.
        let only = if let [only] = self.places { Some(place(*only)) } else { None };
        for (zone, at, tally) in tx.tallies(whose, size, only, from, to).await? {
            let span = &spans[spans.partition_point(|span| span.from <= at).saturating_sub(1)];
            for (asked, tallies) in self.places.iter().zip(&mut self.tallies) {
                if place(*asked) == zone {
                    tallies[span.bucket].merge(&tally);
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, observed: &Observed, spans: &[Span], known: Timestamp) {
        let (from, to) = (spans[0].from, spans[spans.len() - 1].to);
        if let Some(paths) = &mut self.paths {
            paths.merge(observed.paths(from, to));
            return;
        }
        let starts: Vec<Timestamp> = spans.iter().map(|span| span.from).collect();
        for (place, tallies) in self.places.iter().zip(&mut self.tallies) {
            for (span, tally) in spans.iter().zip(observed.tallies(*place, &starts, to, known)) {
                tallies[span.bucket].merge(&tally);
            }
        }
    }
}

/// The sizes of rollups that buckets of a size consist of, largest first. Paths have no weeks.
fn sizes(bucket: Bucket, paths: bool) -> impl Iterator<Item = Size> {
    let sizes = match bucket {
        Bucket::Week => &[Size::Week, Size::Day, Size::Hour][..],
        Bucket::Day => &[Size::Day, Size::Hour],
        Bucket::Hour => &[Size::Hour],
        Bucket::Quarter => &[],
    };
    sizes.iter().copied().filter(move |size| !(paths && *size == Size::Week))
}

/// Cuts spans into runs without a gap, each of one span or more that begin within `length`.
fn groups(spans: &[Span], length: i64) -> impl Iterator<Item = &[Span]> {
    let mut rest = spans;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let mut count = 1;
        while count < rest.len()
            && rest[count].from == rest[count - 1].to
            && rest[count].from.since(first.from) < length
        {
            count += 1;
        }
        let (group, after) = rest.split_at(count);
        rest = after;
        Some(group)
    })
}
