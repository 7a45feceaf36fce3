//! Whatever happens to the disk, the power and the connection: no command is begun twice, and every one is answered.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// A command comes, for the first time or again.
    Take(u64),
    /// So many milliseconds pass.
    Pass(u64),
    /// The connection takes so many messages, of which the broker acknowledges this many.
    Send(usize, usize),
    Reconnect,
    /// The disk takes so many bytes more, then fails so many times.
    Fail(usize, u32),
    /// A power cut: what is not yet safe is cut at this share (of 256), and this lies behind.
    PowerCut(u8, Vec<u8>),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u64..8).prop_map(Step::Take),
        6 => (0_u64..400).prop_map(Step::Pass),
        3 => (1_usize..6, 0_usize..6).prop_map(|(sent, heard)| Step::Send(sent, heard)),
        1 => Just(Step::Reconnect),
        1 => (0_usize..600, 1_u32..4).prop_map(|(after, times)| Step::Fail(after, times)),
        2 => (any::<u8>(), prop::collection::vec(any::<u8>(), 0..80))
            .prop_map(|(share, torn)| Step::PowerCut(share, torn)),
        1 => Just(Step::Restart),
    ]
}

/// What was seen of the device from outside.
#[derive(Default)]
struct Seen {
    begun: BTreeMap<CommandId, u32>,
    running: Option<CommandId>,
    taken: BTreeSet<u64>,
    /// The furthest answer to each command.
    answers: BTreeMap<CommandId, AckStatus>,
}

impl Seen {
    fn work(&mut self, device: &mut Commands, bench: &Bench) {
        device.work(&bench.clock);
        let running = device.running();
        if running != self.running
            && let Some(id) = running
        {
            *self.begun.entry(id).or_default() += 1;
        }
        self.running = running;
    }

    /// Fetches some messages and acknowledges some of them.
    fn send(&mut self, device: &mut Commands, sent: usize, heard: usize) -> Result<(), TestCaseError> {
        let mut receipts = Vec::new();
        for _ in 0..sent {
            let Some(message) = device.next_message() else { break };
            if let Message::Ack(id, ack) = &message {
                let before = self.answers.insert(*id, ack.status);
                let goes_on = before.is_none_or(|before| {
                    before <= ack.status && (before == ack.status || !before.is_final())
                });
                prop_assert!(goes_on, "{id}: {before:?}, then {ack:?}");
                let is_begun = !matches!(ack.status, AckStatus::Running | AckStatus::Done);
                prop_assert!(is_begun || self.begun.contains_key(id), "{id} was never begun: {ack:?}");
            }
            receipts.extend(message.receipt());
            device.handed_over();
        }
        receipts.into_iter().take(heard).for_each(|receipt| device.acknowledged(receipt));
        Ok(())
    }
}

fn command(number: u64) -> Vec<u8> {
    let ttl = [None, Some(60_000), Some(600)][number as usize % 3];
    body("brightness.set", &json!({"percent": number}), ttl)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn no_command_is_begun_twice_and_every_one_ends(steps in prop::collection::vec(step(), 1..80)) {
        let bench = Bench::new();
        let mut device = bench.start();
        let mut seen = Seen::default();
        for step in steps {
            match step {
                Step::Take(number) => {
                    device.take(id(number), &command(number), &bench.clock);
                    seen.taken.insert(number);
                }
                Step::Pass(ms) => bench.manual.advance(Duration::from_millis(ms)),
                Step::Send(sent, heard) => seen.send(&mut device, sent, heard)?,
                Step::Reconnect => {
                    device.parted();
                    device.joined();
                }
                Step::Fail(after, times) => device.journal.fail(after, times),
                Step::PowerCut(share, torn) => {
                    device.journal.cut(&bench.dir(), share, &torn);
                    device = bench.start();
                    seen.running = None;
                }
                Step::Restart => {
                    drop(device);
                    device = bench.start();
                    seen.running = None;
                }
            }
            seen.work(&mut device, &bench);
            prop_assert!(seen.begun.values().all(|&times| times == 1), "{:?}", seen.begun);
        }
        // The platform sends again what has no answer; then all of it ends.
        device.journal.fail(0, 0);
        for _ in 0..40 {
            bench.manual.advance(REST);
            for &number in &seen.taken {
                if !seen.answers.get(&id(number)).is_some_and(|status| status.is_final()) {
                    device.take(id(number), &command(number), &bench.clock);
                }
            }
            seen.work(&mut device, &bench);
            seen.send(&mut device, 100, 100)?;
        }
        for &number in &seen.taken {
            let answer = seen.answers.get(&id(number));
            prop_assert!(answer.is_some_and(|status| status.is_final()), "{number}: {answer:?}");
        }
        prop_assert!(seen.begun.values().all(|&times| times == 1), "{:?}", seen.begun);
    }
}
