//! What every agent can be told of itself: to scan in another way, to begin anew, to give lines of its log.

use super::refusals::{accepted, answer, refused};
use super::*;

/// Lets a command run that takes no time; what is told of its end.
fn done(device: &mut Commands, bench: &Bench, number: u64, name: &str, args: &Value) -> Value {
    assert_eq!(answer(device, bench, number, &body(name, args, None)), accepted(), "{name}");
    device.work(&bench.clock);
    told(device).pop().expect("an end")
}

fn scan(min_rssi: i64, interval_ms: u64) -> Value {
    let formats = json!(["ibeacon", "eddystone_uid", "eddystone_tlm", "eddystone_eid", "altbeacon"]);
    json!({"formats": formats, "prefixes": [], "min_rssi": min_rssi, "interval_ms": interval_ms})
}

#[test]
fn the_scan_is_set_and_told_with_the_answer() {
    let bench = Bench { scanner: "bluetooth", ..Bench::new() };
    let mut device = bench.start();
    assert_eq!(told(&mut device)[0]["scan"], scan(-127, 2_000));
    let end = done(&mut device, &bench, 1, "scan.set", &json!({"min_rssi": -80, "interval_ms": 500}));
    assert_eq!(end, json!([id(1), {"status": "done", "reported": {"scan": scan(-80, 500)}}]));
    assert_eq!(device.tuning().interval(), Duration::from_millis(500));
    drop(device);
    let mut device = bench.start();
    assert_eq!(told(&mut device)[0]["scan"], scan(-80, 500));
    let end = done(&mut device, &bench, 2, "scan.set", &json!({"min_rssi": null}));
    assert_eq!(end[1]["reported"]["scan"], scan(-127, 500));
    for (number, (args, reason)) in (3..).zip([
        (json!({"min_rssi": 21}), CommandReason::OutOfRange),
        (json!({"colour": 1}), CommandReason::BadArguments),
        (json!(["min_rssi"]), CommandReason::BadArguments),
    ]) {
        assert_eq!(answer(&mut device, &bench, number, &body("scan.set", &args, None)), refused(reason));
    }
}

#[test]
fn the_scan_follows_the_desired_twin_beside_the_appliance_and_once() {
    let bench = Bench { scanner: "bluetooth", ..Bench::new() };
    let mut device = bench.start();
    told(&mut device);
    let desired =
        json!({"version": 7, "state": {"scan": {"min_rssi": -70}, "on_off": {"on": true}}}).to_string();
    device.desire(desired.as_bytes());
    assert_eq!(device.work(&bench.clock), Some(DELAY));
    bench.pass(&mut device, DELAY);
    assert_eq!(told(&mut device), [json!({"on_off": {"on": true}, "scan": scan(-70, 2_000)})]);
    done(&mut device, &bench, 1, "scan.set", &json!({"min_rssi": -60}));
    device.desire(desired.as_bytes());
    device.work(&bench.clock);
    assert_eq!(device.abilities.tuning.report(), scan(-60, 2_000), "a later command may undo it");
    // What cannot be followed is left out, and the rest is done.
    device.desire(br#"{"version":8,"state":{"scan":{"min_rssi":99},"on_off":{"on":false}}}"#);
    device.work(&bench.clock);
    bench.pass(&mut device, DELAY);
    assert_eq!(told(&mut device), [json!({"on_off": {"on": false}})]);
    assert_eq!(device.journal.followed(), Some(8));
}

#[test]
fn a_restart_is_done_when_the_agent_is_there_again_and_not_made_twice() {
    let bench = Bench::new();
    let mut device = bench.start();
    told(&mut device);
    let restart = body("agent.restart", &json!({}), Some(60_000));
    device.take(id(1), &restart, &bench.clock);
    device.take(id(2), &body("identify", &json!({}), None), &bench.clock);
    device.work(&bench.clock);
    assert!(device.is_leaving());
    bench.pass(&mut device, Duration::from_hours(1));
    assert_eq!(device.running(), Some(id(1)), "nothing else is begun any more");
    let statuses: Vec<Value> = told(&mut device).into_iter().map(|ack| ack[1]["status"].clone()).collect();
    assert_eq!(statuses, ["running", "accepted"]);
    drop(device);
    let mut device = bench.start();
    assert_eq!(told(&mut device)[1], json!([id(1), {"status": "done"}]));
    device.take(id(1), &restart, &bench.clock);
    device.work(&bench.clock);
    assert!(!device.is_leaving(), "it came again, and was done");
    assert_eq!(told(&mut device)[0], json!([id(1), {"status": "done"}]));
    bench.pass(&mut device, DELAY);
    assert_eq!(told(&mut device).last(), Some(&json!([id(2), {"status": "done"}])), "and the rest is done");
    let with = body("agent.restart", &json!({"now": true}), None);
    assert_eq!(answer(&mut device, &bench, 3, &with), refused(CommandReason::BadArguments));
}

#[test]
fn lines_of_the_log_are_given_back_once_and_not_kept() {
    use tracing_subscriber::layer::SubscriberExt;
    let bench = Bench::new();
    let heard = tracing_subscriber::registry().with(bench.log.clone());
    tracing::subscriber::with_default(heard, || tracing::info!("a line"));
    let mut device = bench.start();
    let args = json!({"from": NOW, "to": NOW.plus(1), "contains": "a line"});
    let end = done(&mut device, &bench, 1, "logs.get", &args);
    let line =
        json!({"at": NOW, "level": "info", "target": "device_agent::commands::tests::own", "text": "a line"});
    assert_eq!(end[1], json!({"status": "done", "result": {"lines": [line], "truncated": false}}));
    device.acknowledged(Receipt { command: id(1), status: AckStatus::Done });
    assert_eq!(device.journal.get(id(1)).unwrap().ack.result, None, "the platform has it");
    for (number, args) in (2..).zip([
        json!({}),
        json!({"from": 5, "to": 4}),
        json!({"from": 0, "to": 1, "level": "loud"}),
        json!({"from": 0, "to": 1, "contains": "x".repeat(129)}),
        json!({"from": 0, "to": 1, "colour": 1}),
    ]) {
        let body = body("logs.get", &args, None);
        assert_eq!(
            answer(&mut device, &bench, number, &body),
            refused(CommandReason::BadArguments),
            "{args}"
        );
    }
}

#[test]
fn results_that_nobody_has_are_bounded() {
    let bench = Bench::new();
    let mut device = bench.start();
    let get = body("logs.get", &json!({"from": NOW, "to": NOW}), None);
    for number in 0..20 {
        device.take(id(number), &get, &bench.clock);
    }
    device.work(&bench.clock);
    assert_eq!(device.journal.results(), 8);
    let busy = json!([id(19), {"status": "refused", "reason": "busy"}]);
    assert_eq!(told(&mut device).last(), Some(&busy));
    device.acknowledged(Receipt { command: id(0), status: AckStatus::Done });
    let end = done(&mut device, &bench, 20, "logs.get", &json!({"from": NOW, "to": NOW}));
    assert_eq!(end[1]["status"], "done");
}

#[test]
fn where_signatures_are_required_they_are_for_these_too() {
    let mut bench = Bench::new();
    bench.config.require_signature = true;
    let mut device = bench.start();
    for (number, (name, args)) in (0..).zip([
        ("scan.set", json!({"interval_ms": 20})),
        ("agent.restart", json!({})),
        ("logs.get", json!({"from": 0, "to": 1})),
    ]) {
        let unsigned = body(name, &args, None);
        assert_eq!(
            answer(&mut device, &bench, number, &unsigned),
            refused(CommandReason::NotSigned),
            "{name}"
        );
    }
    device.desire(br#"{"version":1,"state":{"scan":{"interval_ms":20}}}"#);
    device.work(&bench.clock);
    assert!(!device.is_leaving());
    assert_eq!(device.tuning().interval(), Duration::from_secs(2));
}
