//! Numbers of a time as a whole: dwell, the heat map, journeys.

use serde_json::{Value, json};

use super::morning;
use crate::world::Answer;
use protocol::ZoneId;

/// The numbers of an answer without what it is about.
fn only(answer: &Answer, fields: &[&str]) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let whole = answer.json();
    assert_eq!((&whole["definitions"], &whole["timezone"]), (&json!("2026-2"), &json!("Europe/Vienna")));
    fields
        .iter()
        .map(|field| ((*field).to_owned(), whole[field].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Two hours around the morning.
const MORNING: &str = "from=2026-03-02T08:00:00Z&to=2026-03-02T10:00:00Z";

#[tokio::test]
async fn dwell_of_a_morning() {
    let shop = morning().await;
    let fields = ["visits", "mean_s", "median_s", "p90_s", "buckets", "suppressed"];
    let answer = shop.get(&format!("dwell?{MORNING}")).await;
    let buckets = |counts: [u64; 6]| {
        let ends = [Some(120), Some(300), Some(600), Some(1_200), Some(2_400), None];
        let starts = [0, 120, 300, 600, 1_200, 2_400];
        let bucket = |((from, to), visits)| json!({"from_s": from, "to_s": to, "visits": visits});
        starts.into_iter().zip(ends).zip(counts).map(bucket).collect::<Vec<_>>()
    };
    let expected = json!({"visits": 3, "mean_s": 1400.0, "median_s": 1800.0, "p90_s": 1800.0,
        "buckets": buckets([0, 0, 0, 1, 2, 0]), "suppressed": false});
    assert_eq!(only(&answer, &fields), expected);
    let street = shop.get(&format!("dwell?{MORNING}&zone={}", shop.street)).await;
    let expected = json!({"visits": 0, "mean_s": null, "median_s": null, "p90_s": null,
        "buckets": buckets([0; 6]), "suppressed": false});
    assert_eq!(only(&street, &fields), expected);
    let nowhere = shop.get(&format!("dwell?{MORNING}&zone=01890a5d-ac96-774b-bcce-b302099a8057")).await;
    assert_eq!(nowhere.problem(), "invalid-query");
    let crooked = shop.get("dwell?from=2026-03-02T08:00:01Z&to=2026-03-02T10:00:00Z").await;
    assert_eq!(crooked.problem(), "invalid-query");
    shop.world.stop().await;
}

#[tokio::test]
async fn a_heat_map_has_every_zone() {
    let shop = morning().await;
    let answer = shop.get(&format!("heatmap?{MORNING}")).await;
    let warmth = |zone: ZoneId, kind: &str, numbers: [u64; 4], draw: f64| {
        json!({"zone": zone.to_string(), "kind": kind, "person_s": numbers[0] as f64, "zone_stays": numbers[1],
            "visits": numbers[2], "occupancy_peak": numbers[3], "draw": draw, "suppressed": false})
    };
    let expected = [
        warmth(shop.door, "entrance", [900, 2, 2, 1], 2.0 / 3.0),
        warmth(shop.hall, "interior", [5_160, 4, 3, 3], 1.0),
        warmth(shop.street, "outside", [3_600, 1, 0, 1], 0.0),
        warmth(shop.office, "staff", [7_200, 0, 0, 1], 0.0),
    ];
    let by_id = |zones: &mut Vec<Value>| zones.sort_by_key(|zone| zone["zone"].as_str().unwrap().to_owned());
    let (mut expected, mut found) = (expected.to_vec(), answer.json()["zones"].as_array().unwrap().clone());
    by_id(&mut expected);
    by_id(&mut found);
    assert_eq!(found, expected);
    shop.world.stop().await;
}

#[tokio::test]
async fn journeys_of_a_morning() {
    let shop = morning().await;
    let (door, hall, street) = (shop.door.to_string(), shop.hall.to_string(), shop.street.to_string());
    let answer = shop.get(&format!("journeys?{MORNING}&sequence={door},{hall}&paths=1")).await;
    let expected = json!({
        "visits": 3,
        "transitions": [
            {"from": hall, "to": null, "count": 3},
            {"from": null, "to": door, "count": 2},
            {"from": door, "to": hall, "count": 2},
            {"from": null, "to": hall, "count": 1},
        ],
        "paths": [{"zones": [door, hall], "visits": 2}],
        "funnel": [
            {"zone": door, "visits": 2, "part": 2.0 / 3.0},
            {"zone": hall, "visits": 2, "part": 2.0 / 3.0},
        ],
    });
    let mut found = only(&answer, &["visits", "transitions", "paths", "funnel"]);
    let order = |transition: &Value| {
        let count = transition["count"].as_u64().unwrap();
        (std::cmp::Reverse(count), transition["from"] == json!(door), transition["from"].is_string())
    };
    found["transitions"].as_array_mut().unwrap().sort_by_key(order);
    assert_eq!(found, expected);
    let crossing = shop.get(&format!("cross-shopping?{MORNING}&zone={hall}")).await;
    let expected = json!({"visits": 3, "others": [{"zone": door, "visits": 2, "part": 2.0 / 3.0}]});
    assert_eq!(only(&crossing, &["visits", "others"]), expected);
    let crossing = shop.get(&format!("cross-shopping?{MORNING}&zone={street}")).await;
    assert_eq!(only(&crossing, &["visits", "others"]), json!({"visits": 0, "others": []}));
    let many = vec![door.as_str(); 17].join(",");
    for wrong in ["sequence=x", "paths=0", "paths=501", &format!("sequence={many}")] {
        let answer = shop.get(&format!("journeys?{MORNING}&{wrong}")).await;
        assert_eq!(answer.problem(), "invalid-query", "{wrong}");
    }
    assert_eq!(shop.get(&format!("cross-shopping?{MORNING}")).await.problem(), "invalid-query");
    shop.world.stop().await;
}

#[tokio::test]
async fn a_time_is_compared_with_another() {
    let shop = morning().await;
    let path = format!("footfall?{MORNING}&bucket=hour&compare_from=2026-03-02T09:00:00Z");
    let answer = shop.get(&path).await.json();
    let compared = &answer["compared"];
    assert_eq!(
        (&compared["from"], &compared["to"]),
        (&json!("2026-03-02T09:00:00Z"), &json!("2026-03-02T11:00:00Z"))
    );
    assert_eq!(compared["series"][0], answer["series"][1]);
    assert_eq!((&compared["total"]["visits"], &answer["total"]["visits"]), (&json!(1), &json!(3)));
    for wrong in ["2026-03-02T09:00:01Z", "soon", "9999-12-31T00:00:00Z"] {
        let answer = shop.get(&format!("footfall?{MORNING}&bucket=hour&compare_from={wrong}")).await;
        assert_eq!(answer.problem(), "invalid-query", "{wrong}");
    }
    assert_eq!(shop.get(&format!("footfall?{MORNING}&bucket=hour")).await.json()["compared"], Value::Null);
    shop.world.stop().await;
}

#[tokio::test]
async fn venues_are_compared_day_by_day_of_their_own() {
    let shop = morning().await;
    let far = json!({"name": "Far", "timezone": "Pacific/Auckland", "day_starts_at": "04:00"});
    let far = shop.world.make("/api/v1/venues", &far).await;
    let of = async |rest: &str| shop.world.get(&format!("/api/v1/footfall?{rest}")).await;
    let both = format!("venues={},{far}", shop.venue);
    let answer = of(&format!("{both}&from=2026-03-02&to=2026-03-04&bucket=day")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let items = answer.json()["items"].clone();
    let seen = |item: &Value| {
        [&item["from"], &item["to"], &item["total"]["visits"], &item["series"][0]["visits"]].map(Value::clone)
    };
    assert_eq!(
        seen(&items[0]),
        [json!("2026-03-01T23:00:00Z"), json!("2026-03-03T23:00:00Z"), json!(3), json!(3)]
    );
    assert_eq!(
        seen(&items[1]),
        [json!("2026-03-01T15:00:00Z"), json!("2026-03-03T15:00:00Z"), json!(0), json!(0)]
    );
    assert_eq!((items.as_array().unwrap().len(), items[1]["series"].as_array().unwrap().len()), (2, 2));
    let week = of(&format!("{both}&from=2026-03-02&to=2026-03-09&bucket=week")).await.json();
    assert_eq!(week["items"][0]["total"]["visits"], 3);
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    for wrong in [
        format!("{both}&from=2026-03-02&to=2026-03-04&bucket=hour"),
        format!("{both}&from=2026-03-03&to=2026-03-10&bucket=week"),
        format!("{both}&from=2026-03-04&to=2026-03-02&bucket=day"),
        format!("{both}&from=2026-02-30&to=2026-03-02&bucket=day"),
        format!("{both}&from=2000-01-01&to=2026-03-02&bucket=day"),
        format!("venues={nobody}&from=2026-03-02&to=2026-03-04&bucket=day"),
        format!("venues={far},{far}&from=2026-03-02&to=2026-03-04&bucket=day"),
        format!("venues={}&from=2026-03-02&to=2026-03-04&bucket=day", vec![far.as_str(); 101].join(",")),
        "from=2026-03-02&to=2026-03-04&bucket=day".to_owned(),
    ] {
        assert_eq!(of(&wrong).await.problem(), "invalid-query", "{wrong}");
    }
    shop.world.stop().await;
}
