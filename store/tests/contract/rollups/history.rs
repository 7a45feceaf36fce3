//! Two weeks of a shop around a change of the clock, and what plain counting over its rows gives.

use std::collections::BTreeSet;
use std::sync::Arc;

use presence::{
    Bucket, Observed, ObservedRun, ObservedStay, Paths, Recomputed, Stay, Timeline, Tracker, Visit,
    VisitClass,
};
use protocol::{StayId, Subject, Timestamp, VisitId, ZoneId, ZoneKind};
use store::{Question, Seen, Store};
use uuid::Uuid;

use crate::shop::{DAY, HOUR, Shop};

/// Monday 2026-10-19, 04:00 in Zurich: the shop's week begins. The clock goes back on the Sunday after.
pub(super) const START: Timestamp = Timestamp(1_792_375_200_000);
/// Monday two weeks later, 04:00.
pub(super) const END: Timestamp = Timestamp(START.0 + 337 * HOUR);

/// A sequence that looks random and is the same for the same seed (`SplitMix64`, Steele, Lea, Flood 2014).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % end as u64) as i64
    }
}

/// Rows as a tracker makes them.
pub(super) struct History {
    pub(super) visits: Vec<Visit>,
    pub(super) stays: Vec<Stay>,
    timeline: Arc<Timeline>,
}

impl History {
    pub(super) async fn random(store: &Store, shop: &Shop, runs: u128, random: &mut Random) -> Self {
        let timeline = store.timeline(shop.organization, shop.venue).await.unwrap();
        let mut history = Self { visits: Vec::new(), stays: Vec::new(), timeline };
        for number in 0..runs {
            history.run(shop, number, random);
        }
        history
    }

    fn run(&mut self, shop: &Shop, number: u128, random: &mut Random) {
        let from = START.plus(random.below(END.since(START)));
        let day = self.timeline.day(from);
        let id = VisitId::from_uuid(Uuid::from_u128(number));
        let subject = Subject(random.below(15) as u128);
        let (mut at, mut reached) = (from, false);
        for _ in 0..=random.below(4) {
            let zone = if random.below(2) == 0 { shop.entrance } else { shop.interior };
            let to = at.plus(1_000 * (1 + random.below(2_400))).min(day.to.minus(1));
            let number = self.stays.len() as u128;
            let id = StayId::from_uuid(Uuid::from_u128(number));
            let visit = VisitId::from_uuid(Uuid::from_u128(self.visits.len() as u128));
            self.stays.push(Stay { id, visit, subject, zone, from: at, to, open: false });
            reached |= zone == shop.interior;
            at = to;
        }
        let class = match (random.below(9), reached) {
            (0, _) => VisitClass::Transient,
            (_, false) => VisitClass::PasserBy,
            (_, true) if at.since(from) < 120_000 => VisitClass::Bounce,
            (_, true) => VisitClass::Visit,
        };
        assert_eq!(id.as_uuid().as_u128(), number);
        self.visits.push(Visit { id, subject, from, to: at, class, open: false, day: day.from });
    }

    /// The rows in any order, each run once in a shorter form before and some time later as it is.
    pub(super) fn parts(&self, random: &mut Random) -> Vec<(Vec<Visit>, Vec<Stay>)> {
        let mut parts = vec![(Vec::new(), Vec::new()); 8];
        for visit in &self.visits {
            let stays = || self.stays.iter().filter(|stay| stay.visit == visit.id);
            let first = random.below(7) as usize;
            let second = first + 1 + random.below(7 - first as i64) as usize;
            let end = stays().next().map_or(visit.to, |stay| stay.to);
            let class = if visit.class == VisitClass::Visit { VisitClass::Bounce } else { visit.class };
            parts[first].0.push(Visit { to: end, class, open: true, ..*visit });
            parts[first].1.extend(stays().take(1).map(|stay| Stay { open: true, ..*stay }));
            parts[second].0.push(*visit);
            parts[second].1.extend(stays());
        }
        parts
    }

    /// A few subjects that were not there on a day after all.
    pub(super) async fn gone(&self, store: &Store, shop: &Shop, random: &mut Random) -> Recomputed {
        let timeline = store.timeline(shop.organization, shop.venue).await.unwrap();
        let day = timeline.day(START.plus(random.below(14) * DAY + HOUR));
        let subjects: BTreeSet<Subject> = (0..3).map(|_| Subject(random.below(15) as u128)).collect();
        Tracker::new(shop.venue, timeline).recompute(day, Some(&subjects), Vec::new())
    }
}

/// Makes all rollups that can be made at a time.
pub(super) async fn rolled(store: &Store, shop: &Shop, now: Timestamp) {
    while store.roll(shop.organization, shop.venue, now).await.unwrap() {}
}

/// Compares every answer about the two weeks with plain counting over all rows.
pub(super) async fn check(store: &Store, shop: &Shop, when: &str) {
    let timeline = store.timeline(shop.organization, shop.venue).await.unwrap();
    let calendar = &timeline.versions().last().unwrap().1.calendar;
    let state = store.analytics_state(shop.organization, shop.venue).await.unwrap();
    let known = state.complete_through.unwrap();
    let (from, to) = (calendar.week(START).0, calendar.week(END).1);
    let seen = store.seen(shop.organization, shop.venue, from, to).await.unwrap();
    let plain = plain(&seen, &timeline);
    let places = [None, Some(shop.entrance), Some(shop.interior)];
    for size in [Bucket::Hour, Bucket::Day, Bucket::Week] {
        // A week need not begin with a full hour.
        let hours = calendar.hours(from, to);
        let (from, to) = if size == Bucket::Hour { (hours[1], hours[hours.len() - 1]) } else { (from, to) };
        let starts = calendar.buckets(size, from, to).unwrap();
        let question = Question {
            organization: shop.organization,
            venue: shop.venue,
            calendar,
            size,
            starts: &starts,
            end: to,
            known,
        };
        let together = store.tallies(&question, &places).await.unwrap();
        for (place, together) in places.iter().zip(together) {
            let expected = plain.tallies(*place, &starts, to, known);
            let alone = store.tallies(&question, &[*place]).await.unwrap().remove(0);
            for ((start, expected), (one, other)) in
                starts.iter().zip(expected).zip(alone.into_iter().zip(together))
            {
                assert_eq!(one, expected, "{when}: {size} of {place:?} at {start:?}");
                assert_eq!(other, expected, "{when}: {size} of {place:?} among others at {start:?}");
            }
        }
        let paths: Paths = store.paths(&question).await.unwrap();
        assert_eq!(paths, plain.paths(from, to), "{when}: paths by {size}");
    }
}

fn plain(seen: &Seen, timeline: &Timeline) -> Observed {
    let kind = |zone: ZoneId, at| timeline.at(at).zones.get(&zone).copied();
    let run = |visit: &store::VisitRow| ObservedRun {
        id: visit.id,
        subject: visit.subject,
        from: visit.from,
        to: visit.to,
        class: visit.class,
        returning: visit.returning,
    };
    let stay = |stay: &store::StayRow| ObservedStay {
        run: stay.visit,
        class: stay.class,
        zone: stay.zone,
        inside: kind(stay.zone, stay.from).is_some_and(ZoneKind::is_inside),
        staff: kind(stay.zone, stay.from) == Some(ZoneKind::Staff),
        from: stay.from,
        to: stay.to,
    };
    Observed { runs: seen.visits.iter().map(run).collect(), stays: seen.stays.iter().map(stay).collect() }
}
