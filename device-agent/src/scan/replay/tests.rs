//! Recordings are read line by line, paced by elapsed time and shifted as asked.

use std::fs;
use std::time::Duration;

use protocol::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;

fn recording(text: &str, speed: f64, shift: Shift) -> (TempDir, ReplayConfig) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("air.csv");
    fs::write(&file, text).expect("the recording");
    (dir, ReplayConfig { file, speed, shift, exit_at_end: false })
}

async fn play(config: &ReplayConfig, clock: &Clock) -> Vec<Heard> {
    let mut replay = Replay::open(config, clock).expect("a recording");
    let mut all = Vec::new();
    while let Some(heard) = replay.next(clock).await.expect("a readable recording") {
        all.push(heard);
    }
    all
}

#[tokio::test]
async fn good_lines_are_heard_and_bad_ones_passed_over() {
    let long = format!("1,app:{},-50\n", "x".repeat(300));
    let text = [
        "# a comment\n\n 1000 , ble:c2:01:02:03:04:05 , -67 \r\n",
        "1001,app:a,b,-60\n1002,app:a,-60,-59\n",
        "nonsense\n1003,app:,-60\n1004,app:a,-128\n1005,app:a\n1e3,app:a,-5\n",
        &long,
        "1006,app:last,20",
    ]
    .concat();
    let (_dir, config) = recording(&text, 0.0, Shift::None);
    let clock = Clock::Manual(ManualClock::new(Timestamp(0)));
    let all = play(&config, &clock).await;
    let expected = [
        ("ble:c2:01:02:03:04:05", -67, 1_000, None),
        ("app:a,b", -60, 1_001, None),
        ("app:a", -60, 1_002, Some(-59)),
        ("app:last", 20, 1_006, None),
    ];
    let expected: Vec<Heard> = expected
        .map(|(id, rssi, at, tx)| Heard { id: id.parse().unwrap(), rssi, at: Timestamp(at), tx })
        .into();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_one_bad_line() {
    let (_dir, config) = recording("", 0.0, Shift::None);
    fs::write(&config.file, b"\xff\xfe\n1,app:a,-50\n").unwrap();
    let clock = Clock::Manual(ManualClock::new(Timestamp(0)));
    assert_eq!(play(&config, &clock).await.len(), 1);
}

#[tokio::test]
async fn times_are_shifted_to_begin_or_to_end_now() {
    let text = "5000,app:a,-50\n4000,app:a,-50\n9000,app:a,-50\n";
    let clock = Clock::Manual(ManualClock::new(Timestamp(1_000_000)));
    let expected = [
        (Shift::None, [5_000, 4_000, 9_000]),
        (Shift::StartsNow, [1_001_000, 1_000_000, 1_005_000]),
        (Shift::EndsNow, [996_000, 995_000, 1_000_000]),
    ];
    for (shift, times) in expected {
        let (_dir, config) = recording(text, 0.0, shift);
        let all = play(&config, &clock).await;
        assert_eq!(all.iter().map(|heard| heard.at.0).collect::<Vec<_>>(), times, "{shift:?}");
    }
}

#[tokio::test]
async fn a_paced_recording_waits_for_elapsed_time() {
    let (_dir, config) = recording("1000,app:a,-50\n5000,app:b,-50\n", 2.0, Shift::None);
    let manual = ManualClock::new(Timestamp(0));
    let clock = Clock::Manual(manual.clone());
    let mut replay = Replay::open(&config, &clock).unwrap();
    assert_eq!(replay.next(&clock).await.unwrap().unwrap().at, Timestamp(1_000));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    manual.advance(Duration::from_millis(1_999));
    assert!(std::pin::pin!(replay.next(&clock)).poll(&mut context).is_pending(), "dropped while waiting");
    manual.advance(Duration::from_millis(1));
    assert_eq!(replay.next(&clock).await.unwrap().unwrap().at, Timestamp(5_000));
    assert_eq!(replay.next(&clock).await.unwrap(), None);
}
