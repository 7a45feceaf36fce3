use serde_json::{Value, json};

use super::*;

/// A device that can do everything.
fn everything() -> Capabilities {
    serde_json::from_value(json!({
        "on_off": {},
        "brightness": {},
        "volume": {"mute": true},
        "toggle": {"lock": {"name": "Child lock"}},
        "mode": {"fan": {"name": "Fan", "ordered": true, "settings": [
            {"key": "low", "name": "Low"}, {"key": "high", "name": "High"},
        ]}},
        "range": {"temperature": {"name": "Temperature", "min": 5, "max": 30, "step": 0.5, "unit": "celsius"}},
        "scene": {"reversible": true},
        "sensor": {"readings": ["temperature", "occupancy"]},
        "content": {"items": {"sale": {"name": "Summer sale"}}},
    }))
    .expect("capabilities")
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

#[test]
fn it_is_read_as_it_is_written() {
    let all = everything();
    assert_eq!(all.check(), Ok(()));
    assert_eq!(all.names().collect::<Vec<_>>(), Capabilities::NAMES);
    let again = serde_json::from_value(serde_json::to_value(&all).unwrap()).unwrap();
    assert_eq!(all, again);
    assert!(serde_json::from_value::<Capabilities>(json!({"flight": {}})).is_err());
}

/// Every order of every capability: from what state it leads where, or why not.
#[test]
fn orders_lead_where_they_say() {
    let all = everything();
    let part = |capability: &str, part: Value| Ok(object(json!({capability: part})));
    let fan = |setting: &str| part("mode", json!({"fan": setting}));
    let degrees = |degrees: f64| part("range", json!({"temperature": degrees}));
    let rows = [
        ("on_off.set", json!({"on": true}), json!({}), part("on_off", json!({"on": true}))),
        ("brightness.set", json!({"percent": 70}), json!({}), part("brightness", json!({"percent": 70}))),
        ("brightness.set", json!({"percent": 101}), json!({}), Err(CommandReason::OutOfRange)),
        (
            "brightness.adjust",
            json!({"by": -80}),
            json!({"brightness": {"percent": 70}}),
            part("brightness", json!({"percent": 0})),
        ),
        ("brightness.adjust", json!({"by": 101}), json!({}), Err(CommandReason::OutOfRange)),
        (
            "volume.set",
            json!({"percent": 5}),
            json!({"volume": {"percent": 1, "muted": true}}),
            part("volume", json!({"percent": 5, "muted": false})),
        ),
        (
            "volume.adjust",
            json!({"by": 5}),
            json!({"volume": {"percent": 99}}),
            part("volume", json!({"percent": 100, "muted": false})),
        ),
        (
            "volume.mute",
            json!({"muted": true}),
            json!({"volume": {"percent": 9}}),
            part("volume", json!({"percent": 9, "muted": true})),
        ),
        (
            "toggle.set",
            json!({"toggle": "lock", "on": true}),
            json!({}),
            part("toggle", json!({"lock": true})),
        ),
        ("toggle.set", json!({"toggle": "door", "on": true}), json!({}), Err(CommandReason::NotSupported)),
        ("mode.set", json!({"mode": "fan", "setting": "high"}), json!({}), fan("high")),
        ("mode.set", json!({"mode": "fan", "setting": "off"}), json!({}), Err(CommandReason::OutOfRange)),
        ("mode.adjust", json!({"mode": "fan", "by": 1}), json!({"mode": {"fan": "low"}}), fan("high")),
        ("mode.adjust", json!({"mode": "fan", "by": 30_000}), json!({"mode": {"fan": "high"}}), fan("high")),
        ("range.set", json!({"range": "temperature", "value": 21.5}), json!({}), degrees(21.5)),
        (
            "range.set",
            json!({"range": "temperature", "value": 31.5}),
            json!({}),
            Err(CommandReason::OutOfRange),
        ),
        (
            "range.adjust",
            json!({"range": "temperature", "by": -100.5}),
            json!({"range": {"temperature": 20}}),
            degrees(5.0),
        ),
        ("scene.activate", json!({}), json!({}), part("scene", json!({"active": true}))),
        ("scene.deactivate", json!({}), json!({}), part("scene", json!({"active": false}))),
        ("display.show", json!({"item": "sale"}), json!({}), part("content", json!({"item": "sale"}))),
        ("display.show", json!({"item": "war"}), json!({}), Err(CommandReason::OutOfRange)),
    ];
    for (name, args, state, expected) in &rows {
        let order = Order::read(name, args).unwrap_or_else(|fault| panic!("{name}: {fault}")).expect("known");
        assert_eq!(order.write(), ((*name).to_owned(), args.clone()), "{name}");
        let after = all.after(&object(state.clone()), &order);
        assert_eq!(&after, expected, "{name} {args} on {state}");
        if let Ok(patch) = after {
            assert_eq!(all.holds(&patch), Ok(()), "{name} {args} on {state}");
        }
        assert!(Capabilities::default().after(&Map::new(), &order).is_err(), "{name}");
    }
    for name in Order::NAMES.iter().copied().flatten() {
        assert!(rows.iter().any(|row| row.0 == *name), "{name} is tried nowhere");
    }
}

#[test]
fn what_is_no_order_is_told_from_what_is_wrong() {
    assert_eq!(Order::read("identify", &json!({})), Ok(None));
    for (name, args) in [
        ("on_off.set", json!({})),
        ("on_off.set", json!({"on": "yes"})),
        ("on_off.set", json!({"on": true, "now": 1})),
        ("on_off.set", json!([true])),
        ("brightness.set", json!({"percent": 300})),
        ("scene.activate", json!({"x": 1})),
    ] {
        assert!(Order::read(name, &args).is_err(), "{name} {args}");
    }
}

#[test]
fn wrong_declarations_are_told_where() {
    for (declared, path) in [
        (json!({"toggle": {}}), "/toggle"),
        (json!({"toggle": {"A": {"name": "A"}}}), "/toggle/A"),
        (json!({"toggle": {"a": {"name": " A"}}}), "/toggle/a/name"),
        (json!({"mode": {"a": {"name": "A", "settings": []}}}), "/mode/a/settings"),
        (
            json!({"mode": {"a": {"name": "A", "settings": [{"key": "x", "name": "X"}, {"key": "x", "name": "Y"}]}}}),
            "/mode/a/settings",
        ),
        (json!({"range": {"a": {"name": "A", "min": 1, "max": 1, "step": 1}}}), "/range/a/max"),
        (json!({"range": {"a": {"name": "A", "min": 1, "max": 2, "step": 0}}}), "/range/a/step"),
        (json!({"sensor": {"readings": []}}), "/sensor/readings"),
        (json!({"content": {"items": {"a/b": {"name": "A"}}}}), "/content/items/a~1b"),
    ] {
        let capabilities: Capabilities = serde_json::from_value(declared.clone()).expect("readable");
        assert_eq!(capabilities.check().map_err(|fault| fault.path), Err(path.to_owned()), "{declared}");
    }
}

#[test]
fn wrong_states_are_told_where_and_other_parts_are_the_devices_own() {
    let all = everything();
    for (state, path) in [
        (json!({"on_off": {"on": 1}}), "/on_off"),
        (json!({"brightness": {"percent": 200}}), "/brightness/percent"),
        (json!({"toggle": {"door": true}}), "/toggle/door"),
        (json!({"mode": {"fan": "off"}}), "/mode/fan"),
        (json!({"range": {"temperature": 99}}), "/range/temperature"),
        (json!({"sensor": {"humidity": 5}}), "/sensor/humidity"),
        (json!({"sensor": {"temperature": 5000}}), "/sensor/temperature"),
        (json!({"content": {"item": "war"}}), "/content/item"),
    ] {
        assert_eq!(
            all.holds(&object(state.clone())).map_err(|fault| fault.path),
            Err(path.to_owned()),
            "{state}"
        );
    }
    assert_eq!(all.holds(&object(json!({"firmware": "1.2", "on_off": {"on": false}}))), Ok(()));
    assert_eq!(Capabilities::default().holds(&object(json!({"on_off": "what"}))), Ok(()));
    let cannot_mute = Capabilities { volume: Some(Volume::default()), ..Capabilities::default() };
    assert!(cannot_mute.holds(&object(json!({"volume": {"percent": 1, "muted": true}}))).is_err());
}
