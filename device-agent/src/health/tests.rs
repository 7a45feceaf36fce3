//! Numbers are told each minute at most and only when they are others; what matters is told at once.

use super::*;

fn health(dir: &Path) -> Health {
    Health::of(Machine::below(dir, dir))
}

fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn facts(heard: u64) -> Facts {
    let adapter = AdapterStatus {
        name: Some("hci0".into()),
        state: AdapterState::Scanning,
        ..AdapterStatus::default()
    };
    Facts { heard, clock_known: true, adapter: Some(adapter), ..Facts::default() }
}

#[test]
fn numbers_are_told_once_a_minute_if_they_are_others() {
    let dir = tempfile::tempdir().unwrap();
    let mut health = health(dir.path());
    assert_eq!(health.due(), s(0));
    let first = health.look(&facts(0), s(1)).unwrap();
    assert_eq!(first["heard_per_s"], Value::Null);
    assert_eq!(first["adapter"], json!({"name": "hci0", "state": "scanning", "restarts": 0, "failures": 0}));
    assert_eq!((health.look(&facts(1_000), s(60)), health.due()), (None, s(61)));
    assert_eq!(health.look(&facts(12_345), s(61)).unwrap()["heard_per_s"], 210.0);
    assert_eq!(health.look(&facts(2 * 12_345), s(121)), None, "the same again");
    assert_eq!(health.due(), s(181));
}

#[test]
fn what_matters_is_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut health = health(dir.path());
    health.look(&facts(0), s(0)).unwrap();
    let mut failing = facts(0);
    failing.adapter.as_mut().unwrap().state = AdapterState::Failing;
    assert_eq!(health.look(&failing, s(4)), None, "it may be back in a moment");
    assert_eq!(health.look(&failing, s(5)).unwrap()["adapter"]["state"], "failing");
    assert_eq!(health.look(&failing, s(11)), None);
    assert_eq!(health.look(&facts(0), s(12)).unwrap()["adapter"]["state"], "scanning");
    let lossy = Facts { lost: 7, ..facts(0) };
    assert_eq!(health.look(&lossy, s(20)).unwrap()["lost"], 7);
    assert_eq!(health.look(&Facts { lost: 8, ..lossy }, s(30)), None, "more of the same is a number");
}

#[test]
fn a_rate_has_two_digits() {
    for (rate, shown) in [(0.0, 0.0), (0.034_4, 0.034), (1.26, 1.3), (99.6, 100.0), (512.3, 510.0)] {
        assert!((two_digits(rate) - shown).abs() < 1e-9, "{rate}");
    }
}
