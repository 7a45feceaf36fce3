//! A made-up thing does what its capabilities say, takes its time, fails as often as asked and remembers.

use std::fs;

use protocol::{Capabilities, Timestamp};
use serde_json::json;

use super::super::kept::path;
use super::*;
use crate::appliance::Driver;
use crate::clock::ManualClock;
use crate::commands::Task;
use crate::config::ApplianceConfig;

fn config(capabilities: &Value) -> SimulatedApplianceConfig {
    serde_json::from_value(json!({"type": "other", "capabilities": capabilities})).expect("a configuration")
}

fn everything() -> Value {
    json!({
        "on_off": {}, "brightness": {}, "volume": {"mute": true}, "toggle": {"lock": {"name": "Lock"}},
        "mode": {"fan": {"name": "Fan", "settings": [{"key": "low", "name": "Low"}, {"key": "high", "name": "High"}]}},
        "range": {"height": {"name": "Height", "min": 0, "max": 1, "step": 0.3}},
        "scene": {}, "sensor": {"readings": ["humidity"]}, "content": {"items": {"sale": {"name": "Sale"}}},
    })
}

fn clock() -> (ManualClock, Clock) {
    let manual = ManualClock::new(Timestamp(1_790_000_000_000));
    (manual.clone(), Clock::Manual(manual))
}

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).expect("an object")
}

#[test]
fn a_new_thing_is_in_a_state_that_its_capabilities_allow() {
    let (dir, (_, clock)) = (tempfile::tempdir().unwrap(), clock());
    let thing = Simulated::open(&config(&everything()), dir.path(), &clock).unwrap();
    let names: Vec<&String> = thing.state().keys().collect();
    assert_eq!(names.len(), Capabilities::NAMES.len());
    assert_eq!(thing.kept.capabilities.holds(thing.state()), Ok(()));
}

#[test]
fn its_state_survives_a_restart_as_far_as_it_still_fits() {
    let (dir, (_, clock)) = (tempfile::tempdir().unwrap(), clock());
    let mut thing = Simulated::open(&config(&everything()), dir.path(), &clock).unwrap();
    let patch = object(json!({"on_off": {"on": true}, "mode": {"fan": "high"}}));
    thing.change(&patch).unwrap();
    let again = Simulated::open(&config(&everything()), dir.path(), &clock).unwrap();
    assert_eq!((again.state(), &again.state()["mode"]["fan"]), (thing.state(), &json!("high")));
    let mut less = everything();
    less["mode"]["fan"]["settings"] = json!([{"key": "low", "name": "Low"}]);
    let less = Simulated::open(&config(&less), dir.path(), &clock).unwrap();
    assert_eq!((&less.state()["mode"]["fan"], &less.state()["on_off"]["on"]), (&json!("low"), &json!(true)));
    fs::write(path(dir.path()), "{").unwrap();
    let new = Simulated::open(&config(&everything()), dir.path(), &clock).unwrap();
    assert_eq!(new.state()["on_off"], json!({"on": false}));
}

#[test]
fn of_a_desired_state_it_wants_what_it_can() {
    let (dir, (_, clock)) = (tempfile::tempdir().unwrap(), clock());
    let thing = Simulated::open(&config(&everything()), dir.path(), &clock).unwrap();
    for (desired, wanted) in [
        (json!({}), json!({})),
        (json!({"on_off": {"on": false}}), json!({})),
        (json!({"on_off": {"on": true}, "colour": "red"}), json!({"on_off": {"on": true}})),
        (json!({"volume": {"muted": true}}), json!({"volume": {"muted": true}})),
        (
            json!({"brightness": {"percent": 101}, "scene": {"active": true}}),
            json!({"scene": {"active": true}}),
        ),
        (json!({"brightness": null, "mode": {"fan": "fast"}, "range": {"depth": 1}}), json!({})),
        (json!({"sensor": {"humidity": 1}}), json!({})),
    ] {
        assert_eq!(thing.wanted(&object(desired.clone())), object(wanted), "{desired}");
    }
}

#[test]
fn it_takes_its_time_and_fails_as_often_as_it_is_told() {
    let (dir, (_, clock)) = (tempfile::tempdir().unwrap(), clock());
    let config =
        SimulatedApplianceConfig { failure_rate: 0.25, delay_ms: 700, seed: 3, ..config(&everything()) };
    let run = || {
        let mut thing = Simulated::open(&config, dir.path(), &clock).unwrap();
        [(); 400].map(|()| {
            let effect = thing.begin(Map::new(), &clock);
            (effect.due(), effect.into_outcome())
        })
    };
    let begun = run();
    assert!(begun.iter().all(|(due, _)| *due == Some(Duration::from_millis(700))));
    let failed = begun.iter().filter(|(_, outcome)| outcome.failure.is_some()).count();
    assert!((60..140).contains(&failed), "{failed} of 400");
    assert_eq!(begun, run(), "the same seed fails at the same orders");
}

#[test]
fn what_a_thermostat_measures_follows_what_is_set_at_a_bounded_rate() {
    let (dir, (manual, clock)) = (tempfile::tempdir().unwrap(), clock());
    let mut config = config(&json!({
        "range": {"target": {"name": "Target", "min": 5, "max": 30, "step": 0.5, "unit": "celsius"}},
        "sensor": {"readings": ["temperature"]},
    }));
    (config.settle_s, config.report_s) = (100.0, 10);
    let mut thing = Simulated::open(&config, dir.path(), &clock).unwrap();
    thing.change(&object(json!({"range": {"target": 30.0}}))).unwrap();
    let mut reports = Vec::new();
    for second in 1..=1_000 {
        manual.advance(Duration::from_secs(1));
        let (patch, due) = thing.drift(&clock);
        assert!(due.is_some_and(|due| due > clock.elapsed()));
        reports.extend(patch.map(|patch| (second, patch["sensor"]["temperature"].as_f64().unwrap())));
    }
    assert!(
        reports.is_sorted_by(|before, after| after.0 - before.0 >= 10 && after.1 > before.1),
        "{reports:?}"
    );
    assert_eq!(reports.first(), Some(&(10, 21.0)), "one tenth of the time, one tenth of the way");
    assert_eq!(reports.last().map(|last| last.1), Some(30.0));
    assert_eq!(thing.state()["sensor"]["temperature"], json!(30.0));
    assert_eq!(thing.kept.capabilities.holds(thing.state()), Ok(()));
}

#[test]
fn commands_are_refused_for_what_is_wrong_with_them() {
    let (dir, (_, clock)) = (tempfile::tempdir().unwrap(), clock());
    let mut capabilities = everything();
    capabilities.as_object_mut().unwrap().remove("volume");
    let config = ApplianceConfig::Simulated(Box::new(config(&capabilities)));
    let driver = Driver::open(Some(&config), dir.path(), &clock).unwrap();
    let refused = |driver: &Driver, name: &str, args: Value| match Task::read(name, &args) {
        Ok(Task::Order(order)) => driver.plan(&order).err(),
        Ok(_) => None,
        Err((reason, _)) => Some(reason),
    };
    for (name, args, reason) in [
        ("identify", json!({}), None),
        ("identify", json!({"for_s": 5}), None),
        ("on_off.set", json!({"on": true}), None),
        ("on_off.set", json!({"on": "yes"}), Some(CommandReason::BadArguments)),
        ("on_off.set", json!({}), Some(CommandReason::BadArguments)),
        ("on_off.set", json!({"on": true, "off": false}), Some(CommandReason::BadArguments)),
        ("on_off.set", json!([true]), Some(CommandReason::BadArguments)),
        ("on_off.toggle", json!({}), Some(CommandReason::UnknownCommand)),
        ("reboot", json!({}), Some(CommandReason::UnknownCommand)),
        ("", json!({}), Some(CommandReason::UnknownCommand)),
        ("brightness.set", json!({"percent": 101}), Some(CommandReason::OutOfRange)),
        ("brightness.set", json!({"percent": -1}), Some(CommandReason::BadArguments)),
        ("range.set", json!({"range": "height", "value": 1.5}), Some(CommandReason::OutOfRange)),
        ("range.set", json!({"range": "depth", "value": 1}), Some(CommandReason::NotSupported)),
        ("display.show", json!({"item": "cats"}), Some(CommandReason::OutOfRange)),
        ("scene.deactivate", json!({}), Some(CommandReason::NotSupported)),
        ("volume.set", json!({"percent": 5}), Some(CommandReason::NotSupported)),
    ] {
        assert_eq!(refused(&driver, name, args.clone()), reason, "{name} {args}");
    }
    assert_eq!(refused(&Driver::None, "identify", json!({})), None);
    assert_eq!(refused(&Driver::None, "on_off.set", json!({"on": true})), Some(CommandReason::NotSupported));
}
