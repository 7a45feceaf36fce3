//! The same key gives the same names, what is private stays private, and the key shows nowhere.

use std::os::unix::fs::PermissionsExt;

use protocol::Timestamp;
use serde_json::Map;
use tempfile::TempDir;

use super::*;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const OTHER: &str = "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

fn open(dir: &TempDir, pseudonyms: Pseudonyms) -> Privacy {
    Privacy::open(PrivacyConfig { pseudonyms }, dir.path()).unwrap()
}

fn desired(version: u64, part: Value) -> Desired {
    Desired { version, state: Map::from_iter([(PART.to_owned(), part)]), delta: None }
}

fn hide(privacy: &mut Privacy, id: &str) -> String {
    let heard = Heard { id: id.parse().unwrap(), rssi: -60, at: Timestamp(0), tx: None };
    privacy.hide(heard).map_or("nothing".into(), |heard| heard.id.to_string())
}

#[test]
fn a_name_depends_on_the_key_and_on_nothing_else() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut one, mut other) = (open(&one, Pseudonyms::Twin), open(&other, Pseudonyms::Twin));
    let id = "ble:00:11:22:33:44:55";
    assert_eq!(hide(&mut one, id), id, "not switched on");
    one.desire(&desired(1, json!({"key": KEY})));
    other.desire(&desired(7, json!({"key": KEY, "identifiers": "all"})));
    assert_eq!(hide(&mut one, id), "app:Fo44a0mJLIuaVraknsg3tw", "what was sent once is sent for ever");
    assert_eq!(hide(&mut one, id), hide(&mut other, id));
    other.desire(&desired(8, json!({"key": OTHER})));
    assert_ne!(hide(&mut one, id), hide(&mut other, id));
    one.desire(&desired(2, Value::Null));
    assert_eq!(hide(&mut one, id), id, "switched off");
}

#[test]
fn what_is_never_counted_stays_so_and_what_only_the_platform_resolves_reaches_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut privacy = open(&dir, Pseudonyms::Twin);
    let ibeacon = "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7";
    for (version, scope) in [(1, "addresses"), (2, "all")] {
        privacy.desire(&desired(version, json!({"key": KEY, "identifiers": scope})));
        for private in ["ble:~4a:00:01:02:03:04", "ble:~0a:00:01:02:03:04"] {
            let other: Identifier = hide(&mut privacy, private).parse().unwrap();
            assert!(other.is_transient() && other.to_string() != private, "{other}");
            let (Identifier::Ble { address: other, .. }, Ok(Identifier::Ble { address: own, .. })) =
                (other, private.parse())
            else {
                panic!("addresses")
            };
            assert_eq!(other[0] >> 6, own[0] >> 6, "resolvable or not as it was");
        }
        assert_eq!(hide(&mut privacy, "eid:0123456789abcdef"), "eid:0123456789abcdef");
        assert!(hide(&mut privacy, "ble:~ca:00:01:02:03:04").starts_with("app:"), "static");
        assert_eq!(hide(&mut privacy, ibeacon) == ibeacon, scope == "addresses");
    }
}

#[test]
fn the_order_outlives_a_restart_and_an_older_one_does_not_undo_it() {
    let dir = tempfile::tempdir().unwrap();
    let id = "ble:00:11:22:33:44:55";
    let mut privacy = open(&dir, Pseudonyms::Twin);
    assert!(privacy.has_changed() && !privacy.has_changed(), "at first it was never told");
    privacy.desire(&desired(5, json!({"key": KEY})));
    assert!(privacy.has_changed() && !privacy.has_changed());
    let name = hide(&mut privacy, id);
    privacy.desire(&desired(7, json!({"key": KEY})));
    privacy.desire(&desired(6, Value::Null));
    privacy.desire(&desired(4, Value::Null));
    privacy.desire(&desired(8, json!({"key": "short"})));
    privacy.desire(&desired(8, json!({"key": KEY, "colour": "red"})));
    assert_eq!(hide(&mut privacy, id), name);
    drop(privacy);
    assert_eq!(hide(&mut open(&dir, Pseudonyms::Twin), id), name);
    let mode = fs::metadata(dir.path().join("privacy.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::write(dir.path().join("privacy.json"), "{}x").unwrap();
    assert!(Privacy::open(PrivacyConfig::default(), dir.path()).is_err(), "rather nothing than names");
}

#[test]
fn without_a_key_nothing_leaves_where_one_is_required() {
    let dir = tempfile::tempdir().unwrap();
    let mut privacy = open(&dir, Pseudonyms::Required);
    assert_eq!(hide(&mut privacy, "ble:00:11:22:33:44:55"), "nothing");
    assert_eq!(privacy.withheld(), 1);
    privacy.desire(&desired(1, json!({"key": KEY})));
    assert!(hide(&mut privacy, "ble:00:11:22:33:44:55").starts_with("app:"));
}

#[test]
fn the_key_shows_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let mut privacy = open(&dir, Pseudonyms::Twin);
    privacy.desire(&desired(1, json!({"key": KEY})));
    let shown = format!("{privacy:?} {}", privacy.report());
    assert!(!shown.contains(KEY) && !shown.contains("[0, 1, 2"), "{shown}");
    assert_eq!(privacy.report()["pseudonyms"], true);
    let wrong = Wanted::deserialize(json!({"key": [1, 2, 3]})).unwrap_err().to_string();
    assert_eq!(wrong, "a key is 32 bytes in base64url");
}
