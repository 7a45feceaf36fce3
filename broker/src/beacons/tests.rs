//! What follows for one beacon from who hears it. No clock is read: every time is that of an event.

use std::collections::HashMap;

use proptest::prelude::*;
use protocol::beacon::BeaconState::{Low, Moved, Ok as Fine, Silent, Unheard};
use protocol::{DeviceId, Timestamp, ZoneId};

use super::air::Sighting;
use super::watched::{Heard, Surroundings, Watched};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// A place with gateways 1, 2, 3, …: odd ones in one zone, even ones in another.
#[derive(Default)]
struct Place {
    reports: HashMap<DeviceId, Timestamp>,
}

impl Surroundings for Place {
    fn zone(&self, gateway: DeviceId, _: Timestamp) -> Option<ZoneId> {
        let number = gateway.as_uuid().as_bytes()[15] % 2;
        Some(ZoneId::new(Timestamp(1), [number; 10]))
    }

    fn reported_until(&self, gateway: DeviceId) -> Option<Timestamp> {
        self.reports.get(&gateway).copied()
    }
}

fn gateway(number: u8) -> DeviceId {
    DeviceId::new(Timestamp(1), [number; 10])
}

/// A beacon and where it hangs.
struct Scene {
    beacon: Watched,
    place: Place,
}

impl Scene {
    fn new() -> Self {
        Self { beacon: Watched::new(Timestamp(0)), place: Place::default() }
    }

    /// Heard every 20 seconds by a gateway, with some noise.
    fn hear(&mut self, by: u8, rssi: f32, from: i64, to: i64) {
        for at in (from..to).step_by(20_000) {
            let noise = if at % 40_000 == 0 { 3.0 } else { -3.0 };
            self.hear_once(Some(by), rssi + noise, at);
        }
    }

    fn hear_once(&mut self, by: Option<u8>, rssi: f32, at: i64) {
        let by = by.map(gateway);
        if let Some(by) = by {
            self.place.reports.insert(by, Timestamp(at));
        }
        let sighting = Sighting { beacon: gateway(99), at: Timestamp(at), rssi, count: 1 };
        self.beacon.hear(&sighting, by, &self.place);
    }

    /// A gateway reports something else.
    fn go_on(&mut self, by: u8, until: i64) {
        self.place.reports.insert(gateway(by), Timestamp(until));
        self.beacon.judge(&self.place);
    }

    fn state(&self) -> (protocol::beacon::BeaconState, i64) {
        (self.beacon.state, self.beacon.since.0)
    }
}

#[test]
fn what_nobody_hears_was_never_heard_until_somebody_does() {
    let mut scene = Scene::new();
    scene.go_on(1, 5 * HOUR);
    assert_eq!(scene.state(), (Unheard, 0));
    scene.hear_once(None, -60.0, 6 * HOUR);
    assert_eq!(scene.state(), (Fine, 6 * HOUR), "a phone is somebody");
}

#[test]
fn a_beacon_is_silent_once_those_who_heard_it_go_on_without_it() {
    let mut scene = Scene::new();
    scene.hear(1, -60.0, 0, HOUR);
    let last = HOUR - 20_000;
    scene.go_on(1, last + 15 * MINUTE - 1);
    assert_eq!(scene.state().0, Fine);
    scene.go_on(1, last + 15 * MINUTE);
    assert_eq!(scene.state(), (Silent, last));
    scene.hear_once(None, -60.0, 2 * HOUR);
    assert_eq!(scene.state(), (Fine, 2 * HOUR));
}

#[test]
fn a_dead_gateway_is_no_dead_beacon() {
    let mut scene = Scene::new();
    scene.hear(1, -60.0, 0, HOUR);
    // Another one that never heard it says nothing of it.
    scene.go_on(2, 10 * HOUR);
    assert_eq!(scene.state().0, Fine);
    // What was kept while the line was down comes late, and the beacon is in it.
    scene.hear(1, -60.0, HOUR, 10 * HOUR);
    assert_eq!(scene.state().0, Fine);
}

#[test]
fn what_is_heard_rarely_is_missed_later() {
    let mut scene = Scene::new();
    for tenth in 0..30 {
        scene.hear_once(Some(1), -90.0, tenth * 10 * MINUTE);
    }
    let last = 290 * MINUTE;
    scene.go_on(1, last + 3 * HOUR);
    assert_eq!(scene.state().0, Fine);
    scene.go_on(1, last + 200 * MINUTE);
    assert_eq!(scene.state(), (Silent, last));
}

#[test]
fn a_beacon_that_is_weaker_for_long_was_moved_and_a_crowd_is_not_enough() {
    let mut scene = Scene::new();
    scene.hear(1, -60.0, 0, 3 * HOUR);
    scene.hear(1, -80.0, 3 * HOUR, 3 * HOUR + 8 * MINUTE);
    scene.hear(1, -60.0, 3 * HOUR + 8 * MINUTE, 4 * HOUR);
    assert_eq!(scene.state().0, Fine, "a crowd");
    scene.hear(1, -80.0, 4 * HOUR, 4 * HOUR + 10 * MINUTE);
    assert_eq!(scene.state().0, Fine, "not for long enough");
    scene.hear(1, -80.0, 4 * HOUR + 10 * MINUTE, 4 * HOUR + 20 * MINUTE);
    assert_eq!(scene.state().0, Moved);
    assert!((4 * HOUR..4 * HOUR + 8 * MINUTE).contains(&scene.state().1), "{:?}", scene.state());
    // That stays until somebody says where it stands, even if it is where it was.
    scene.hear(1, -60.0, 4 * HOUR + 20 * MINUTE, 6 * HOUR);
    assert_eq!(scene.state().0, Moved);
    scene.beacon.place(Some(Timestamp(6 * HOUR)));
    scene.beacon.judge(&scene.place);
    assert_eq!(scene.state().0, Fine);
    scene.hear(1, -85.0, 6 * HOUR, 8 * HOUR);
    assert_eq!(scene.state().0, Fine, "how it is usually heard was learned anew");
}

#[test]
fn a_silent_beacon_stays_silent_when_it_is_placed() {
    let mut scene = Scene::new();
    scene.hear(1, -60.0, 0, HOUR);
    scene.go_on(1, 2 * HOUR);
    assert_eq!(scene.state().0, Silent);
    scene.beacon.place(Some(Timestamp(2 * HOUR)));
    scene.beacon.judge(&scene.place);
    assert_eq!(scene.state().0, Silent);
}

#[test]
fn a_beacon_that_is_nearest_to_another_zone_was_moved() {
    let mut scene = Scene::new();
    scene.hear(1, -60.0, 0, 2 * HOUR);
    // The gateway at home goes on, and does not hear it any more.
    for minute in 0..25 {
        scene.go_on(1, 2 * HOUR + minute * MINUTE);
        scene.hear(2, -62.0, 2 * HOUR + minute * MINUTE, 2 * HOUR + (minute + 1) * MINUTE);
    }
    assert_eq!(scene.state().0, Moved);

    let mut scene = Scene::new();
    scene.hear(1, -60.0, 0, 2 * HOUR);
    scene.hear(2, -62.0, 2 * HOUR, 3 * HOUR);
    assert_eq!(scene.state().0, Fine, "nobody is at home");

    let mut scene = Scene::new();
    scene.hear(1, -60.0, 0, 2 * HOUR);
    for minute in 0..60 {
        let at = 2 * HOUR + minute * MINUTE;
        scene.hear_once(Some(1), -60.0, at);
        scene.hear_once(Some(3), -45.0, at + 1_000);
    }
    assert_eq!(scene.state().0, Fine, "another gateway of the same zone");
}

#[test]
fn who_heard_it_once_by_chance_does_not_miss_it() {
    let mut scene = Scene::new();
    scene.hear_once(Some(3), -95.0, 0);
    scene.hear(1, -60.0, MINUTE, 2 * HOUR);
    scene.go_on(3, 6 * HOUR);
    assert_eq!(scene.state().0, Fine, "who heard it to the end is gone itself");
    scene.go_on(1, 6 * HOUR);
    assert_eq!(scene.state().0, Silent);
}

#[test]
fn who_is_silent_stays_so_until_it_is_heard_whoever_is_left_to_miss_it() {
    let mut scene = Scene::new();
    scene.hear(1, -60.0, 0, HOUR);
    scene.go_on(1, 2 * HOUR);
    let silent = scene.state();
    assert_eq!(silent.0, Silent);
    // As after a restart, before anybody has reported again.
    let text = serde_json::to_string(&scene.beacon).expect("it is saved");
    scene.beacon = serde_json::from_str(&text).expect("it is read");
    scene.place.reports.clear();
    assert!(!scene.beacon.judge(&scene.place));
    assert_eq!(scene.state(), silent);
    scene.hear_once(Some(2), -60.0, 3 * HOUR);
    assert_eq!(scene.state().0, Fine);
}

#[test]
fn while_all_are_learning_nothing_is_elsewhere() {
    let mut scene = Scene::new();
    scene.hear_once(Some(2), -68.0, 0);
    // In another zone, much nearer, and a moment younger.
    scene.hear(1, -60.0, 30_000, HOUR);
    for minute in 60..90 {
        scene.hear_once(Some(2), -68.0, minute * MINUTE);
        assert_eq!(scene.state().0, Fine);
    }
}

#[test]
fn a_battery_is_low_until_it_is_clearly_not() {
    let mut scene = Scene::new();
    let say = |scene: &mut Scene, at: i64, mv: Option<u16>, percent: Option<u8>| {
        scene.beacon.say(Heard { at: Timestamp(at), by: None, rssi: None }, mv, percent);
        scene.beacon.judge(&scene.place);
        scene.state()
    };
    assert_eq!(say(&mut scene, 1, Some(2_401), None), (Fine, 1));
    assert_eq!(say(&mut scene, 2, Some(2_400), None), (Low, 2));
    assert_eq!(say(&mut scene, 3, Some(2_480), None), (Low, 2));
    assert_eq!(say(&mut scene, 2, Some(3_000), None), (Low, 2), "older news");
    assert_eq!(say(&mut scene, 4, Some(2_500), None), (Fine, 4));
    assert_eq!(say(&mut scene, 5, None, Some(10)), (Low, 5));
    assert_eq!(say(&mut scene, 6, None, Some(14)), (Low, 5));
    assert_eq!(say(&mut scene, 7, Some(3_000), Some(15)), (Fine, 7));
}

#[test]
fn only_so_many_gateways_are_remembered_of_a_beacon() {
    let mut scene = Scene::new();
    for number in 0..40 {
        scene.hear_once(Some(number), -60.0, i64::from(number) * MINUTE);
    }
    let saved = serde_json::to_value(&scene.beacon).expect("it is saved");
    assert_eq!(saved["listeners"].as_object().map(serde_json::Map::len), Some(16));
    assert!(saved["listeners"].get(gateway(39).to_string()).is_some());
}

proptest! {
    /// People, doors and weather change how a beacon is heard; nothing of that moves or silences it.
    #[test]
    fn a_beacon_that_hangs_still_is_fine(
        steps in prop::collection::vec((1_i64..90, 1_u8..4, -7.0_f32..7.0), 200..600)
    ) {
        let mut scene = Scene::new();
        let mut at = 0;
        for (seconds, by, noise) in steps {
            at += seconds * 1_000;
            // Each hears it at a strength of its own, and the first is nearest by far.
            scene.hear_once(Some(by), -52.0 - 8.0 * f32::from(by) + noise, at);
            prop_assert_eq!(scene.state().0, Fine);
        }
    }

    /// What was saved goes on as if nothing had happened.
    #[test]
    fn what_is_saved_is_all_of_it(
        steps in prop::collection::vec((1_i64..1_200, prop::option::of(1_u8..20), -90.0_f32..-40.0), 1..120)
    ) {
        let (mut scene, mut at) = (Scene::new(), 0);
        let half = steps.len() / 2;
        let mut saved = Scene::new();
        for (index, (seconds, by, rssi)) in steps.into_iter().enumerate() {
            at += seconds * 1_000;
            if index == half {
                let text = serde_json::to_string(&scene.beacon).expect("it is saved");
                saved.beacon = serde_json::from_str(&text).expect("it is read");
                saved.place.reports = scene.place.reports.clone();
                prop_assert_eq!(&saved.beacon, &scene.beacon);
            }
            scene.hear_once(by, rssi, at);
            if index >= half {
                saved.hear_once(by, rssi, at);
            }
        }
        prop_assert_eq!(saved.beacon, scene.beacon);
    }

    /// A beacon is silent exactly once somebody who heard it has reported for long enough without it.
    #[test]
    fn silence_begins_when_it_is_due(gap in 1_i64..120, count in 3_usize..60, rest in 0_i64..4 * HOUR) {
        let mut scene = Scene::new();
        let mut last = 0;
        for index in 0..count {
            last = index as i64 * gap * 1_000;
            scene.hear_once(Some(1), -60.0, last);
        }
        scene.go_on(1, last + rest);
        let due = (15 * MINUTE).max(20 * gap * 1_000);
        // The mean of equal gaps is one of them, but for rounding.
        prop_assume!((rest - due).abs() > 1);
        prop_assert_eq!(scene.state().0 == Silent, rest > due);
    }
}
