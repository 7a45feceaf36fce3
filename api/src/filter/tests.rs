use proptest::prelude::*;
use protocol::{Capabilities, DeviceId, OrganizationId};
use serde_json::{Value, json};
use store::{Device, Placement, Side, Twin};

use super::*;

const VENUE: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// A kiosk in a shop's window, with its twin.
fn kiosk() -> (Device, Twin) {
    let organization: OrganizationId = VENUE.parse().unwrap();
    let id: DeviceId = VENUE.parse().unwrap();
    let profile = json!({"type": "display", "capabilities": {"on_off": {}, "brightness": {}}});
    let venue = VENUE.parse().unwrap();
    let device = Device {
        id,
        organization,
        kind: DeviceKind::Kiosk,
        owner: None,
        name: "Big \"Window\"".into(),
        identifier: None,
        ephemeral: None,
        profile: Some(serde_json::from_value(profile).unwrap()),
        placement: Some(Placement { effective_from: Timestamp(0), venue, zone: None, position: None }),
        created_at: Timestamp(1_000_250),
        updated_at: Timestamp(2_000_000),
    };
    let mut twin = Twin::new(organization, id);
    let Value::Object(state) = json!({"on_off": {"on": false}, "brightness": {"percent": 40},
        "firmware": "1.9.2", "list": [1], "a b": {"x.y": 7}})
    else {
        unreachable!()
    };
    twin.reported.state = state;
    (device, twin)
}

fn means(filter: &str) -> bool {
    let (device, twin) = kiosk();
    let filter: Filter = filter.parse().unwrap_or_else(|error| panic!("{filter}: {error}"));
    filter.means(&Subject { device: &device, twin: Some(&twin), is_connected: true })
}

#[test]
fn what_a_filter_means() {
    let yes = [
        "kind = kiosk and connected = true and reported.on_off.on = false and name ~ \"window\"",
        "kind = \"kiosk\"",
        "kind != tag",
        "kind exists",
        "name = \"Big \\\"Window\\\"\"",
        "venue = 01890A5D-ac96-774b-bcce-b302099a8057",
        "zone = null",
        "not zone exists",
        "type = display",
        "capability = brightness and capability = on_off",
        "capability != volume",
        "capability exists",
        "created_at > 1970-01-01T00:16:40Z and created_at < 1970-01-01T00:16:40.5Z",
        "created_at = \"1970-01-01T01:16:40.25+01:00\"",
        "updated_at >= 1970-01-01T00:33:20Z and updated_at <= 1970-01-01T00:33:20Z",
        "reported.brightness.percent >= 40 and reported.brightness.percent < 40.5",
        "reported.brightness.percent != -1e3",
        "reported.firmware < \"2\" and reported.firmware ~ \"1.9\"",
        "reported.\"a b\".\"x.y\" = 7",
        "reported.on_off exists and not reported.off exists",
        "reported.nothing = null and desired.on_off.on = null",
        "reported.nothing != 5",
        "kind = tag or kind = kiosk and connected = true",
        "not (kind = tag or connected = false)",
        "not not kind=kiosk",
        "(((((((kind = kiosk)))))))",
    ];
    let no = [
        "kind = tag",
        "connected = false",
        "venue = null",
        "zone exists",
        "capability = volume",
        "(kind = tag or kind = kiosk) and connected = false",
        "reported.brightness.percent > 40",
        "reported.brightness.percent < \"9\"",
        "reported.on_off = null",
        "reported.list = 1",
        "reported.list ~ \"1\"",
        "reported.firmware.more exists",
        "desired.on_off.on = false",
        "reported.nothing < 5",
        "name ~ \"door\"",
    ];
    for filter in yes {
        assert!(means(filter), "{filter}");
    }
    for filter in no {
        assert!(!means(filter), "{filter}");
    }
}

#[test]
fn a_mistake_says_where_it_is_and_what_would_be_right() {
    let fields = "a field: one of kind, name, venue, zone, type, capability, connected, created_at, updated_at, \
                  reported.… and desired.…";
    let cases = [
        ("", 1, fields),
        ("colour = red", 1, fields),
        ("reported = 1", 1, fields),
        ("kind.x = tag", 1, fields),
        ("kind = kiosk and", 17, fields),
        ("kind", 5, "`exists` or an operator: `!=` `=`"),
        ("kind > tag", 6, "`exists` or an operator: `!=` `=`"),
        ("kind = ", 8, "a kind: beacon, gateway, kiosk, phone, tag or appliance"),
        ("kind = lamp", 8, "a kind: beacon, gateway, kiosk, phone, tag or appliance"),
        ("connected = \"true\"", 13, "`true` or `false`"),
        ("name ~ 7", 8, "a text in double quotes"),
        ("name = ü", 8, "a word, an operator or a parenthesis"),
        ("name = \"ü", 10, "a closing `\"`"),
        ("name = \"\\n\"", 10, "`\"` or `\\` after a backslash"),
        ("venue = here", 9, "an id or `null`"),
        ("created_at > 2026-03-01", 14, "a time in RFC 3339, such as 2026-03-01T09:00:00Z"),
        ("reported.a. = 1", 12, "a name after the dot"),
        ("reported.a > true", 14, "a number or a text in double quotes"),
        ("kind = tag kind = tag", 12, "`and`, `or` or the end"),
        ("(kind = tag", 12, "`and`, `or` or `)`"),
        ("kind = tag)", 11, "`and`, `or` or the end"),
        ("((((((((( kind = tag", 9, "at most 8 parentheses and `not` within each other"),
    ];
    for (text, at, expected) in cases {
        assert_eq!(text.parse::<Filter>(), Err(FilterError { at, expected: expected.into() }), "{text}");
    }
    let many = vec!["connected = true"; 33].join(" or ");
    assert!(many.parse::<Filter>().unwrap_err().to_string().ends_with("expected at most 32 terms"));
    let long = format!("name = \"{}\"", "é".repeat(520));
    assert_eq!(long.parse::<Filter>().unwrap_err().expected, "at most 1024 bytes");
}

#[test]
fn what_every_device_must_have_is_left_to_the_store() {
    let narrowed = |filter: &str| filter.parse::<Filter>().unwrap().narrowed();
    let (venue, kind) = (Some(VENUE.parse().unwrap()), Some(DeviceKind::Kiosk));
    let both = format!("connected = true and kind = kiosk and venue = {VENUE}");
    assert_eq!(narrowed(&both), DeviceFilter { venue, kind });
    assert_eq!(narrowed("kind = kiosk"), DeviceFilter { venue: None, kind });
    for open in ["kind = kiosk or connected = true", "not kind = kiosk", "kind != kiosk", "venue = null"] {
        assert_eq!(narrowed(open), DeviceFilter::default(), "{open}");
    }
    assert!("not (kind = tag or desired.a exists)".parse::<Filter>().unwrap().needs_twins());
    assert!(!"name ~ \"reported.\"".parse::<Filter>().unwrap().needs_twins());
}

fn terms() -> impl Strategy<Value = Expression> {
    let equal = prop_oneof![Just(Comparison::Equal), Just(Comparison::NotEqual)];
    let order = prop_oneof![Just(Comparison::Less), Just(Comparison::AtLeast), Just(Comparison::Equal)];
    let text = "[ -~äé\"\\\\]{0,6}";
    let side = prop_oneof![Just(Side::Desired), Just(Side::Reported)];
    let is = |field, comparison, literal| Term { field, test: Test::Is(comparison, literal) };
    prop_oneof![
        equal.clone().prop_map(move |how| is(Field::Kind, how, Literal::Text("tag".into()))),
        (equal.clone(), text).prop_map(move |(how, text)| is(Field::Name, how, Literal::Text(text))),
        equal.clone().prop_map(move |how| is(Field::Zone, how, Literal::Null)),
        equal.clone().prop_map(move |how| is(Field::Venue, how, Literal::Text(VENUE.into()))),
        (equal.clone(), any::<bool>()).prop_map(move |(how, value)| is(
            Field::Connected,
            how,
            Literal::Bool(value)
        )),
        (equal, 0..Capabilities::NAMES.len()).prop_map(move |(how, index)| {
            is(Field::Capability, how, Literal::Text(Capabilities::NAMES[index].into()))
        }),
        (order.clone(), 0..4_000_000_000_000_i64).prop_map(move |(how, ms)| is(
            Field::CreatedAt,
            how,
            Literal::At(Timestamp(ms))
        )),
        (side.clone(), prop::collection::vec(text, 1..3), order, -1e6..1e6_f64).prop_map(
            move |(side, path, how, number)| is(Field::Twin(side, path), how, Literal::Number(number))
        ),
        (side, text)
            .prop_map(|(side, name)| Term { field: Field::Twin(side, vec![name]), test: Test::Exists }),
    ]
    .prop_map(Expression::Term)
}

fn expressions() -> impl Strategy<Value = Expression> {
    terms().prop_recursive(3, 12, 3, |inner| {
        let parts = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            parts.clone().prop_map(Expression::And),
            parts.prop_map(Expression::Or),
            inner.prop_map(|part| Expression::Not(Box::new(part))),
        ]
    })
}

proptest! {
    #[test]
    fn a_printed_filter_reads_as_itself(expression in expressions()) {
        let filter = Filter(expression);
        let text = filter.to_string();
        prop_assume!(text.len() <= MAX_BYTES);
        prop_assert_eq!(text.parse(), Ok(filter), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,80}") {
        let _: Result<Filter, FilterError> = text.parse();
    }

    #[test]
    fn what_looks_like_a_filter_is_read_or_refused(
        words in prop::collection::vec(
            prop::sample::select(vec!["kind", "name", "reported.a", "=", "!=", "<", "~", "and", "or", "not", "(", ")",
                "exists", "\"a\"", "7", "tag", "null", ".", "\"", "\\"]),
            0..40,
        )
    ) {
        if let Ok(filter) = words.join(" ").parse::<Filter>() {
            prop_assert_eq!(filter.to_string().parse(), Ok(filter));
        }
    }
}
