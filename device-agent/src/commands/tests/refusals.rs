//! Every way in which a command is refused.

use protocol::SignedOrder;

use super::*;
use crate::config::ClockSetting;
use crate::signature::tests::{sign, trusted};

/// What the device says to a command.
fn answer(device: &mut Commands, bench: &Bench, number: u64, body: &[u8]) -> (String, Option<CommandReason>) {
    told(device);
    device.take(id(number), body, &bench.clock);
    let message = device.next_message().expect("an answer");
    device.handed_over();
    let Message::Ack(answered, ack) = message else { panic!("{message:?}") };
    assert_eq!(answered, id(number));
    (ack.status.as_str().to_owned(), ack.cause().0)
}

fn refused(reason: CommandReason) -> (String, Option<CommandReason>) {
    ("refused".into(), Some(reason))
}

fn accepted() -> (String, Option<CommandReason>) {
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
fn sent_at(now: Timestamp, ttl_ms: Option<i64>) -> Vec<u8> {
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

fn order(nonce: &str) -> SignedOrder {
    SignedOrder {
        device: DEVICE.parse().unwrap(),
        name: "on_off.set".into(),
        args: json!({"on": true}),
        deadline: NOW.plus(60_000),
        nonce: nonce.into(),
    }
}

/// A harmless command beside which something is signed.
fn beside(signed: Option<String>) -> Vec<u8> {
    let command = Command {
        name: "identify".into(),
        args: json!({}),
        deadline: Some(NOW.plus(3_600_000)),
        now: NOW,
        signed,
    };
    serde_json::to_vec(&command).unwrap()
}

fn strict() -> Bench {
    let config =
        CommandsConfig { require_signature: true, trusted_keys: trusted(), ..CommandsConfig::default() };
    Bench { config, ..Bench::new() }
}

#[test]
fn what_is_signed_is_run_and_not_what_stands_beside_it() {
    let bench = strict();
    let mut device = bench.start();
    let body = beside(Some(sign(&order("0123456789abcdef"))));
    assert_eq!(answer(&mut device, &bench, 1, &body), accepted());
    device.work(&bench.clock);
    bench.pass(&mut device, DELAY);
    assert_eq!(device.driver.state()["on_off"], json!({"on": true}));
    // The deadline that is signed counts, though the other is an hour off.
    assert_eq!(device.journal.get(id(1)).unwrap().terms.deadline, Some(NOW.plus(60_000)));
    bench.manual.advance(Duration::from_mins(2));
    let late = beside(Some(sign(&order("fedcba9876543210"))));
    assert_eq!(answer(&mut device, &bench, 2, &late), refused(CommandReason::DeadlinePassed));
}

#[test]
fn what_is_not_signed_well_is_refused() {
    let bench = strict();
    let mut device = bench.start();
    let nonce = "0123456789abcdef";
    let other_device = "019c5a8e-7d3f-7c4a-9b21-5f3e8d2a6c11".parse().unwrap();
    let good = sign(&order(nonce));
    let too_far = NOW.plus(SignedOrder::LONGEST_MS + 1);
    for (number, (signed, reason)) in (0..).zip([
        (None, CommandReason::NotSigned),
        (Some(String::new()), CommandReason::BadSignature),
        (Some(good.replace('.', "..")), CommandReason::BadSignature),
        (Some(format!("{good}A")), CommandReason::BadSignature),
        (Some(sign(&SignedOrder { device: other_device, ..order(nonce) })), CommandReason::BadSignature),
        (Some(sign(&order("short"))), CommandReason::BadSignature),
        (Some(sign(&SignedOrder { deadline: too_far, ..order(nonce) })), CommandReason::BadSignature),
        (Some(sign(&SignedOrder { deadline: NOW.minus(1), ..order(nonce) })), CommandReason::DeadlinePassed),
        (Some(sign(&SignedOrder { name: "reboot".into(), ..order(nonce) })), CommandReason::UnknownCommand),
    ]) {
        assert_eq!(answer(&mut device, &bench, number, &beside(signed)), refused(reason), "{number}");
    }
    assert_eq!(
        answer(&mut device, &bench, 99, &beside(Some(good))),
        accepted(),
        "what was refused used no nonce"
    );
}

#[test]
fn where_no_signature_is_required_a_bad_one_is_still_refused() {
    let mut bench = strict();
    bench.config.require_signature = false;
    let mut device = bench.start();
    assert_eq!(answer(&mut device, &bench, 1, &beside(None)), accepted());
    let bad = beside(Some("a.b.c".into()));
    assert_eq!(answer(&mut device, &bench, 2, &bad), refused(CommandReason::BadSignature));
    let keyless = Bench::new();
    let mut device = keyless.start();
    let good = beside(Some(sign(&order("0123456789abcdef"))));
    assert_eq!(answer(&mut device, &keyless, 3, &good), refused(CommandReason::BadSignature));
}

#[test]
fn what_is_signed_is_run_once_whatever_command_it_comes_in() {
    let bench = strict();
    let mut device = bench.start();
    let body = beside(Some(sign(&order("0123456789abcdef"))));
    assert_eq!(answer(&mut device, &bench, 1, &body), accepted());
    assert_eq!(answer(&mut device, &bench, 2, &body), refused(CommandReason::Replayed));
    drop(device);
    let mut device = bench.start();
    device.work(&bench.clock);
    bench.pass(&mut device, DELAY);
    assert_eq!(answer(&mut device, &bench, 3, &body), refused(CommandReason::Replayed));
    // A nonce counts until the deadline that is signed with it, though the command's own was earlier.
    let far = SignedOrder { deadline: NOW.plus(7_200_000), ..order("fedcba9876543210") };
    let early = Command {
        deadline: Some(NOW.plus(1_000)),
        ..serde_json::from_slice(&beside(Some(sign(&far)))).unwrap()
    };
    assert_eq!(answer(&mut device, &bench, 4, &serde_json::to_vec(&early).unwrap()), accepted());
    bench.pass(&mut device, DELAY);
    bench.pass(&mut device, DELAY);
    device.acknowledged(Receipt { command: id(4), status: AckStatus::Done });
    bench.pass(&mut device, Duration::from_hours(1));
    let again = Command { deadline: Some(NOW.plus(7_200_000)), ..early };
    assert_eq!(
        answer(&mut device, &bench, 5, &serde_json::to_vec(&again).unwrap()),
        refused(CommandReason::Replayed)
    );
}

/// Whoever holds the server can write any time into what nobody signs.
#[test]
fn no_lie_about_the_time_has_a_signed_order_run_again() {
    let far = SignedOrder { deadline: NOW.plus(SignedOrder::LONGEST_MS), ..order("0123456789abcdef") };
    let signed = sign(&far);
    let carrying = |now: Timestamp, deadline: Option<Timestamp>| {
        let carrier: Command = serde_json::from_slice(&beside(Some(signed.clone()))).unwrap();
        serde_json::to_vec(&Command { now, deadline, ..carrier }).unwrap()
    };
    let in_2100 = Timestamp(4_102_444_800_000);
    // It claims to be sent as late as it can be, so that hardly any time seems to be left.
    for (first, then) in [(NOW, in_2100), (NOW.plus(500), in_2100), (Timestamp(0), Timestamp(i64::MAX))] {
        for deadline in [None, Some(NOW.plus(1_000)), Some(in_2100)] {
            let bench = strict();
            let mut device = bench.start();
            assert_eq!(answer(&mut device, &bench, 1, &carrying(first, deadline)), accepted());
            device.work(&bench.clock);
            bench.pass(&mut device, DELAY);
            device.acknowledged(Receipt { command: id(1), status: AckStatus::Done });
            device.take(id(2), &sent_at(then, None), &bench.clock);
            bench.pass(&mut device, Duration::from_hours(1));
            bench.pass(&mut device, FORGETTING);
            rewrite(&mut device, &bench);
            drop(device);
            let mut device = bench.start();
            let again = carrying(NOW.plus(3_650_000), None);
            assert_eq!(answer(&mut device, &bench, 9, &again), refused(CommandReason::Replayed));
            device.work(&bench.clock);
            assert_eq!((device.running(), device.counters().done), (None, 0));
        }
    }
}

/// Has the journal written anew, so that what is forgotten is gone for good.
fn rewrite(device: &mut Commands, bench: &Bench) {
    let files = || {
        let entries = std::fs::read_dir(bench.dir()).unwrap().map(|entry| entry.unwrap().file_name());
        entries.filter(|name| name.to_string_lossy().ends_with(".journal")).collect::<Vec<_>>()
    };
    let before = files();
    device.journal.fail(0, 1);
    device.take(id(3), &body("identify", &json!({}), None), &bench.clock);
    assert_ne!(files(), before);
}

#[test]
fn where_signatures_are_required_nothing_unsigned_that_waits_is_begun() {
    let mut bench = strict();
    bench.config.require_signature = false;
    let mut device = bench.start();
    assert_eq!(answer(&mut device, &bench, 1, &beside(None)), accepted());
    assert_eq!(answer(&mut device, &bench, 2, &beside(Some(sign(&order("0123456789abcdef"))))), accepted());
    drop(device);
    bench.config.require_signature = true;
    let mut device = bench.start();
    told(&mut device);
    device.work(&bench.clock);
    let not_signed = json!([id(1), {"status": "refused", "reason": "not_signed"}]);
    assert_eq!(told(&mut device)[0], not_signed);
    assert_eq!(device.running(), Some(id(2)));
}
