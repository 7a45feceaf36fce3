//! Footfall, occupancy and stays, over rows written as a worker writes them.

mod whole;

use std::collections::BTreeMap;

use api::Config;
use presence::{Occupancy, Stay, Visit, VisitClass};
use protocol::{StayId, Subject, Timestamp, VenueId, VisitId, ZoneId};
use serde_json::{Value, json};
use store::Checkpoint;

use crate::world::{Answer, HOUR, NOW, World};

const MINUTE: i64 = 60_000;
/// 2026-03-02T08:00:00Z, nine o'clock in Vienna.
const NINE: i64 = NOW - 4 * HOUR;

/// A venue with a door, a hall, the street and an office, and what was seen there.
pub(crate) struct Shop {
    pub(crate) world: World,
    venue: VenueId,
    pub(crate) door: ZoneId,
    pub(crate) hall: ZoneId,
    street: ZoneId,
    office: ZoneId,
    visits: Vec<Visit>,
    stays: Vec<Stay>,
}

impl Shop {
    /// Where groups of one are shown.
    async fn new() -> Shop {
        Self::with(Config { smallest_group: 1, ..Config::default() }).await
    }

    pub(crate) async fn with(config: Config) -> Shop {
        let world = World::with(config).await;
        let id = world.make_venue().await;
        let venue = id.parse().unwrap();
        let mut zones = Vec::new();
        for kind in ["entrance", "interior", "outside", "staff"] {
            let zone =
                world.make(&format!("/api/v1/venues/{id}/zones"), &json!({"name": kind, "kind": kind})).await;
            zones.push(zone.parse().unwrap());
        }
        let [door, hall, street, office] = zones[..] else { unreachable!() };
        Shop { world, venue, door, hall, street, office, visits: Vec::new(), stays: Vec::new() }
    }

    /// A run of one subject through zones: each from a minute after nine to another.
    pub(crate) fn run(&mut self, subject: u128, class: VisitClass, zones: &[(ZoneId, i64, i64)]) {
        let random =
            |number: usize| (number as u64).to_be_bytes().into_iter().chain([7, 7]).collect::<Vec<u8>>();
        let at = |minute: i64| Timestamp(NINE + minute * MINUTE);
        let (first, last) = (zones[0], zones[zones.len() - 1]);
        let visit = VisitId::new(at(first.1), random(self.visits.len()).try_into().unwrap());
        let (subject, day) = (Subject(subject), Timestamp(NINE - 9 * HOUR));
        let visit = Visit { id: visit, subject, from: at(first.1), to: at(last.2), class, open: false, day };
        for (zone, from, to) in zones {
            let id = StayId::new(at(*from), random(self.stays.len()).try_into().unwrap());
            let stay =
                Stay { id, visit: visit.id, subject, zone: *zone, from: at(*from), to: at(*to), open: false };
            self.stays.push(stay);
        }
        self.visits.push(visit);
    }

    /// Writes what was seen; everything before a minute after nine is then counted.
    pub(crate) async fn save(&self, complete_through: i64) {
        let (store, organization) = (&self.world.app.store, self.world.organization);
        let configuration = store.configuration(organization, self.venue).await.unwrap().revision;
        let checkpoint = Checkpoint {
            organization,
            venue: self.venue,
            configuration,
            applied: 0,
            watermark: Timestamp(NINE + complete_through * MINUTE),
            snapshot: &[],
            stays: &self.stays,
            visits: &self.visits,
            replaced: &[],
            late: &[],
            done: &[],
            now: Timestamp(NOW),
        };
        store.checkpoint(&checkpoint).await.unwrap();
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/venues/{}/{rest}", self.venue)
    }

    pub(crate) async fn get(&self, rest: &str) -> Answer {
        self.world.get(&self.path(rest)).await
    }
}

/// A morning: two visits of one subject and one of another, a bounce, a passer-by, staff, and an address that is gone.
async fn morning() -> Shop {
    let mut shop = Shop::new().await;
    let (door, hall, street, office) = (shop.door, shop.hall, shop.street, shop.office);
    shop.run(1, VisitClass::Visit, &[(door, 0, 10), (hall, 10, 30)]);
    shop.run(2, VisitClass::Visit, &[(door, 50, 55), (hall, 55, 80)]);
    shop.run(1, VisitClass::Visit, &[(hall, 70, 80)]);
    shop.run(3, VisitClass::Bounce, &[(hall, 20, 21)]);
    shop.run(4, VisitClass::PasserBy, &[(street, 0, 60)]);
    shop.run(5, VisitClass::Staff, &[(office, 0, 120)]);
    shop.run(6, VisitClass::Transient, &[(hall, 60, 90)]);
    shop.save(120).await;
    shop
}

#[tokio::test]
async fn footfall_of_a_morning() {
    let shop = morning().await;
    let path = "footfall?from=2026-03-02T09:00:00%2B01:00&to=2026-03-02T12:00:00%2B01:00&bucket=hour";
    let answer = shop.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let expected = json!({
        "venue": shop.venue.to_string(), "from": "2026-03-02T08:00:00Z", "to": "2026-03-02T11:00:00Z",
        "bucket": "hour", "timezone": "Europe/Vienna", "complete_through": "2026-03-02T10:00:00Z",
        "recomputing": false, "definitions": "2026-2", "smallest_group": 1, "peak_hour": "2026-03-02T08:00:00Z",
        "compared": null,
        "total":
            {"start": "2026-03-02T08:00:00Z", "visits": 3, "uniques": 2, "returning": 0, "engaged": 3, "bounces": 1,
             "passers_by": 1, "capture_rate": 0.75, "entry_rate": 0.8, "draw": null, "dwell_mean_s": 1400.0,
             "dwell_median_s": 1800.0, "dwell_p90_s": 1800.0, "dwell_buckets": [0, 0, 0, 1, 2, 0], "zone_stays": 6,
             "occupancy_peak": 3, "occupancy_mean": 101.0 / 120.0, "suppressed": false},
        "series": [
            {"start": "2026-03-02T08:00:00Z", "visits": 2, "uniques": 2, "returning": 0, "engaged": 2, "bounces": 1,
             "passers_by": 1, "capture_rate": 2.0 / 3.0, "entry_rate": 0.75, "draw": null, "dwell_mean_s": 1800.0,
             "dwell_median_s": 1800.0, "dwell_p90_s": 1800.0, "dwell_buckets": [0, 0, 0, 0, 2, 0], "zone_stays": 5,
             "occupancy_peak": 2, "occupancy_mean": 41.0 / 60.0, "suppressed": false},
            {"start": "2026-03-02T09:00:00Z", "visits": 1, "uniques": 1, "returning": 0, "engaged": 1, "bounces": 0,
             "passers_by": 0, "capture_rate": 1.0, "entry_rate": 1.0, "draw": null, "dwell_mean_s": 600.0,
             "dwell_median_s": 600.0, "dwell_p90_s": 600.0, "dwell_buckets": [0, 0, 0, 1, 0, 0], "zone_stays": 1,
             "occupancy_peak": 3, "occupancy_mean": 1.0, "suppressed": false},
            {"start": "2026-03-02T10:00:00Z", "visits": 0, "uniques": 0, "returning": 0, "engaged": 0, "bounces": 0,
             "passers_by": 0, "capture_rate": null, "entry_rate": null, "draw": null, "dwell_mean_s": null,
             "dwell_median_s": null, "dwell_p90_s": null, "dwell_buckets": [0, 0, 0, 0, 0, 0], "zone_stays": 0,
             "occupancy_peak": 0, "occupancy_mean": 0.0, "suppressed": false},
        ]
    });
    assert_eq!(answer.json(), expected);
    shop.world.stop().await;
}

#[tokio::test]
async fn footfall_of_a_zone() {
    let shop = morning().await;
    let range = "from=2026-03-02T08:00:00Z&to=2026-03-02T10:00:00Z&bucket=hour";
    let of = async |zone: ZoneId| {
        shop.get(&format!("footfall?{range}&zone={zone}")).await.json()["series"].clone()
    };
    let numbers = |bucket: &Value| {
        ["visits", "uniques", "bounces", "passers_by", "occupancy_peak"]
            .map(|field| bucket[field].as_u64().unwrap())
    };
    let door = of(shop.door).await;
    assert_eq!((numbers(&door[0]), numbers(&door[1])), ([2, 2, 0, 0, 1], [0, 0, 0, 0, 0]));
    assert_eq!(door[0]["dwell_median_s"], 1800.0, "the visit counts as a whole");
    assert_eq!((&door[0]["draw"], &door[1]["draw"]), (&json!(1.0), &json!(0.0)));
    let street = of(shop.street).await;
    assert_eq!((numbers(&street[0]), numbers(&street[1])), ([0, 0, 0, 1, 1], [0, 0, 0, 0, 0]));
    let nowhere = shop.get(&format!("footfall?{range}&zone=01890a5d-ac96-774b-bcce-b302099a8057")).await;
    assert_eq!(nowhere.problem(), "invalid-query");
    shop.world.stop().await;
}

#[tokio::test]
async fn every_bucket_size_counts_the_same_visits() {
    let shop = morning().await;
    for (bucket, from, to, count) in [
        ("15m", "2026-03-01T23:00:00Z", "2026-03-02T23:00:00Z", 96),
        ("hour", "2026-03-01T23:00:00Z", "2026-03-03T23:00:00Z", 48),
        ("day", "2026-02-28T23:00:00Z", "2026-03-04T23:00:00Z", 4),
        ("week", "2026-02-22T23:00:00Z", "2026-03-08T23:00:00Z", 2),
    ] {
        let answer = shop.get(&format!("footfall?from={from}&to={to}&bucket={bucket}")).await;
        assert_eq!(answer.status, 200, "{bucket}: {}", answer.text);
        let series = answer.json()["series"].as_array().unwrap().clone();
        let sum = |field: &str| series.iter().map(|bucket| bucket[field].as_u64().unwrap()).sum::<u64>();
        assert_eq!(
            (series.len(), sum("visits"), sum("bounces"), sum("passers_by")),
            (count, 3, 1, 1),
            "{bucket}"
        );
        let starts: Vec<&str> = series.iter().map(|bucket| bucket["start"].as_str().unwrap()).collect();
        assert!(starts[0] == from && starts.is_sorted(), "{bucket}: {starts:?}");
    }
    shop.world.stop().await;
}

#[tokio::test]
async fn a_zone_that_was_deleted_still_counts_for_its_time() {
    let shop = morning().await;
    let before =
        shop.get("footfall?from=2026-03-02T08:00:00Z&to=2026-03-02T09:00:00Z&bucket=hour").await.json();
    assert_eq!(shop.world.delete(&shop.path(&format!("zones/{}", shop.hall))).await.status, 204);
    let after =
        shop.get("footfall?from=2026-03-02T08:00:00Z&to=2026-03-02T09:00:00Z&bucket=hour").await.json();
    assert_eq!(after["series"], before["series"]);
    shop.world.stop().await;
}

#[tokio::test]
async fn ends_that_are_not_those_of_buckets_are_refused() {
    let shop = Shop::new().await;
    let refused = shop.get("footfall?from=2026-03-02T08:10:00Z&to=2026-03-02T10:00:00Z&bucket=hour").await;
    assert_eq!((refused.status, refused.problem().as_str()), (400, "invalid-query"));
    let error = refused.json()["errors"][0].clone();
    assert_eq!(error["parameter"], "from");
    let detail = error["detail"].as_str().unwrap();
    assert!(detail.contains("2026-03-02T08:00:00Z") && detail.contains("2026-03-02T09:00:00Z"), "{detail}");
    for query in [
        "from=2026-03-02T08:00:00Z&to=2026-03-02T08:00:00Z&bucket=hour",
        "from=2026-03-02T08:00:00Z&to=2026-03-02T07:00:00Z&bucket=hour",
        "from=2026-01-01T00:00:00Z&to=2026-03-02T08:00:00Z&bucket=15m",
        "from=2026-03-02T08:00:00Z&to=2026-03-02T09:00:00Z&bucket=year",
        "from=2026-03-02T08:00:00Z&to=2026-03-02T09:00:00Z",
        "from=yesterday&to=2026-03-02T09:00:00Z&bucket=hour",
        "from=2026-03-02T08:00:00Z&to=2026-03-02T09:00:00Z&bucket=hour&zones=x",
        "from=2026-03-02T08:00:00Z&to=2026-03-02T09:00:00Z&bucket=hour&zone=x",
        "from=0000-01-01T00:00:00Z&to=9999-12-31T00:00:00Z&bucket=week",
    ] {
        assert_eq!(shop.get(&format!("footfall?{query}")).await.problem(), "invalid-query", "{query}");
    }
    shop.world.stop().await;
}

#[tokio::test]
async fn before_anything_was_reported_numbers_are_zero() {
    let shop = Shop::new().await;
    let answer =
        shop.get("footfall?from=2026-03-02T08:00:00Z&to=2026-03-02T09:00:00Z&bucket=hour").await.json();
    assert_eq!(answer["complete_through"], Value::Null);
    assert_eq!(answer["series"][0]["visits"], 0);
    let zeros: BTreeMap<String, u32> =
        [shop.door, shop.hall, shop.street, shop.office].iter().map(|zone| (zone.to_string(), 0)).collect();
    let occupancy = shop.get("occupancy").await.json();
    assert_eq!(occupancy, json!({"at": "2026-03-02T12:00:00Z", "total": 0, "zones": zeros}));
    shop.save(30).await;
    assert_eq!(shop.get("occupancy").await.json()["at"], "2026-03-02T08:30:00Z");
    shop.world.stop().await;
}

#[tokio::test]
async fn occupancy_is_what_is_live() {
    let shop = Shop::new().await;
    let zones = BTreeMap::from([(shop.door, 2), (shop.hall, 5), (shop.street, 3), (shop.office, 1)]);
    let seen = Occupancy { at: Timestamp(NOW - 60_000), total: 11, zones };
    shop.world.app.live.see(shop.world.organization, shop.venue, seen);
    let occupancy = shop.get("occupancy").await.json();
    assert_eq!((&occupancy["at"], &occupancy["total"]), (&json!("2026-03-02T11:59:00Z"), &json!(7)));
    assert_eq!(occupancy["zones"][shop.street.to_string()], 3);
    shop.world.stop().await;
}

#[tokio::test]
async fn stays_are_exact_and_read_page_by_page() {
    let shop = morning().await;
    let range = "from=2026-03-02T08:00:00Z&to=2026-03-02T10:00:00Z";
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = shop.get(&format!("stays?{range}&limit=2{cursor}")).await.json();
        items.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(items.len(), shop.stays.len() - 1, "everybody but the private random address");
    let first = &shop.stays[0];
    let found = items.iter().find(|item| item["id"] == json!(first.id.to_string())).unwrap();
    let expected = json!({"id": first.id.to_string(), "revision": 1, "subject": "00000000000000000000000000000001",
        "visit": first.visit.to_string(), "zone": shop.door.to_string(), "from": "2026-03-02T08:00:00Z",
        "to": "2026-03-02T08:10:00Z", "open": false});
    assert_eq!(*found, expected);
    let starts: Vec<&str> = items.iter().map(|item| item["from"].as_str().unwrap()).collect();
    assert!(starts.is_sorted(), "{starts:?}");
    for query in ["", "from=2026-03-02T08:00:00Z", "from=2026-03-02T08:00:00Z&to=2026-03-02T08:00:00Z"] {
        assert_eq!(shop.get(&format!("stays?{query}")).await.problem(), "invalid-query", "{query}");
    }
    shop.world.stop().await;
}
