//! Power cuts and full disks at any byte, in any order with everything else.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Accept(u64),
    Begin(u64),
    End(u64),
    Acknowledge(u64),
    /// The disk takes so many bytes more, then fails so many times.
    Fail(usize, u32),
    /// A power cut: what is not yet safe is cut at this share (of 256), and this lies behind.
    PowerCut(u8, Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0_u64..6;
    prop_oneof![
        4 => number.clone().prop_map(Step::Accept),
        4 => number.clone().prop_map(Step::Begin),
        4 => number.clone().prop_map(Step::End),
        2 => number.prop_map(Step::Acknowledge),
        1 => (0_usize..400, 1_u32..4).prop_map(|(after, times)| Step::Fail(after, times)),
        2 => (any::<u8>(), prop::collection::vec(any::<u8>(), 0..80))
            .prop_map(|(share, torn)| Step::PowerCut(share, torn)),
    ]
}

impl Journal {
    /// Makes its disk fail.
    pub(crate) fn fail(&mut self, after: usize, times: u32) {
        self.file.faults.fail(after, times);
    }

    /// Ends it as a power cut does: of what is not safe a share (of 256) is left, and behind it something torn.
    pub(crate) fn cut(self, dir: &Path, share: u8, torn: &[u8]) {
        let safe = self.file.faults.safe;
        drop(self);
        let path = file(dir);
        let mut bytes = fs::read(&path).expect("the journal's file");
        let rest = (bytes.len() as u64).saturating_sub(safe);
        bytes.truncate((safe + rest * u64::from(share) / 256) as usize);
        bytes.extend(torn);
        fs::write(path, bytes).expect("the journal's file");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// What a method that returned without an error noted is known for ever, and nothing that was begun waits again.
    #[test]
    fn what_was_noted_is_known(steps in prop::collection::vec(step(), 1..80)) {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(&dir);
        let mut noted: BTreeMap<u64, AckStatus> = BTreeMap::new();
        let mut begun: BTreeMap<u64, u32> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Accept(number) => {
                    let is_new = status(&journal, number).is_none();
                    if is_new && journal.accept(id(number), order(number), terms(Some(60))).is_ok() {
                        noted.insert(number, AckStatus::Accepted);
                    }
                }
                Step::Begin(number) => {
                    let waits = journal.get(id(number)).is_some_and(Entry::waits);
                    if waits && journal.begin(id(number)).is_ok() {
                        *begun.entry(number).or_default() += 1;
                        noted.insert(number, AckStatus::Running);
                    }
                }
                Step::End(number) => {
                    let is_begun = journal.get(id(number)).is_some_and(Entry::is_begun);
                    if is_begun && journal.end(id(number), done()).is_ok() {
                        noted.insert(number, AckStatus::Done);
                    }
                }
                Step::Acknowledge(number) => journal.acknowledge(id(number), AckStatus::Done),
                Step::Fail(after, times) => journal.fail(after, times),
                Step::PowerCut(share, torn) => {
                    journal.cut(dir.path(), share, &torn);
                    journal = open(&dir);
                }
            }
            for (&number, &before) in &noted {
                let now = status(&journal, number);
                let goes_on = now.is_some_and(|now| now >= before && (now == before || !before.is_final()));
                prop_assert!(goes_on, "{number} was {before:?} and is {now:?}");
            }
            prop_assert!(begun.values().all(|&times| times <= 1), "{begun:?}");
            for id in begun.keys().map(|&number| id(number)) {
                prop_assert!(!journal.get(id).is_some_and(Entry::waits), "{id} waits again");
            }
            prop_assert!(journal.waiting.values().all(|&id| journal.get(id).is_some_and(Entry::waits)));
        }
    }
}
