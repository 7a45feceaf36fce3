//! A device does what it is told once, in its time and with its manners.

use super::*;
use rand::SeedableRng;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn brain(capabilities: Value, manners: Manners) -> Brain {
    let capabilities: Capabilities = serde_json::from_value(capabilities).unwrap();
    let brain = Brain::new(capabilities, manners, ChaCha8Rng::seed_from_u64(1));
    assert_eq!(brain.capabilities.holds(&brain.state), Ok(()));
    brain
}

fn light(manners: Manners) -> Brain {
    brain(json!({"on_off": {}, "brightness": {}}), manners)
}

fn id(number: u64) -> CommandId {
    format!("01999999-0000-7000-8000-{number:012x}").parse().unwrap()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn body(name: &str, args: &Value) -> Vec<u8> {
    json!({"name": name, "args": args, "deadline": NOW.plus(1_000), "now": NOW}).to_string().into_bytes()
}

fn statuses(words: &[Word]) -> Vec<(u64, &'static str)> {
    let said = |word: &Word| match &word.says {
        Says::Ack(_, ack) => (word.at.as_millis() as u64, ack.status.as_str()),
        Says::Reported(_) => (word.at.as_millis() as u64, "reported"),
    };
    words.iter().map(said).collect()
}

#[test]
fn a_command_is_accepted_run_and_not_run_again() {
    let (mut brain, mut deeds) =
        (light(Manners { delay_ms: [100, 100], ..Manners::default() }), Deeds::default());
    let on = body("on_off.set", &json!({"on": true}));
    assert_eq!(statuses(&brain.take(id(1), &on, ms(0), NOW, &mut deeds)), [(0, "accepted")]);
    assert_eq!(statuses(&brain.take(id(1), &on, ms(10), NOW, &mut deeds)), [(10, "accepted")]);
    let off = body("on_off.set", &json!({"on": false}));
    brain.work(ms(0), NOW, &mut deeds);
    brain.take(id(2), &off, ms(20), NOW, &mut deeds);
    assert_eq!((brain.work(ms(99), NOW, &mut deeds), brain.due()), (Vec::new(), Some(ms(100))));
    let done = brain.work(ms(100), NOW.plus(100), &mut deeds);
    let Says::Ack(_, ack) = &done[0].says else { panic!("{done:?}") };
    assert_eq!(
        (ack.status, &ack.reported.as_ref().unwrap()["on_off"]),
        (AckStatus::Done, &json!({"on": true}))
    );
    assert_eq!(
        statuses(&brain.work(ms(200), NOW.plus(200), &mut deeds)),
        [(200, "done")],
        "one after the other"
    );
    assert_eq!(statuses(&brain.take(id(1), &on, ms(300), NOW, &mut deeds)), [(300, "done")]);
    let ran = [(1, 0), (2, 100)].map(|(number, at)| Ran { command: id(number), began_at: NOW.plus(at) });
    assert_eq!((deeds.ran, deeds.repeated, brain.due()), (ran.to_vec(), 2, None));
}

#[test]
fn what_waited_for_others_is_not_begun_after_its_deadline() {
    let (mut brain, mut deeds) =
        (light(Manners { delay_ms: [600, 600], ..Manners::default() }), Deeds::default());
    let identify = body("identify", &json!({}));
    for number in 1..=3 {
        let words = brain.take(id(number), &identify, ms(0), NOW, &mut deeds);
        assert_eq!(statuses(&words), [(0, "accepted")]);
    }
    let mut said = Vec::new();
    let mut at = 0;
    loop {
        said.extend(statuses(&brain.work(ms(at), NOW.plus(at as i64), &mut deeds)));
        let Some(due) = brain.due() else { break };
        at = due.as_millis() as u64;
    }
    assert_eq!(said, [(600, "done"), (1_200, "done"), (1_200, "refused")]);
    let ran = [(1, 0), (2, 600)].map(|(number, at)| Ran { command: id(number), began_at: NOW.plus(at) });
    assert_eq!((deeds.ran.as_slice(), deeds.refused), (&ran[..], 1));
    let again = brain.take(id(3), &identify, ms(1_300), NOW, &mut deeds);
    let [Word { says: Says::Ack(_, ack), .. }] = &again[..] else { panic!("{again:?}") };
    assert_eq!(ack.cause().0, Some(CommandReason::DeadlinePassed));
}

#[test]
fn what_waited_while_the_device_was_away_is_not_begun_after_its_deadline() {
    let (mut brain, mut deeds) =
        (light(Manners { delay_ms: [10, 10], ..Manners::default() }), Deeds::default());
    let identify = body("identify", &json!({}));
    for number in 1..=2 {
        brain.take(id(number), &identify, ms(0), NOW, &mut deeds);
    }
    brain.work(ms(0), NOW, &mut deeds);
    let words = brain.work(ms(2_000), NOW.plus(2_000), &mut deeds);
    assert_eq!(statuses(&words), [(10, "done"), (2_000, "refused")]);
    assert_eq!((deeds.ran.len(), deeds.refused), (1, 1));
}

#[test]
fn what_it_cannot_do_is_refused() {
    let (mut brain, mut deeds) = (light(Manners::default()), Deeds::default());
    for (number, (name, args, at, reason)) in (0..).zip([
        ("reboot", json!({}), NOW, CommandReason::UnknownCommand),
        ("on_off.set", json!({}), NOW, CommandReason::BadArguments),
        ("brightness.set", json!({"percent": 101}), NOW, CommandReason::OutOfRange),
        ("volume.set", json!({"percent": 1}), NOW, CommandReason::NotSupported),
        ("identify", json!({}), NOW.plus(1_001), CommandReason::DeadlinePassed),
    ]) {
        let words = brain.take(id(number), &body(name, &args), ms(0), at, &mut deeds);
        assert!(
            matches!(&words[..], [Word { says: Says::Ack(_, ack), .. }] if ack.cause().0 == Some(reason)),
            "{words:?}"
        );
    }
    assert_eq!((deeds.refused, deeds.ran.len(), brain.due()), (5, 0, None));
}

#[test]
fn it_fails_and_answers_late_and_twice_when_told_to() {
    let manners = Manners {
        failure_rate: 1.0,
        accepts: false,
        duplicate_acks: 1.0,
        ack_delay_ms: [50, 60],
        delay_ms: [0, 0],
        ..Manners::default()
    };
    let (mut brain, mut deeds) = (light(manners), Deeds::default());
    assert_eq!(brain.take(id(1), &body("identify", &json!({})), ms(0), NOW, &mut deeds), []);
    let words = brain.work(ms(0), NOW, &mut deeds);
    assert_eq!(statuses(&words).iter().map(|said| said.1).collect::<Vec<_>>(), ["failed", "failed"]);
    assert!(words.iter().all(|word| (ms(50)..=ms(60)).contains(&word.at)));
}

#[test]
fn only_so_many_commands_are_remembered() {
    let (mut brain, mut deeds) =
        (light(Manners { delay_ms: [0, 0], ..Manners::default() }), Deeds::default());
    for number in 0..=REMEMBERED as u64 {
        brain.take(id(number), &body("identify", &json!({})), ms(0), NOW, &mut deeds);
    }
    brain.work(ms(0), NOW, &mut deeds);
    assert_eq!(
        (brain.known.len(), brain.order.len(), deeds.ran.len()),
        (REMEMBERED, REMEMBERED, REMEMBERED + 1)
    );
}

#[test]
fn a_desired_twin_is_followed_once() {
    let (mut brain, mut deeds) =
        (light(Manners { delay_ms: [5, 5], ..Manners::default() }), Deeds::default());
    let desired = |version: u64, percent: u64| {
        let state = json!({"brightness": {"percent": percent}, "colour": "red"});
        json!({"version": version, "state": state}).to_string().into_bytes()
    };
    brain.desire(&desired(3, 70));
    brain.desire(&desired(2, 80));
    brain.desire(&desired(4, 101));
    let mut words = brain.work(ms(0), NOW, &mut deeds);
    words.extend(brain.work(ms(5), NOW, &mut deeds));
    words.extend(brain.work(ms(100), NOW, &mut deeds));
    let patch = json!({"brightness": {"percent": 70}});
    assert_eq!(words, [Word { at: ms(5), says: Says::Reported(serde_json::from_value(patch).unwrap()) }]);
    assert_eq!(deeds.followed, 2);
}

#[test]
fn what_a_thermostat_measures_comes_to_what_is_set() {
    let capabilities = json!({
        "range": {"temperature": {"name": "Temperature", "min": 5, "max": 30, "step": 0.5, "unit": "celsius"}},
        "sensor": {"readings": ["temperature"]},
    });
    let (mut brain, mut deeds) = (brain(capabilities, Manners::default()), Deeds::default());
    let reports: Vec<Word> = (1..200).flat_map(|n| brain.work(MEASURING * n, NOW, &mut deeds)).collect();
    assert!((5..60).contains(&reports.len()), "{}", reports.len());
    assert_eq!(brain.state["sensor"]["temperature"], brain.state["range"]["temperature"]);
}
