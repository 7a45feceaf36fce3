//! Which batches of a boot were dealt with: the memory that makes a repeat harmless.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use protocol::{Boot, DeviceId, Limit, OrganizationId, Reason, Refused};
use store::{BootRow, HashChunk, Numbers, SequenceSet, Store, StoreError};

use super::prepare::{Over, Verdict};

/// How many batches back of a boot a number that comes again is compared by content.
const REMEMBERED: u64 = 1024;
/// How many numbers of a boot may wait to come again, and into how many ranges its numbers may fall apart.
const WAITING: usize = 10_000;
const RANGES: usize = 10_000;
/// Above this many boots in memory, those not touched since the last sweep are let go; the store still knows them.
const SWEEP_ABOVE: usize = 50_000;

/// The marks of every boot that is being heard from.
#[derive(Debug, Default)]
pub(super) struct Marks {
    boots: HashMap<(DeviceId, Boot), Mark>,
    /// Touched since the last commit.
    touched: Vec<(DeviceId, Boot)>,
    group: u64,
}

/// What is known of one boot.
#[derive(Debug, Default)]
pub(super) struct Mark {
    organization: Option<OrganizationId>,
    numbers: Numbers,
    /// Refused for want of quota: named in every receipt until they come again or are given up, since one receipt may get
    /// lost and a reporter would then let go of what was never stored.
    limited: BTreeMap<u64, Limit>,
    hashes: HashMap<u64, Box<[u64; HashChunk::LEN]>>,
    dirty_chunks: Vec<u64>,
    /// Hashes before this chunk are gone from the store.
    kept_from: u64,
    group: u64,
}

/// What becomes of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// New: to be stored.
    New,
    /// Refused once, and to be stored now.
    Recovered,
    /// Accepted before, with the same pings.
    Repeat,
    /// Refused, now or again.
    Refused(Reason),
}

impl Marks {
    /// The mark of a boot, read from the store the first time; none for a boot that is new where `may_be_new` says no.
    pub(super) async fn of(
        &mut self,
        store: &Store,
        organization: OrganizationId,
        device: DeviceId,
        boot: Boot,
        may_be_new: impl FnOnce() -> bool,
    ) -> Result<Option<&mut Mark>, StoreError> {
        let key = (device, boot);
        let group = self.group;
        let mark = match self.boots.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let mut mark = Mark { organization: Some(organization), ..Mark::default() };
                if let Some(saved) = store.boot(organization, device, boot).await? {
                    mark.numbers = saved.numbers;
                    let waiting = mark.numbers.waiting.ranges().iter();
                    // For want of which limit is not saved: most often it is this one.
                    mark.limited = waiting
                        .flat_map(|&(from, to)| from..=to)
                        .map(|seq| (seq, Limit::PingsPerMinute))
                        .collect();
                    let chunks = saved.chunks.into_iter();
                    mark.hashes = chunks.map(|chunk| (chunk.number, Box::new(chunk.hashes))).collect();
                } else if !may_be_new() {
                    return Ok(None);
                }
                place.insert(mark)
            }
        };
        if mark.group != group {
            mark.group = group;
            self.touched.push(key);
        }
        Ok(Some(mark))
    }

    /// A new group begins; the marks touched from here on are its own.
    pub(super) fn begin(&mut self) {
        self.group += 1;
        self.touched.clear();
        if self.boots.len() > SWEEP_ABOVE {
            let recent = self.group.saturating_sub(1000);
            self.boots.retain(|_, mark| mark.group >= recent);
        }
    }

    /// The rows of the marks that this group touched.
    pub(super) fn rows(&mut self) -> Vec<BootRow> {
        let mut rows = Vec::with_capacity(self.touched.len());
        for &(device, boot) in &self.touched {
            if let Some(mark) = self.boots.get_mut(&(device, boot))
                && let Some(organization) = mark.organization
            {
                rows.push(mark.row(organization, device, boot));
            }
        }
        rows
    }

    /// What a receipt may say of each boot that this group touched: up to where all is settled, and what should come again.
    pub(super) fn told(&self) -> impl Iterator<Item = (DeviceId, Boot, Option<u64>, Vec<Refused>)> {
        self.touched.iter().filter_map(|&(device, boot)| {
            let mark = self.boots.get(&(device, boot))?;
            Some((device, boot, mark.numbers.through(), mark.waiting()))
        })
    }
}

impl Mark {
    /// Decides over a batch and remembers the decision.
    pub(super) fn judge(&mut self, seq: u64, first: Option<u64>, verdict: &Verdict) -> Outcome {
        // What the reporter no longer holds will not come: the count goes on from what it still has.
        self.numbers.base = match (self.numbers.base, first) {
            (Some(base), Some(first)) => Some(base.max(first.min(seq))),
            (None, Some(first)) => Some(first.min(seq)),
            (base, None) => base.or(Some(seq)),
        };
        if let Some(base) = self.numbers.base
            && self.limited.first_key_value().is_some_and(|(&lowest, _)| lowest < base)
        {
            self.limited = self.limited.split_off(&base);
        }
        if self.numbers.accepted.contains(seq) {
            let hash = match verdict {
                Verdict::Accept { hash, .. } => Some(*hash),
                Verdict::Refuse { hash, .. } => *hash,
            };
            let same = match (hash, self.hash(seq)) {
                (Some(new), Some(old)) => new == old,
                (None, _) => false,
                (Some(_), None) => true, // too long ago to compare
            };
            return if same { Outcome::Repeat } else { Outcome::Refused(Reason::SequenceReused) };
        }
        if self.limited.len() >= WAITING || self.numbers.settled.ranges().len() >= RANGES {
            // A counter gone wild would make every commit of its boot slower: refused, and not even remembered.
            return Outcome::Refused(Reason::RateLimited(Limit::BatchesPerMinute));
        }
        self.numbers.settled.insert(seq);
        match verdict {
            Verdict::Accept { over: Some(over), .. } if !self.has_lane(seq, over) => {
                self.limited.insert(seq, over.limit);
                Outcome::Refused(Reason::RateLimited(over.limit))
            }
            Verdict::Accept { hash, .. } => {
                self.numbers.accepted.insert(seq);
                let again = self.limited.remove(&seq).is_some();
                self.remember(seq, *hash);
                if again { Outcome::Recovered } else { Outcome::New }
            }
            Verdict::Refuse { reason, .. } => {
                if let Reason::RateLimited(limit) = reason {
                    self.limited.insert(seq, *limit);
                }
                Outcome::Refused(*reason)
            }
        }
    }

    /// Whether the slower lane takes a batch that is over its device's limit of pings.
    fn has_lane(&self, seq: u64, over: &Over) -> bool {
        over.limit == Limit::PingsPerMinute
            && self.limited.contains_key(&seq)
            && over.rate.take_again(over.count, over.now)
    }

    /// The numbers that are waiting to come again, as ranges of those refused for the same reason.
    fn waiting(&self) -> Vec<Refused> {
        let mut ranges: Vec<(u64, u64, Limit)> = Vec::new();
        for (&seq, &limit) in &self.limited {
            match ranges.last_mut() {
                Some((_, to, same)) if *to + 1 == seq && *same == limit => *to = seq,
                _ => ranges.push((seq, seq, limit)),
            }
        }
        let refused = |(from, to, limit)| Refused::Batches { from, to, reason: Reason::RateLimited(limit) };
        ranges.into_iter().map(refused).collect()
    }

    fn hash(&self, seq: u64) -> Option<u64> {
        let chunk = self.hashes.get(&(seq / HashChunk::LEN as u64))?;
        Some(chunk[(seq % HashChunk::LEN as u64) as usize]).filter(|hash| *hash != 0)
    }

    /// 0 stands for none in a chunk, so a hash that is 0 counts as 1.
    fn remember(&mut self, seq: u64, hash: u64) {
        let chunk = seq / HashChunk::LEN as u64;
        let hashes = self.hashes.entry(chunk).or_insert_with(|| Box::new([0; HashChunk::LEN]));
        hashes[(seq % HashChunk::LEN as u64) as usize] = hash.max(1);
        if !self.dirty_chunks.contains(&chunk) {
            self.dirty_chunks.push(chunk);
        }
    }

    fn row(&mut self, organization: OrganizationId, device: DeviceId, boot: Boot) -> BootRow {
        let newest = self.numbers.settled.last().unwrap_or(0);
        let keep_from = newest.saturating_sub(REMEMBERED) / HashChunk::LEN as u64;
        self.hashes.retain(|chunk, _| *chunk >= keep_from);
        // Only when something fell out since the last commit: each asks for a statement of its own.
        let drop_chunks_below = (keep_from > self.kept_from).then_some(keep_from);
        self.kept_from = self.kept_from.max(keep_from);
        let chunks = self
            .dirty_chunks
            .drain(..)
            .filter_map(|chunk| Some(HashChunk { number: chunk, hashes: **self.hashes.get(&chunk)? }))
            .collect();
        self.numbers.waiting = SequenceSet::new();
        for &seq in self.limited.keys() {
            self.numbers.waiting.insert(seq);
        }
        BootRow { organization, device, boot, numbers: self.numbers.clone(), chunks, drop_chunks_below }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::*;
    use crate::registry::Rate;

    fn accept(hash: u64) -> Verdict {
        Verdict::Accept {
            hash,
            places: Vec::new(),
            refused: Vec::new(),
            air: Box::default(),
            nothing_left: false,
            over: None,
        }
    }

    /// A batch over the limit; `rate` has the slower lane.
    fn over(rate: &Arc<Rate>) -> Verdict {
        let over =
            Over { limit: Limit::PingsPerMinute, rate: Arc::clone(rate), count: 1, now: Instant::now() };
        let (places, refused) = (Vec::new(), Vec::new());
        Verdict::Accept {
            hash: 7,
            places,
            refused,
            air: Box::default(),
            nothing_left: false,
            over: Some(over),
        }
    }

    fn limited() -> Verdict {
        over(&Arc::new(Rate::new(1)))
    }

    #[test]
    fn a_number_is_accepted_once() {
        let mut mark = Mark::default();
        assert_eq!(mark.judge(0, None, &accept(5)), Outcome::New);
        assert_eq!(mark.judge(0, None, &accept(5)), Outcome::Repeat);
        assert_eq!(mark.judge(0, None, &accept(6)), Outcome::Refused(Reason::SequenceReused));
        assert_eq!(
            mark.judge(0, None, &Verdict::Refuse { hash: Some(5), reason: Reason::ClockSkew }),
            Outcome::Repeat
        );
        assert_eq!(mark.numbers.through(), Some(0));
    }

    #[test]
    fn what_was_refused_may_come_again() {
        let mut mark = Mark::default();
        assert_eq!(
            mark.judge(0, None, &limited()),
            Outcome::Refused(Reason::RateLimited(Limit::PingsPerMinute))
        );
        assert_eq!(mark.numbers.through(), Some(0), "a refused number is settled");
        assert_eq!(mark.judge(0, None, &accept(7)), Outcome::Recovered);
        assert_eq!(mark.judge(0, None, &accept(7)), Outcome::Repeat);
    }

    #[test]
    fn over_the_limit_only_what_was_refused_before_has_a_lane() {
        let mut mark = Mark::default();
        let rate = Arc::new(Rate::new(8)); // two in the slower lane
        let refused = Outcome::Refused(Reason::RateLimited(Limit::PingsPerMinute));
        for seq in 0..3 {
            assert_eq!(mark.judge(seq, None, &over(&rate)), refused, "{seq} is new");
        }
        assert_eq!(mark.judge(0, None, &over(&rate)), Outcome::Recovered);
        assert_eq!(mark.judge(1, None, &over(&rate)), Outcome::Recovered);
        assert_eq!(mark.judge(2, None, &over(&rate)), refused, "the lane is used up");
    }

    #[test]
    fn what_should_come_again_is_named_until_it_does() {
        let mut mark = Mark::default();
        for seq in [0, 1, 2, 5] {
            mark.judge(seq, None, &limited());
        }
        let ranges = |mark: &Mark| mark.waiting().len();
        assert_eq!(ranges(&mark), 2);
        mark.judge(1, None, &accept(7));
        assert_eq!(ranges(&mark), 3);
        mark.judge(6, Some(5), &accept(7));
        assert_eq!(ranges(&mark), 1, "what the reporter gave up is not waited for");
    }

    #[test]
    fn through_counts_from_what_the_reporter_still_holds() {
        let mut mark = Mark::default();
        mark.judge(5, None, &accept(1));
        mark.judge(7, None, &accept(1));
        assert_eq!(mark.numbers.through(), Some(5));
        mark.judge(6, None, &accept(1));
        assert_eq!(mark.numbers.through(), Some(7));
        mark.judge(12, Some(12), &accept(1));
        assert_eq!(mark.numbers.through(), Some(12));
        mark.judge(11, Some(12), &accept(1));
        assert_eq!(mark.numbers.through(), Some(12));
    }

    #[test]
    fn hashes_of_long_ago_are_let_go() {
        let mut mark = Mark::default();
        for seq in 0..3000 {
            mark.judge(seq, None, &accept(seq + 1));
            if seq % 100 == 0 {
                let id = uuid::Uuid::nil();
                let boot = "b".parse().expect("a boot");
                mark.row(OrganizationId::from_uuid(id), DeviceId::from_uuid(id), boot);
            }
        }
        assert!(mark.hashes.len() <= 20, "{}", mark.hashes.len());
        assert_eq!(mark.judge(0, None, &accept(99)), Outcome::Repeat, "too long ago to compare");
        assert_eq!(mark.judge(2500, None, &accept(99)), Outcome::Refused(Reason::SequenceReused));
    }
}
