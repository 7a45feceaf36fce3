//! Levels and data become advertisements, each format as itself, and an hour of random air takes no more room than
//! a minute.

mod hour;

use protocol::beacon::{AltBeacon, Eid, IBeacon, Tlm, Uid, Url};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::book::MOST;
use super::*;

const BEACON: Address = [0xc0, 0xff, 0xee, 0, 0, 1];
const PHONE: Address = [0x4a, 0, 0, 0, 0, 2];

fn ear(change: impl FnOnce(&mut BluetoothConfig)) -> Ear {
    let mut config = BluetoothConfig::default();
    change(&mut config);
    let interest = Interest::new(&config.formats, &config.prefixes, config.min_rssi);
    Ear::new(&config, watch::Sender::new(interest).subscribe())
}

fn moment(ms: u64) -> Moment {
    Moment { at: Timestamp(1_790_000_000_000 + ms as i64), elapsed: Duration::from_millis(ms) }
}

fn frames() -> Vec<Frame> {
    vec![
        Frame::IBeacon(IBeacon { uuid: [7; 16], major: 1, minor: 2, power: -59 }),
        Frame::Uid(Uid { power: -18, namespace: [1; 10], instance: [2; 6] }),
        Frame::Eid(Eid { power: -18, eid: [3; 8] }),
        Frame::AltBeacon(AltBeacon { company: 0x0118, id: [4; 20], power: -60, reserved: 0 }),
        Frame::Url(Url::new(-18, "https://example.com/").unwrap()),
    ]
}

fn tlm() -> Frame {
    Frame::Tlm(Tlm { battery_mv: Some(2_900), temperature: Some(0x1580), advertisements: 9, uptime_ds: 10 })
}

fn speak(ear: &mut Ear, frame: &Frame, rssi: i16, ms: u64) -> Catch {
    let mut catch = Catch::default();
    ear.level(BEACON, rssi, moment(ms), &mut catch);
    ear.frames(BEACON, [Ok(frame.clone())].into_iter(), moment(ms), &mut catch);
    catch
}

fn text(catch: &Catch) -> Vec<(String, i8, Option<i8>)> {
    catch.heard.iter().map(|heard| (heard.id.to_string(), heard.rssi, heard.tx)).collect()
}

#[test]
fn each_format_is_heard_as_itself_at_the_level_before_it() {
    let mut ear = ear(|config| config.formats.push(Format::EddystoneUrl));
    ear.learn(BEACON, true, moment(0));
    for (n, frame) in frames().iter().enumerate() {
        let rssi = -60 - n as i8;
        let id = frame.identifier().map_or("ble:~c0:ff:ee:00:00:01".to_owned(), |id| id.to_string());
        let catch = speak(&mut ear, frame, rssi.into(), n as u64);
        assert_eq!(text(&catch), [(id, rssi, frame.tx())]);
        assert_eq!(catch.heard[0].at, moment(n as u64).at);
    }
}

#[test]
fn what_is_of_interest_may_become_something_else_while_it_listens() {
    let config = BluetoothConfig::default();
    let interest = watch::Sender::new(Interest::new(&config.formats, &[], -127));
    let mut ear = Ear::new(&config, interest.subscribe());
    let mut heard =
        |rssi| frames().iter().map(|frame| speak(&mut ear, frame, rssi, 0).heard.len()).sum::<usize>();
    assert_eq!(heard(-60), 4);
    interest.send_replace(Interest::new(
        &[Format::EddystoneUid, Format::EddystoneEid],
        &["EID:".into()],
        -80,
    ));
    assert_eq!((heard(-80), heard(-81)), (1, 0));
}

#[test]
fn only_the_formats_prefixes_and_levels_that_are_asked_for_are_reported() {
    let mut only = ear(|config| config.formats = vec![Format::Altbeacon]);
    let heard: Vec<_> = frames().iter().flat_map(|frame| speak(&mut only, frame, -60, 0).heard).collect();
    assert!(matches!(heard[..], [Heard { id: Identifier::AltBeacon(_), .. }]), "{heard:?}");

    let mut owner = ear(|config| config.prefixes = vec!["EDDYSTONE:0101".into(), "eid:".into()]);
    let heard: Vec<_> = frames().iter().flat_map(|frame| speak(&mut owner, frame, -60, 0).heard).collect();
    assert!(matches!(
        heard[..],
        [Heard { id: Identifier::Eddystone { .. }, .. }, Heard { id: Identifier::Eid(_), .. }]
    ));

    let mut near = ear(|config| config.min_rssi = -80);
    assert_eq!(speak(&mut near, &frames()[0], -81, 0).heard.len(), 0);
    assert_eq!(speak(&mut near, &frames()[0], -80, 0).heard.len(), 1);
    assert_eq!(speak(&mut near, &frames()[0], 127, 0).heard.len(), 0, "not known");
}

#[test]
fn what_a_beacon_says_of_itself_goes_with_the_identifier_of_its_address() {
    let mut ear = ear(|_| {});
    let unknown = speak(&mut ear, &tlm(), -60, 0);
    assert!(unknown.heard.is_empty() && unknown.telemetry.is_empty(), "nobody knows whose it is");
    speak(&mut ear, &frames()[1], -61, 100);
    let known = speak(&mut ear, &tlm(), -62, 200);
    let id = frames()[1].identifier().unwrap();
    assert_eq!(text(&known), [(id.to_string(), -62, None)], "that is an advertisement too");
    assert_eq!(known.telemetry[0].id, id);
    assert_eq!(known.telemetry[0].tlm.celsius(), Some(21.5));
}

#[test]
fn a_newcomer_is_heard_at_once_and_one_of_another_time_is_not() {
    let mut ear = ear(|config| config.formats.push(Format::Ble));
    let mut meet = |address, rssi, frames: Vec<Frame>| {
        let mut catch = Catch::default();
        let newcomer = Newcomer { random: true, rssi, frames: frames.into_iter().map(Ok) };
        ear.meet(address, newcomer, moment(0), &mut catch);
        text(&catch)
    };
    assert_eq!(meet(BEACON, None, frames()), []);
    assert_eq!(meet(BEACON, Some(-70), vec![frames()[0].clone()])[0].1, -70);
    for _ in 0..2 {
        assert_eq!(meet(PHONE, Some(-80), vec![]), [("ble:~4a:00:00:00:00:02".to_owned(), -80, None)]);
    }
}

#[test]
fn others_are_heard_by_their_level_and_beacons_are_not() {
    let mut ear = ear(|config| config.formats.push(Format::Ble));
    assert!(ear.wonders(PHONE));
    ear.learn(PHONE, false, moment(0));
    assert!(!ear.wonders(PHONE));
    let mut heard = Vec::new();
    for n in 0..4 {
        let mut catch = Catch::default();
        ear.level(PHONE, -70 - n, moment(n as u64), &mut catch);
        // Data that are of no beacon change nothing.
        ear.frames(PHONE, [Err(BeaconError::Unknown)].into_iter(), moment(n as u64), &mut catch);
        heard.extend(text(&catch));
    }
    let id = "ble:4a:00:00:00:00:02".to_owned();
    assert_eq!(heard, [-71, -72, -73].map(|rssi| (id.clone(), rssi, None)), "the first says too little");
    ear.learn(BEACON, true, moment(0));
    for n in 0..4 {
        let catch = speak(&mut ear, &frames()[0], -60, n);
        assert_eq!(catch.heard.len(), 1, "as a beacon and not by its address as well");
    }
}

/// A busy place: 500 advertisements a second, each address gone after ten, all of them random, for an hour.
#[test]
fn an_hour_of_random_air_takes_no_more_room_than_a_minute() {
    let mut ear = ear(|config| config.formats.push(Format::Ble));
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let (mut catch, mut heard) = (Catch::default(), 0);
    for n in 0..3_600 * 50_u64 {
        let (address, now) = (rng.random(), moment(n * 20));
        ear.learn(address, true, now);
        for _ in 0..10 {
            ear.level(address, rng.random_range(-90..-40), now, &mut catch);
        }
        heard += catch.heard.len();
        catch.heard.clear();
        assert!(ear.book().len() <= MOST);
        // A map of this many needs no more than that, whatever came and went.
        assert!(ear.book().capacity() <= 4 * MOST);
    }
    assert_eq!(heard, 3_600 * 50 * 9);
}
