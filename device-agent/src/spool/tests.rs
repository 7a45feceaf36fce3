//! The spool keeps, orders, gives up and forgets as it promises.

mod crash;
mod power;

use std::fs;
use std::path::{Path, PathBuf};

use protocol::{Limit, Ping, Reason, Receipt, Refused, Timestamp};
use rand::SeedableRng;
use tempfile::TempDir;

use super::*;
use crate::config::SpoolConfig;

/// A spool in a directory of its own, with segments of a few batches.
struct Bench {
    dir: TempDir,
    config: SpoolConfig,
    starts: u64,
}

impl Bench {
    fn new(segment_bytes: u64, max_bytes: u64) -> Self {
        Self::within(tempfile::tempdir().expect("a temporary directory"), segment_bytes, max_bytes)
    }

    /// One in memory where there is such a place, for a test that opens it very often: there, syncing costs nothing.
    fn quick(segment_bytes: u64, max_bytes: u64) -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self::within(dir.expect("a temporary directory"), segment_bytes, max_bytes)
    }

    fn within(dir: TempDir, segment_bytes: u64, max_bytes: u64) -> Self {
        let config = SpoolConfig { dir: dir.path().join("spool"), max_bytes, segment_bytes };
        Self { dir, config, starts: 0 }
    }

    fn open(&mut self) -> Spool {
        self.starts += 1;
        Spool::open(&self.config, self.starts).expect("a spool")
    }

    /// The segment files, oldest first.
    fn files(&self) -> Vec<PathBuf> {
        files(&self.config.dir)
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .expect("the spool's directory")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "spool"));
    files.sort();
    files
}

/// Pings that tell which append they come from.
fn pings(tag: u64, count: usize) -> Vec<Ping> {
    let ping = |at| Ping {
        id: format!("app:{tag}").parse().unwrap(),
        rssi: -60,
        at: Timestamp(at),
        tx: None,
        max: None,
        n: None,
    };
    (0..count as i64).map(ping).collect()
}

fn all(spool: &mut Spool) -> Vec<Held> {
    let mut all: Vec<Held> = Vec::new();
    while let Some(held) = spool.next_after(all.last().map(|held| held.number)).expect("a readable spool") {
        all.push(held);
    }
    all
}

fn seqs(spool: &mut Spool) -> Vec<u64> {
    all(spool).iter().map(|held| held.batch.seq).collect()
}

/// Which appends the held batches come from.
fn tags(spool: &mut Spool) -> Vec<String> {
    all(spool).iter().map(|held| held.batch.pings[0].id.to_string()).collect()
}

fn through(boot: Boot, through: u64, refused: Vec<Refused>) -> Receipt {
    Receipt { boot: Some(boot), through: Some(through), refused }
}

const QUOTA: Reason = Reason::RateLimited(Limit::PingsPerMinute);

#[test]
fn batches_come_back_in_order_and_numbering_goes_on_after_a_restart() {
    let mut bench = Bench::new(300, 1 << 20);
    let mut spool = bench.open();
    for tag in 0..20 {
        assert_eq!(spool.append(pings(tag, 2)).unwrap(), Number { age: 1, seq: tag });
    }
    assert!(bench.files().len() > 3);
    let before = all(&mut spool);
    let boot = spool.boot();
    drop(spool);

    let mut spool = bench.open();
    assert_eq!(spool.boot(), boot);
    assert_eq!(all(&mut spool), before);
    assert_eq!(before[7].batch.pings, pings(7, 2));
    assert!(before.iter().all(|held| held.batch.first == Some(0) && held.batch.boot == boot));
    assert_eq!(spool.append(pings(20, 1)).unwrap().seq, 20);
}

#[test]
fn a_receipt_deletes_and_an_empty_spool_still_knows_its_number() {
    let mut bench = Bench::new(300, 1 << 20);
    let mut spool = bench.open();
    let boot = spool.boot();
    for tag in 0..20 {
        spool.append(pings(tag, 2)).unwrap();
    }
    let settled = spool.settle(&through(boot, 16, vec![])).unwrap();
    assert_eq!(settled, Settled { released: 17, ..Settled::default() });
    assert_eq!(seqs(&mut spool), [17, 18, 19]);
    assert!(all(&mut spool).iter().all(|held| held.batch.first == Some(17)));
    assert_eq!(spool.settle(&through(boot, 16, vec![])).unwrap(), Settled::default());
    spool.settle(&through(boot, 19, vec![])).unwrap();
    assert!(spool.is_empty());
    assert_eq!(bench.files().len(), 1);
    assert_eq!(spool.counters().released, 20);
    let on_disk: u64 = bench.files().iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!(spool.bytes(), on_disk);
    drop(spool);

    let mut spool = bench.open();
    assert!(spool.is_empty(), "the receipts are remembered");
    assert_eq!((spool.boot(), spool.append(pings(20, 1)).unwrap().seq), (boot, 20));
}

#[test]
fn receipts_of_strangers_change_nothing() {
    let mut bench = Bench::new(300, 1 << 20);
    let mut spool = bench.open();
    spool.append(pings(0, 1)).unwrap();
    let refused = vec![Refused::Batches { from: 0, to: u64::MAX, reason: Reason::TooOld }];
    spool.settle(&through("stranger".parse().unwrap(), 99, refused)).unwrap();
    spool
        .settle(&Receipt {
            refused: vec![Refused::Whole { reason: Reason::Unreadable }],
            ..Receipt::default()
        })
        .unwrap();
    spool.settle(&Receipt { boot: Some(spool.boot()), ..Receipt::default() }).unwrap();
    assert_eq!(seqs(&mut spool), [0]);
}

#[test]
fn without_room_the_oldest_are_given_up_counted_and_told_by_first() {
    let mut bench = Bench::new(300, 1_200);
    let mut spool = bench.open();
    for tag in 0..100 {
        spool.append(pings(tag, 3)).unwrap();
        assert!(spool.bytes() <= 1_200, "{} bytes", spool.bytes());
    }
    let held = all(&mut spool);
    let first = held[0].batch.seq;
    assert_eq!(held.iter().map(|held| held.batch.seq).collect::<Vec<_>>(), (first..100).collect::<Vec<_>>());
    assert!(held.len() >= 5, "{} batches", held.len());
    assert!(held.iter().all(|held| held.batch.first == Some(first)));
    let counters = spool.counters();
    assert_eq!((counters.given_up, counters.given_up_pings, counters.released), (first, 3 * first, 0));
    assert!(!spool.has_room());
    drop(spool);
    assert_eq!(all(&mut bench.open()), held);
}

#[test]
fn what_is_refused_for_good_is_released_and_counted_once() {
    let mut bench = Bench::new(1 << 16, 1 << 20);
    let mut spool = bench.open();
    let boot = spool.boot();
    for tag in 0..10 {
        spool.append(pings(tag, 3)).unwrap();
    }
    let refused = vec![
        Refused::Batches { from: 1, to: 2, reason: Reason::TooOld },
        Refused::Pings { seq: 4, pings: vec![0, 2], reason: Reason::NotPlaced },
        Refused::Batches { from: 8, to: 8, reason: Reason::ClockSkew },
    ];
    for _ in 0..2 {
        spool.settle(&through(boot, 3, refused.clone())).unwrap();
        assert_eq!(seqs(&mut spool), [4, 5, 6, 7, 9]);
    }
    let counters = spool.counters();
    assert_eq!((counters.refused, counters.refused_pings, counters.again), (3, 2, 0));
}

#[test]
fn what_was_over_quota_or_under_a_used_number_waits_again_under_a_new_one() {
    let mut bench = Bench::new(1 << 16, 1 << 20);
    let mut spool = bench.open();
    let boot = spool.boot();
    for tag in 0..6 {
        spool.append(pings(tag, 3)).unwrap();
    }
    let refused = vec![
        Refused::Batches { from: 1, to: 2, reason: QUOTA },
        Refused::Pings { seq: 3, pings: vec![2, 1, 9], reason: QUOTA },
        Refused::Batches { from: 4, to: 4, reason: Reason::SequenceReused },
    ];
    let settled = spool.settle(&through(boot, 4, refused.clone())).unwrap();
    assert!(settled.over_quota);
    assert_eq!(seqs(&mut spool), [5, 6, 7, 8, 9]);
    assert_eq!(tags(&mut spool), ["app:5", "app:1", "app:2", "app:3", "app:4"]);
    assert_eq!(all(&mut spool)[3].batch.pings, pings(3, 3)[1..], "only the refused pings");
    spool.settle(&through(boot, 4, refused)).unwrap();
    assert_eq!(seqs(&mut spool), [5, 6, 7, 8, 9], "the same receipt again asks for nothing more");
    spool.settle(&through(boot, 9, vec![])).unwrap();
    assert!(spool.is_empty());
}

#[test]
fn a_platform_that_knows_later_numbers_gets_everything_under_a_new_boot() {
    let mut bench = Bench::new(300, 1 << 20);
    let mut spool = bench.open();
    let old = spool.boot();
    for tag in 0..10 {
        spool.append(pings(tag, 2)).unwrap();
    }
    spool.settle(&through(old, 3, vec![])).unwrap();
    let settled = spool.settle(&through(old, 10, vec![])).unwrap();
    assert_eq!(settled, Settled { released: 6, renumbered: true, ..Settled::default() });
    assert_ne!(spool.boot(), old);
    let expected: Vec<String> = (4..10).map(|tag| format!("app:{tag}")).collect();
    for _ in 0..2 {
        assert_eq!(tags(&mut spool), expected);
        let held = all(&mut spool);
        assert_eq!(held.iter().map(|held| held.batch.seq).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        let boot = spool.boot();
        assert!(held.iter().all(|held| held.batch.boot == boot));
        drop(spool);
        spool = bench.open();
    }
    assert_eq!(spool.append(pings(10, 1)).unwrap().seq, 6);
}

#[test]
fn damage_begins_a_new_boot_and_keeps_the_rest() {
    let mut bench = Bench::new(300, 1 << 20);
    let mut spool = bench.open();
    let old = spool.boot();
    for tag in 0..20 {
        spool.append(pings(tag, 2)).unwrap();
    }
    drop(spool);
    // One byte in the first record of the second file.
    let file = &bench.files()[1];
    let lost =
        u64::from_str_radix(file.file_name().unwrap().to_str().unwrap().split('.').nth(2).unwrap(), 16)
            .unwrap();
    let mut bytes = fs::read(file).unwrap();
    bytes[30] ^= 1;
    fs::write(file, bytes).unwrap();

    let mut spool = bench.open();
    assert_ne!(spool.boot(), old);
    assert_eq!(spool.append(pings(20, 1)).unwrap(), Number { age: 2, seq: 0 });
    let held = all(&mut spool);
    let kept: Vec<u64> =
        held.iter().filter(|held| held.batch.boot == old).map(|held| held.batch.seq).collect();
    assert_eq!(kept, (0..20).filter(|&seq| seq != lost).collect::<Vec<_>>());
    assert_eq!(held.last().unwrap().batch.pings, pings(20, 1));
    // What is missing is not waited for: `first` passes over it once the platform has what was before.
    spool.settle(&through(old, lost - 1, vec![])).unwrap();
    assert_eq!(all(&mut spool)[0].batch.first, Some(lost + 1));
    spool.settle(&through(old, 19, vec![])).unwrap();
    assert_eq!(seqs(&mut spool), [0]);
    drop(spool);
    let mut spool = bench.open();
    assert_eq!((seqs(&mut spool), bench.files().len()), (vec![0], 1));
}

#[test]
fn a_file_that_is_gone_begins_a_new_boot() {
    for gone in [1, usize::MAX] {
        let mut bench = Bench::new(300, 1 << 20);
        let mut spool = bench.open();
        let old = spool.boot();
        for tag in 0..20 {
            spool.append(pings(tag, 2)).unwrap();
        }
        drop(spool);
        let files = bench.files();
        let gone = gone.min(files.len());
        let (from, to) = if gone == files.len() { (0, files.len()) } else { (gone, gone + 1) };
        files[from..to].iter().for_each(|file| fs::remove_file(file).unwrap());
        let mut spool = bench.open();
        assert_ne!(spool.boot(), old);
        assert_eq!(spool.append(pings(20, 1)).unwrap().seq, 0);
        assert_eq!(tags(&mut spool).last().unwrap(), "app:20");
    }
}

#[test]
fn a_disk_that_spoils_a_file_while_it_is_in_use_costs_that_file_only() {
    for last in [false, true] {
        let mut bench = Bench::new(300, 1 << 20);
        let mut spool = bench.open();
        for tag in 0..20 {
            spool.append(pings(tag, 2)).unwrap();
        }
        let files = bench.files();
        let file = if last { files.last().unwrap() } else { &files[1] };
        let size = fs::metadata(file).unwrap().len();
        fs::write(file, vec![0xee; size as usize]).unwrap();
        spool.append(pings(20, 2)).unwrap();
        let held = seqs(&mut spool);
        let lost = spool.counters().given_up;
        assert!((1..=7).contains(&lost), "{lost}");
        assert_eq!(held.len() as u64, 21 - lost);
        assert!(held.is_sorted());
        assert_eq!(spool.append(pings(21, 2)).unwrap().seq, 21, "numbers are not given twice");
        assert_eq!(tags(&mut spool).last().unwrap(), "app:21");
    }
}

#[test]
fn what_is_of_another_device_is_given_up_for_good_and_under_another_boot() {
    let mut bench = Bench::new(100, 10_000);
    let mut spool = bench.open();
    for tag in 0..5 {
        spool.append(pings(tag, 2)).expect("room");
    }
    let (boot, files) = (spool.boot(), bench.files());
    assert!(files.len() > 1);
    spool.give_up_all("so it is").expect("a disk");
    assert_eq!((spool.counters().given_up, spool.counters().given_up_pings), (5, 10));
    assert!(spool.is_empty() && spool.bytes() == 0 && spool.boot() != boot);
    assert!(files.iter().all(|file| !file.exists()));
    let boot = spool.boot();
    drop(spool);
    let mut spool = bench.open();
    assert_eq!((spool.boot(), all(&mut spool).len()), (boot, 0), "and after a restart");
}

#[test]
fn two_agents_do_not_share_a_spool() {
    let mut bench = Bench::new(300, 1 << 20);
    let first = bench.open();
    assert!(matches!(Spool::open(&bench.config, 9), Err(SpoolError::InUse { .. })));
    drop(first);
    bench.open();
    fs::remove_dir_all(bench.dir.path()).unwrap();
}

#[test]
fn batches_of_any_size_fit() {
    let mut bench = Bench::new(300, 1 << 20);
    let mut spool = bench.open();
    let id = format!("app:{}", "x".repeat(64));
    let longest = Ping { id: id.parse().unwrap(), ..pings(0, 1).remove(0) };
    for count in [0, 1, 1_000, 1_000, 1] {
        spool.append(vec![longest.clone(); count]).unwrap();
    }
    let counts: Vec<usize> = all(&mut spool).iter().map(|held| held.batch.pings.len()).collect();
    assert_eq!(counts, [0, 1, 1_000, 1_000, 1]);
}
