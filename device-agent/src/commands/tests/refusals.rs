//! Every way in which a command is refused.

use super::*;
use crate::config::ClockSetting;

/// What the device says to a command.
pub(super) fn answer(
    device: &mut Commands,
    bench: &Bench,
    number: u64,
    body: &[u8],
) -> (String, Option<CommandReason>) {
    told(device);
    device.take(id(number), body, &bench.clock);
    let message = device.next_message().expect("an answer");
    device.handed_over();
    let Message::Ack(answered, ack) = message else { panic!("{message:?}") };
    assert_eq!(answered, id(number));
    (ack.status.as_str().to_owned(), ack.cause().0)
}

pub(super) fn refused(reason: CommandReason) -> (String, Option<CommandReason>) {
    ("refused".into(), Some(reason))
}

pub(super) fn accepted() -> (String, Option<CommandReason>) {
    ("accepted".into(), None)
}

#[test]
fn what_cannot_be_done_is_refused_for_its_reason() {
    let bench = Bench::new();
    let mut device = bench.start();
    for (number, (body, reason)) in (0..).zip([
        (body("reboot", &json!({}), None), CommandReason::UnknownCommand),
        (body("on_off.set", &json!({"on": 1}), None), CommandReason::BadArguments),
        (body("brightness.set", &json!({"percent": 101}), None), CommandReason::OutOfRange),
        (body("volume.set", &json!({"percent": 1}), None), CommandReason::NotSupported),
        (body("identify", &json!({}), Some(-1)), CommandReason::DeadlinePassed),
        (b"nonsense".to_vec(), CommandReason::BadArguments),
        (b"{\"name\":\"identify\"}".to_vec(), CommandReason::BadArguments),
        (b"".to_vec(), CommandReason::BadArguments),
    ]) {
        assert_eq!(answer(&mut device, &bench, number, &body), refused(reason), "{number}");
    }
    assert_eq!(answer(&mut device, &bench, 99, &body("identify", &json!({}), Some(0))), accepted());
}

#[test]
fn however_long_it_is_the_answer_is_short() {
    let bench = Bench::new();
    let mut device = bench.start();
    let long = "é".repeat(100_000);
    for (number, body) in (0..).zip([
        body("identify", &json!({"why": long}), None),
        body("on_off.set", &json!({long[..10_000].to_owned(): true}), None),
        format!("{{\"name\":\"identify\",\"now\":\"{long}\"}}").into_bytes(),
    ]) {
        assert_eq!(answer(&mut device, &bench, number, &body), refused(CommandReason::BadArguments));
        device.take(id(number), &body, &bench.clock);
        let Some(Message::Ack(_, ack)) = device.next_message() else { panic!("no answer") };
        assert!(ack.detail.is_some_and(|detail| detail.chars().count() <= MAX_DETAIL), "{number}");
    }
    drop(device);
    let device = bench.start();
    assert_eq!([0, 1].map(|number| device.journal.get(id(number)).is_some()), [true; 2]);
}

#[test]
fn a_device_that_does_not_know_the_time_runs_nothing_with_a_deadline() {
    let mut bench = Bench::new();
    let with = body("identify", &json!({}), Some(60_000));
    let without = body("identify", &json!({}), None);
    for (setting, wall) in [
        (ClockSetting::Unset, NOW),
        (ClockSetting::Auto, Timestamp(0)),
        (ClockSetting::Auto, NOW.minus(5_001)),
    ] {
        bench =
            Bench { config: CommandsConfig { clock: setting, ..CommandsConfig::default() }, ..Bench::new() };
        bench.manual.set_wall(wall);
        let mut device = bench.start();
        assert_eq!(
            answer(&mut device, &bench, 1, &with),
            refused(CommandReason::ClockUnknown),
            "{setting:?}"
        );
        assert_eq!(answer(&mut device, &bench, 2, &without), accepted());
        // Once refused, it is not run when the clock is set.
        bench.manual.set_wall(NOW);
        assert_eq!(answer(&mut device, &bench, 1, &with), refused(CommandReason::ClockUnknown));
    }
    drop(bench);
}

/// Its `now` is old too, so beside it the deadline looks far off.
#[test]
fn a_command_that_was_held_back_is_not_fresh() {
    let bench = Bench::new();
    let mut device = bench.start();
    bench.manual.advance(Duration::from_mins(5));
    let held_back = body("identify", &json!({}), Some(60_000));
    assert_eq!(answer(&mut device, &bench, 1, &held_back), refused(CommandReason::DeadlinePassed));
    // What waits is not begun by a wall that was set back either, once something newer was heard.
    assert_eq!(answer(&mut device, &bench, 2, &sent_at(NOW.plus(300_000), Some(600_000))), accepted());
    bench.manual.set_wall(NOW);
    device.work(&bench.clock);
    let refused_after_all = json!([id(2), {"status": "refused", "reason": "clock_unknown"}]);
    assert_eq!(told(&mut device), [refused_after_all]);
}

/// A command that says it was sent then, due so long after the beginning.
pub(super) fn sent_at(now: Timestamp, ttl_ms: Option<i64>) -> Vec<u8> {
    let sent = serde_json::from_slice::<Command>(&body("identify", &json!({}), ttl_ms)).unwrap();
    serde_json::to_vec(&Command { now, ..sent }).unwrap()
}

#[test]
fn a_server_that_was_ahead_for_a_while_is_obeyed_again() {
    let bench = Bench::new();
    let mut device = bench.start();
    let ahead = sent_at(NOW.plus(60_000), Some(600_000));
    let right = sent_at(NOW, Some(600_000));
    assert_eq!(answer(&mut device, &bench, 1, &ahead), refused(CommandReason::ClockUnknown));
    assert_eq!(answer(&mut device, &bench, 2, &right), accepted(), "its clock was mended");
    device.work(&bench.clock);
    bench.pass(&mut device, DELAY);
    assert_eq!(told(&mut device).last(), Some(&json!([id(2), {"status": "done"}])));
    assert_eq!(answer(&mut device, &bench, 3, &right), accepted());
    assert_eq!(answer(&mut device, &bench, 4, &ahead), refused(CommandReason::ClockUnknown));
    device.parted();
    device.joined();
    device.work(&bench.clock);
    assert_eq!(device.running(), Some(id(3)), "what was said on another connection is of no account");
}

#[test]
fn too_many_that_wait_are_turned_away() {
    let bench = Bench::new();
    let mut device = bench.start();
    let identify = body("identify", &json!({}), None);
    let most = MOST_WAITING as u64;
    for number in 0..most {
        assert_eq!(answer(&mut device, &bench, number, &identify), accepted());
    }
    assert_eq!(answer(&mut device, &bench, most, &identify), refused(CommandReason::Busy));
    device.work(&bench.clock);
    assert_eq!(answer(&mut device, &bench, most, &identify), refused(CommandReason::Busy), "the same answer");
    assert_eq!(answer(&mut device, &bench, most + 1, &identify), accepted());
}

/// A device comes back, and the platform hands over all that waited for it.
#[test]
fn what_waited_for_the_device_is_all_taken_and_small() {
    let bench = Bench::new();
    let mut device = bench.start();
    let long = body("identify", &json!({"why": "y".repeat(10_000)}), None);
    for number in 0..1_000 {
        device.take(id(number), &long, &bench.clock);
    }
    assert_eq!(device.counters(), Counters { accepted: 1_000, ..Counters::default() });
    let order = device.journal.next_waiting().unwrap().1.order.as_ref().unwrap();
    assert_eq!(order.args, json!({}), "what means nothing does not wait with it");
}

#[test]
fn a_platform_that_does_not_listen_is_not_answered_without_end() {
    let bench = Bench::new();
    let mut device = bench.start();
    let identify = body("identify", &json!({}), None);
    for _ in 0..10_000 {
        device.take(id(1), &identify, &bench.clock);
        device.take(id(2), b"nonsense", &bench.clock);
    }
    assert!((4_000..5_000).contains(&told(&mut device).len()));
}
