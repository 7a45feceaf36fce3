//! Crashes at every byte that is not yet safe, full disks and jumping clocks, judged by what was heard, sent and receipted.

mod judge;

use std::time::Duration;

use super::*;
use crate::Clock;
use crate::aggregate::Aggregator;
use crate::clock::ManualClock;
use crate::scan::Heard;

use judge::{Judge, Place};

/// Histories in the ordinary run; ten times as many in the long one.
const SEEDS: u64 = 200;
/// Things that happen in each.
const STEPS: u32 = 40;

/// An agent without a link, and its disk.
struct Trial {
    bench: Bench,
    /// None only while it is opened anew.
    spool: Option<Spool>,
    judge: Judge,
    clock: ManualClock,
    aggregator: Aggregator,
    pings: Vec<Ping>,
    heard: u64,
    lost: u64,
    /// The newest batch sent since the start.
    sent: Option<Number>,
    /// Bytes of the last file that are safe.
    safe: (PathBuf, u64),
    rng: ChaCha8Rng,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let mut bench = Bench::quick(300, 1 << 30);
        let spool = bench.open();
        let mut trial = Self {
            safe: (PathBuf::new(), 0),
            judge: Judge::default(),
            clock: ManualClock::new(Timestamp(1_790_000_000_000)),
            aggregator: Aggregator::new(),
            pings: Vec::new(),
            heard: 0,
            lost: 0,
            sent: None,
            rng: ChaCha8Rng::seed_from_u64(seed),
            bench,
            spool: Some(spool),
        };
        trial.is_safe();
        trial
    }

    /// Everything on the disk has reached it by now.
    fn is_safe(&mut self) {
        let last = self.bench.files().pop().expect("a file");
        let bytes = fs::metadata(&last).expect("the file").len();
        self.safe = (last, bytes);
    }

    /// Hears some, each of an identifier of its own, and lets some time pass.
    fn hear(&mut self) {
        let clock = Clock::Manual(self.clock.clone());
        for _ in 0..self.rng.random_range(1..6) {
            let id = format!("app:{}", self.heard).parse().expect("an identifier");
            self.heard += 1;
            let heard = Heard { id, rssi: -60, at: clock.now(), tx: None };
            self.aggregator.push(heard, clock.elapsed(), &mut self.pings);
            self.clock.advance(Duration::from_millis(self.rng.random_range(0..900)));
        }
    }

    /// What was heard, as the pings of one batch.
    fn take_pings(&mut self) -> Vec<Ping> {
        self.aggregator.close_quiet(Clock::Manual(self.clock.clone()).elapsed(), &mut self.pings);
        let most = self.rng.random_range(1..4);
        let rest = self.pings.split_off(most.min(self.pings.len()));
        std::mem::replace(&mut self.pings, rest)
    }

    fn spool(&mut self) -> &mut Spool {
        self.spool.as_mut().expect("an open spool")
    }

    fn append(&mut self) {
        let pings = self.take_pings();
        if pings.is_empty() {
            return;
        }
        let number = self.spool().append(pings.clone()).expect("a disk with room");
        let boot = self.spool().boot();
        self.judge.spool((boot, number.seq), pings);
        self.is_safe();
    }

    /// Sends a few, as a link does.
    fn send(&mut self) {
        for _ in 0..self.rng.random_range(1..8) {
            let sent = self.sent;
            let Some(held) = self.spool().next_after(sent).expect("a readable spool") else { return };
            self.sent = Some(held.number);
            self.judge.arrive(&held);
        }
    }

    /// A receipt for some boot, newer or older; or it gets lost.
    fn receipt(&mut self) {
        let places: Vec<Place> = self.judge.arrived.keys().copied().collect();
        if places.is_empty() {
            return;
        }
        let (boot, seq) = places[self.rng.random_range(0..places.len())];
        // The platform speaks of what came without a gap.
        let first = places.iter().filter(|place| place.0 == boot).map(|place| place.1).min().unwrap_or(0);
        let mut known = (first..=seq).take_while(|seq| self.judge.arrived.contains_key(&(boot, *seq)));
        let Some(through_number) = known.by_ref().last() else { return };
        self.judge.receipt(boot, through_number);
        if self.rng.random_bool(0.8) {
            self.spool().settle(&through(boot, through_number, vec![])).expect("a receipt");
        }
    }

    /// Whatever the wall shows from now on.
    fn jump(&mut self) {
        const DAY: i64 = 86_400_000;
        let now = Clock::Manual(self.clock.clone()).now();
        let wall = match self.rng.random_range(0..4) {
            0 => Timestamp(self.rng.random_range(0..DAY)),
            1 => Timestamp(1_790_000_000_000 + self.rng.random_range(0..DAY)),
            _ => now.plus(self.rng.random_range(-DAY..DAY)).max(Timestamp(0)),
        };
        self.clock.set_wall(wall);
    }

    /// The disk is full in the middle of a batch, which cannot even be taken back. Then there is room again: the oldest
    /// were given up for it, and said to be, or the batch was.
    fn fill(&mut self) {
        let pings = self.take_pings();
        if pings.is_empty() {
            return;
        }
        let record = self.record_of(&pings);
        let cut = self.rng.random_range(0..record.len());
        let file = self.bench.files().pop().expect("a file");
        let mut bytes = fs::read(&file).expect("the file");
        bytes.extend(&record[..cut]);
        fs::write(&file, bytes).expect("the file");
        let spool = self.spool();
        spool.active = File::options().write(true).open("/dev/full").expect("a full device");
        let before: Vec<Place> = places(spool);
        let counted = spool.counters().given_up;
        let appended = spool.append(pings.clone());
        let (boot, after, counted) = (spool.boot(), places(spool), spool.counters().given_up - counted);
        match appended {
            Ok(number) => self.judge.spool((boot, number.seq), pings),
            Err(_) => self.lost += pings.len() as u64,
        }
        let gone: Vec<Place> = before.iter().filter(|place| !after.contains(place)).copied().collect();
        assert_eq!(gone.len() as u64, counted);
        assert_eq!(gone[..], before[..gone.len()], "the oldest are given up");
        self.judge.given_up.extend(gone);
        self.is_safe();
    }

    /// What the next batch would be on the disk, in the last file.
    fn record_of(&mut self, pings: &[Ping]) -> Vec<u8> {
        let spool = self.spool();
        let seq = spool.current().next;
        let batch = Batch { boot: spool.boot(), seq, first: None, sent: None, pings: pings.to_vec() };
        let segment = spool.segments.back().expect("a segment");
        segment.encode(pings.len() as u16, seq, &batch.to_cbor())
    }

    fn restart(&mut self) {
        // Two never have the directory at once.
        self.spool = None;
        self.spool = Some(self.bench.open());
        self.sent = None;
        // What a full disk left of a batch is cut off.
        if let Ok(file) = fs::metadata(&self.safe.0) {
            self.safe.1 = self.safe.1.min(file.len());
        }
    }

    /// The power goes while a batch is written: at each byte of it and of what was written before and not synced. Goes on
    /// from one of them.
    fn crash(&mut self) {
        let (file, safe) = self.safe.clone();
        // After a failed write the next batch would begin a file.
        if self.bench.files().last() != Some(&file) || !self.spool().sound {
            return;
        }
        let pings = self.take_pings();
        let record = if pings.is_empty() { Vec::new() } else { self.record_of(&pings) };
        let mut bytes = fs::read(&file).expect("the last file");
        bytes.extend(&record);
        let goes_on = self.rng.random_range(safe as usize..=bytes.len());
        for cut in (safe as usize..=bytes.len()).chain([goes_on]) {
            self.spool = None;
            fs::write(&file, &bytes[..cut]).expect("the last file");
            let held = all(self.spool.insert(self.bench.open()));
            let writing = (cut == bytes.len() && !record.is_empty()).then_some(&pings[..]);
            self.judge.look(&held, writing);
        }
        self.sent = None;
        if goes_on == bytes.len() && !pings.is_empty() {
            let (boot, seq) = (self.spool().boot(), self.spool().current().next - 1);
            self.judge.spool((boot, seq), pings);
        } else {
            self.lost += pings.len() as u64;
        }
        self.is_safe();
    }

    /// The network is back and all is over.
    fn end(mut self) {
        self.aggregator.close_all(&mut self.pings);
        while !self.pings.is_empty() {
            self.append();
        }
        let mut spool = self.spool.take().expect("an open spool");
        while let Some(held) = spool.next_after(self.sent).expect("a readable spool") {
            self.sent = Some(held.number);
            self.judge.arrive(&held);
        }
        for (place, pings) in &self.judge.spooled {
            let arrived = self.judge.arrived.get(place);
            assert!(arrived == Some(pings) || self.judge.given_up.contains(place), "{place:?} never came");
        }
        let spooled: usize = self.judge.spooled.iter().map(|(_, pings)| pings.len()).sum();
        assert_eq!(
            spooled as u64 + self.lost,
            self.heard,
            "each advertisement is spooled once, or lost to the disk"
        );
        // It was one boot all the time.
        if let Some(&(boot, last)) = self.judge.arrived.keys().next_back() {
            spool.settle(&through(boot, last, vec![])).expect("a receipt");
        }
        assert!(spool.is_empty());
    }
}

fn places(spool: &mut Spool) -> Vec<Place> {
    all(spool).iter().map(|held| (held.batch.boot, held.batch.seq)).collect()
}

/// Nothing receipted is sent again as new, nothing spooled is lost, and each boot keeps its order.
#[test]
fn nothing_is_lost_or_told_twice_wherever_the_power_goes() {
    let times = if std::env::var_os("PROMENADE_TEST_LONG").is_some() { 10 } else { 1 };
    for seed in 0..SEEDS * times {
        // Shown only when it fails.
        println!("seed {seed}");
        let mut trial = Trial::new(seed);
        for _ in 0..STEPS {
            match trial.rng.random_range(0..20) {
                0..=6 => trial.hear(),
                7..=11 => trial.append(),
                12..=14 => trial.send(),
                15 | 16 => trial.receipt(),
                17 => trial.jump(),
                18 if trial.rng.random_bool(0.5) => trial.fill(),
                18 => trial.restart(),
                _ if trial.rng.random_bool(0.5) => trial.crash(),
                _ => {}
            }
        }
        trial.crash();
        trial.end();
    }
}
