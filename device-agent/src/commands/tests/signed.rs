//! Of a device that obeys signatures: what is run, what is refused, and that nothing has it run anything again.

use protocol::SignedOrder;

use super::refusals::{accepted, answer, refused, sent_at};
use super::*;
use crate::signature::tests::{sign, trusted};

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
    assert_eq!(device.abilities.driver.state()["on_off"], json!({"on": true}));
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
