//! The desired twin is followed through the same driver, each version once.

use super::*;

fn desired(version: u64, state: &Value) -> Vec<u8> {
    json!({"version": version, "state": state, "delta": state}).to_string().into_bytes()
}

#[test]
fn what_differs_is_changed_and_reported() {
    let bench = Bench::new();
    let mut device = bench.start();
    told(&mut device);
    device.desire(&desired(
        7,
        &json!({"on_off": {"on": true}, "brightness": {"percent": 50}, "colour": "red"}),
    ));
    assert_eq!(device.work(&bench.clock), Some(DELAY));
    assert_eq!(told(&mut device), Vec::<Value>::new());
    bench.pass(&mut device, DELAY);
    assert_eq!(told(&mut device), [json!({"on_off": {"on": true}})]);
    assert_eq!(device.counters().followed, 1);
}

#[test]
fn a_version_is_followed_once_also_over_a_restart() {
    let bench = Bench::new();
    let mut device = bench.start();
    device.desire(&desired(7, &json!({"on_off": {"on": true}})));
    device.work(&bench.clock);
    bench.pass(&mut device, DELAY);
    device.take(id(1), &body("on_off.set", &json!({"on": false}), None), &bench.clock);
    device.work(&bench.clock);
    bench.pass(&mut device, DELAY);
    drop(device);
    let mut device = bench.start();
    for version in [7, 6] {
        device.desire(&desired(version, &json!({"on_off": {"on": true}})));
        assert_eq!(device.work(&bench.clock), None, "somebody switched it off since");
    }
    device.desire(&desired(8, &json!({"on_off": {"on": false}})));
    device.work(&bench.clock);
    assert_eq!(told(&mut device).len(), 2, "the whole state and the answer, as nothing is to be done");
    assert_eq!(device.journal.followed(), Some(8));
}

#[test]
fn what_fails_is_tried_again_when_it_comes_again() {
    let mut bench = Bench::new();
    bench.simulated().failure_rate = 1.0;
    let mut device = bench.start();
    told(&mut device);
    device.desire(&desired(7, &json!({"on_off": {"on": true}})));
    device.work(&bench.clock);
    bench.pass(&mut device, DELAY);
    assert_eq!((told(&mut device), device.journal.followed()), (Vec::new(), None));
    drop(device);
    bench.simulated().failure_rate = 0.0;
    let mut device = bench.start();
    device.desire(&desired(7, &json!({"on_off": {"on": true}})));
    device.work(&bench.clock);
    bench.pass(&mut device, DELAY);
    assert_eq!(told(&mut device).last(), Some(&json!({"on_off": {"on": true}})));
}

/// Nobody signs what is desired: whoever holds the server writes it.
#[test]
fn where_signatures_are_required_nothing_that_is_desired_is_done() {
    let mut bench = Bench::new();
    bench.config.require_signature = true;
    let mut device = bench.start();
    let reported = told(&mut device).remove(0);
    assert_eq!(reported["commands"], json!({"signed_only": true}));
    for version in [7, 8] {
        device.desire(&desired(version, &json!({"on_off": {"on": true}})));
        assert_eq!(device.work(&bench.clock), None);
        bench.pass(&mut device, DELAY);
    }
    assert_eq!(told(&mut device), Vec::<Value>::new());
    assert_eq!(device.abilities.driver.state()["on_off"], json!({"on": false}));
    assert_eq!((device.journal.followed(), device.counters().followed), (None, 0));
    drop(device);
    // It was passed over and not followed, so it is followed when nothing need be signed any more.
    bench.config.require_signature = false;
    let mut device = bench.start();
    device.desire(&desired(7, &json!({"on_off": {"on": true}})));
    device.work(&bench.clock);
    assert_eq!(told(&mut device).remove(0)["commands"], json!({"signed_only": false}));
    bench.pass(&mut device, DELAY);
    assert_eq!(told(&mut device), [json!({"on_off": {"on": true}})]);
}

#[test]
fn only_the_newest_of_several_is_followed() {
    let bench = Bench::new();
    let mut device = bench.start();
    told(&mut device);
    device.take(id(1), &on(), &bench.clock);
    device.work(&bench.clock);
    for (version, percent) in [(1, 10), (3, 30), (2, 20)] {
        device.desire(&desired(version, &json!({"brightness": {"percent": percent}})));
    }
    device.desire(b"nonsense");
    device.desire(b"");
    bench.pass(&mut device, DELAY);
    bench.pass(&mut device, DELAY);
    assert_eq!(told(&mut device).last(), Some(&json!({"brightness": {"percent": 30}})));
    assert_eq!((device.journal.followed(), device.counters().followed), (Some(3), 1));
}
