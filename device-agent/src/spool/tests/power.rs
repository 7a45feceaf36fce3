//! Power cuts at any byte, in any order with everything else.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What may happen to a spool.
#[derive(Clone, Debug)]
enum Step {
    /// A batch of so many pings.
    Append(usize),
    /// A receipt through this share (of 256) of what is held, refusing so many of it over quota.
    Receipt(u8, usize),
    /// A clean stop and start.
    Restart,
    /// A power cut: what is not yet safe is cut at this share (of 256), and this lies behind.
    PowerCut(u8, Torn),
}

/// What a power cut leaves behind the cut.
#[derive(Clone, Debug)]
enum Torn {
    Nothing,
    /// Whatever the medium held.
    Garbage(Vec<u8>),
    /// Pages that were never written.
    Zeros(usize),
    /// The first bytes of a batch that was being written.
    Batch(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let torn = prop_oneof![
        Just(Torn::Nothing),
        prop::collection::vec(any::<u8>(), 1..200).prop_map(Torn::Garbage),
        (1_usize..5_000).prop_map(Torn::Zeros),
        (1_usize..120).prop_map(Torn::Batch),
    ];
    prop_oneof![
        8 => (1_usize..6).prop_map(Step::Append),
        3 => (any::<u8>(), 0_usize..3).prop_map(|(share, quota)| Step::Receipt(share, quota)),
        1 => Just(Step::Restart),
        2 => (any::<u8>(), torn).prop_map(|(share, torn)| Step::PowerCut(share, torn)),
    ]
}

/// What the spool must hold: pings by number.
#[derive(Clone, Default)]
struct Model {
    held: BTreeMap<u64, Vec<Ping>>,
    next: u64,
    /// Bytes of the last file that are safe, and what was held when they became so.
    safe: (PathBuf, u64),
    held_when_safe: BTreeMap<u64, Vec<Ping>>,
}

impl Model {
    /// Notes that a batch has just reached the disk, and with it everything before.
    fn is_safe(&mut self, bench: &Bench) {
        let last = bench.files().pop().expect("a file");
        let bytes = fs::metadata(&last).expect("the file").len();
        self.safe = (last, bytes);
        self.held_when_safe = self.held.clone();
    }

    /// The successors are safe, the marks written after them are not; what they release may come back.
    fn is_safe_before_marks(&mut self, bench: &Bench, may_come_back: BTreeMap<u64, Vec<Ping>>) {
        self.is_safe(bench);
        let marks = record::HEAD as u64 + 12;
        self.safe.1 -= marks;
        self.held_when_safe.extend(may_come_back);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// What was appended is held until it is receipted, comes once, in order and unchanged, under one boot.
    #[test]
    fn nothing_appended_is_lost_doubled_or_disordered(steps in prop::collection::vec(step(), 1..60)) {
        let mut bench = Bench::new(400, 1 << 30);
        let mut spool = bench.open();
        let boot = spool.boot();
        let mut model = Model::default();
        model.is_safe(&bench);
        for (tag, step) in (0..).zip(steps) {
            match step {
                Step::Append(count) => {
                    let number = spool.append(pings(tag, count)).unwrap();
                    prop_assert_eq!(number, Number { age: 1, seq: model.next });
                    model.held.insert(model.next, pings(tag, count));
                    model.next += 1;
                    model.is_safe(&bench);
                }
                Step::Receipt(share, quota) => receipt(&mut spool, &mut model, &bench, share, quota),
                Step::Restart => {
                    drop(spool);
                    spool = bench.open();
                }
                Step::PowerCut(share, torn) => {
                    drop(spool);
                    cut(&model, &bench, share, &torn);
                    spool = bench.open();
                    recover(&mut spool, &mut model)?;
                    model.is_safe(&bench);
                }
            }
            prop_assert_eq!(spool.boot(), boot);
            let held: Vec<(u64, Vec<Ping>)> =
                all(&mut spool).into_iter().map(|held| (held.batch.seq, held.batch.pings)).collect();
            let expected: Vec<(u64, Vec<Ping>)> = model.held.clone().into_iter().collect();
            prop_assert_eq!(held, expected);
        }
    }

    /// Whatever bytes change on the disk: it opens, gives nothing that was not appended and nothing twice, and what is
    /// lost begins a new boot, unless it looks like a torn tail.
    #[test]
    fn damage_never_gives_anything_wrong(
        batches in 1_u64..30,
        released in 0_u64..30,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1_u8..), 1..4),
    ) {
        let mut bench = Bench::new(400, 1 << 30);
        let mut spool = bench.open();
        let old = spool.boot();
        for tag in 0..batches {
            spool.append(pings(tag, 2)).unwrap();
        }
        if released < batches {
            spool.settle(&through(old, released, vec![])).unwrap();
        }
        let before = all(&mut spool);
        drop(spool);
        for (file, place, change) in damage {
            let files = bench.files();
            let file = file.get(&files);
            let mut bytes = fs::read(file).unwrap();
            if !bytes.is_empty() {
                *place.get_mut(&mut bytes) ^= change;
                fs::write(file, bytes).unwrap();
            }
        }
        let mut spool = bench.open();
        spool.append(pings(1_000, 1)).unwrap();
        let after = all(&mut spool);
        prop_assert!(after.is_sorted_by(|a, b| a.number < b.number));
        let (last, kept) = after.split_last().unwrap();
        prop_assert_eq!(&last.batch.pings, &pings(1_000, 1));
        for held in kept {
            prop_assert_eq!(&held.batch.pings, &pings(held.batch.seq, 2), "{:?}", held.number);
        }
        // The end of the last file cannot be told from a torn one. Should its number have been sent already, the
        // platform refuses the next batch of that number as reused, and it comes again under another.
        let lost = before.iter().filter(|held| !kept.iter().any(|other| other.batch.seq == held.batch.seq));
        let lost: Vec<u64> = lost.map(|held| held.batch.seq).collect();
        let torn = last.batch.boot == old && lost.iter().all(|&seq| seq >= last.batch.seq);
        prop_assert!(lost.is_empty() || last.batch.boot != old || torn, "{:?} lost, {:?}", lost, last.number);
    }
}

fn receipt(spool: &mut Spool, model: &mut Model, bench: &Bench, share: u8, quota: usize) {
    let numbers: Vec<u64> = model.held.keys().copied().collect();
    let Some(&through_number) = numbers.get(numbers.len() * usize::from(share) / 256) else { return };
    let covered: Vec<u64> = numbers.into_iter().filter(|&seq| seq <= through_number).collect();
    let again: Vec<u64> = covered.iter().rev().copied().take(quota).collect();
    let refused = again.iter().map(|&seq| Refused::Batches { from: seq, to: seq, reason: QUOTA }).collect();
    spool.settle(&through(spool.boot(), through_number, refused)).expect("a receipt");
    for seq in &again {
        let pings = model.held[seq].clone();
        model.held.insert(model.next, pings);
        model.next += 1;
    }
    for seq in covered {
        if again.contains(&seq) {
            // Released after its successor was made safe, so a cut may show both.
            model.held_when_safe.insert(seq, model.held[&seq].clone());
        }
        model.held.remove(&seq);
    }
    if !again.is_empty() {
        let both = model.held_when_safe.clone();
        model.is_safe_before_marks(bench, both);
    }
}

/// Cuts what is not safe yet and leaves something torn behind.
fn cut(model: &Model, bench: &Bench, share: u8, torn: &Torn) {
    let (file, safe) = &model.safe;
    let mut bytes = fs::read(file).expect("the last file");
    let rest = bytes.len() as u64 - safe;
    bytes.truncate((safe + rest * u64::from(share) / 256) as usize);
    match torn {
        Torn::Nothing => {}
        Torn::Garbage(garbage) => bytes.extend(garbage),
        Torn::Zeros(count) => bytes.extend(vec![0; *count]),
        Torn::Batch(cut) => {
            let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
            let mut record = Vec::new();
            let body = [0x5a; 120];
            let kind = record::Kind::Batch;
            record::write(&mut record, record::salt(name), kind, 1, model.next, &body);
            bytes.extend(&record[..*cut]);
        }
    }
    assert_eq!(bench.files().last(), Some(file));
    fs::write(file, bytes).expect("the last file");
}

/// After a cut everything held is there; what was released since the disk was last synced may be there again.
fn recover(spool: &mut Spool, model: &mut Model) -> Result<(), TestCaseError> {
    let found: BTreeMap<u64, Vec<Ping>> =
        all(spool).into_iter().map(|held| (held.batch.seq, held.batch.pings)).collect();
    for (seq, pings) in &model.held {
        prop_assert_eq!(found.get(seq), Some(pings), "{} is lost", seq);
    }
    for (seq, pings) in &found {
        let known = model.held.get(seq).or_else(|| model.held_when_safe.get(seq));
        prop_assert_eq!(known, Some(pings), "{} came back", seq);
    }
    model.held = found;
    Ok(())
}
