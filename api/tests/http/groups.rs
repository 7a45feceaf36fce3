//! Attempts to learn from footfall about few people.

use api::Config;
use presence::VisitClass::{Bounce, PasserBy, Visit};
use serde_json::{Value, json};

use crate::analytics::Shop;

const HOURS: &str = "from=2026-03-02T08:00:00Z&to=2026-03-02T12:00:00Z&bucket=hour";
const DAY: &str = "from=2026-03-01T23:00:00Z&to=2026-03-02T23:00:00Z&bucket=day";
const WEEK: &str = "from=2026-03-01T23:00:00Z&to=2026-03-08T23:00:00Z&bucket=week";

/// Numbers of a bucket that tell of people.
const NUMBERS: [&str; 8] = [
    "visits",
    "uniques",
    "bounces",
    "passers_by",
    "dwell_median_s",
    "dwell_p90_s",
    "occupancy_peak",
    "occupancy_mean",
];

/// A shop that shows no group of fewer than five, with so many visits of as many people in each hour from nine on.
async fn shop(visits: &[u64]) -> Shop {
    let mut shop = Shop::with(Config::default()).await;
    for (hour, &visits) in visits.iter().enumerate() {
        for visitor in 0..visits {
            let from = 60 * hour as i64;
            shop.run(u128::from(100 * hour as u64 + visitor), Visit, &[(shop.hall, from, from + 30)]);
        }
    }
    shop
}

async fn series(shop: &Shop, query: &str) -> Vec<Value> {
    let answer = shop.get(&format!("footfall?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["series"].as_array().unwrap().clone()
}

fn visits(series: &[Value]) -> Vec<Option<u64>> {
    series.iter().map(|bucket| bucket["visits"].as_u64()).collect()
}

#[tokio::test]
async fn a_venue_with_four_visitors_tells_nothing_of_them() {
    let shop = shop(&[4]).await;
    shop.save(300).await;
    for query in [HOURS, DAY, WEEK] {
        for query in [query.to_owned(), format!("{query}&zone={}", shop.hall)] {
            let bucket = series(&shop, &query).await.remove(0);
            assert_eq!(bucket["suppressed"], true, "{query}: {bucket}");
            for number in NUMBERS {
                assert!(bucket[number].is_null(), "{query}: {number} of {bucket}");
            }
        }
    }
    shop.world.stop().await;
}

#[tokio::test]
async fn one_person_who_comes_often_is_no_group() {
    let mut shop = shop(&[0]).await;
    for visit in 0..6 {
        shop.run(1, Visit, &[(shop.hall, 8 * visit, 8 * visit + 5)]);
    }
    shop.save(300).await;
    assert_eq!(visits(&series(&shop, DAY).await), [None]);
    shop.world.stop().await;
}

#[tokio::test]
async fn a_hidden_hour_is_not_the_day_without_the_others() {
    let shop = shop(&[9, 4, 7]).await;
    shop.save(300).await;
    assert_eq!(visits(&series(&shop, DAY).await), [Some(20)]);
    assert_eq!(visits(&series(&shop, WEEK).await), [Some(20)]);
    // 20 - 9 is a group of eleven.
    assert_eq!(visits(&series(&shop, HOURS).await), [Some(9), None, None, Some(0)]);
    shop.world.stop().await;
}

#[tokio::test]
async fn no_two_ranges_differ_by_a_hidden_bucket() {
    let shop = shop(&[9, 4, 7]).await;
    shop.save(300).await;
    let all = series(&shop, HOURS).await;
    for (from, to) in [(8, 9), (8, 10), (9, 10), (9, 11), (10, 11), (10, 12)] {
        let query = format!("from=2026-03-02T{from:02}:00:00Z&to=2026-03-02T{to:02}:00:00Z&bucket=hour");
        assert_eq!(series(&shop, &query).await, all[from - 8..to - 8], "{query}");
    }
    // The same people by quarters are those of the hours that are shown.
    let quarters = series(&shop, "from=2026-03-02T08:00:00Z&to=2026-03-02T11:00:00Z&bucket=15m").await;
    assert_eq!(visits(&quarters[..4]), [Some(9), Some(0), Some(0), Some(0)]);
    assert_eq!(visits(&quarters[4..]), [None; 8]);
    shop.world.stop().await;
}

#[tokio::test]
async fn the_venue_without_a_zone_is_nobody_or_a_group() {
    for (in_the_zone, shown) in [(9, Some(9)), (8, None), (5, None), (4, None)] {
        let mut shop = shop(&[]).await;
        for visitor in 0..9_u128 {
            let door = (shop.door, 0, 10);
            let ways: &[_] = if visitor < in_the_zone { &[door, (shop.hall, 10, 30)] } else { &[door] };
            shop.run(visitor, Visit, ways);
        }
        shop.save(300).await;
        let query = format!("{HOURS}&zone={}", shop.hall);
        assert_eq!(visits(&series(&shop, &query).await)[0], shown, "{in_the_zone} of nine");
        assert_eq!(visits(&series(&shop, HOURS).await)[0], Some(9));
        shop.world.stop().await;
    }
}

#[tokio::test]
async fn few_bounces_are_hidden_and_the_visits_beside_them_are_not() {
    let mut shop = shop(&[12]).await;
    shop.run(500, Bounce, &[(shop.hall, 5, 6)]);
    for passer in 0..6 {
        shop.run(600 + passer, PasserBy, &[(shop.door, 7, 8)]);
    }
    shop.save(300).await;
    let bucket = series(&shop, HOURS).await.remove(0);
    assert_eq!(
        (&bucket["visits"], &bucket["bounces"], &bucket["passers_by"], &bucket["suppressed"]),
        (&json!(12), &Value::Null, &json!(6), &json!(false)),
        "{bucket}"
    );
    assert_eq!(shop.get(&format!("footfall?{HOURS}")).await.json()["smallest_group"], 5);
    shop.world.stop().await;
}
