//! How often devices ask to come in, and how often anybody guesses at their codes.

use std::collections::BTreeSet;

use serde_json::json;

use crate::enrolments::{LIST, Newcomer};
use crate::world::{Answer, HOUR, NOW, World};

#[tokio::test]
async fn codes_are_guessed_a_few_times_only() {
    let world = World::new().await;
    let one = Newcomer::begin(&world, &json!({"kind": "gateway"})).await;
    let look = async |key: &str, code: &str| {
        Answer::to(world.request("GET", &format!("{LIST}/{code}")).bearer_auth(key)).await
    };
    for _ in 0..20 {
        assert_eq!(look(&world.key, &one.user_code).await.status, 200, "right ones are no guesses");
    }
    for _ in 0..10 {
        look(&world.key, "BCDF-GHJK").await.refused(404, "not-found");
    }
    let refused = look(&world.key, &one.user_code).await;
    refused.refused(429, "rate-limited");
    assert_eq!(refused.header("retry-after"), "601");
    one.approve(&world, &json!({"name": "A"})).await.refused(429, "rate-limited");
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    look(&world.key, nobody).await.refused(404, "not-found");
    let other = world.key_with("devices:write").await;
    assert_eq!(look(&other, &one.user_code).await.status, 200, "each caller for themselves");
    for _ in 0..2 {
        let key = world.key_with("devices:write").await;
        for _ in 0..10 {
            look(&key, "BCDF-GHJK").await.refused(404, "not-found");
        }
    }
    look(&other, &one.user_code).await.refused(429, "rate-limited");
    let foreign = world.foreign_key().await;
    assert_eq!(look(&foreign, &one.user_code).await.status, 200, "and each organization");
    world.stop().await;
}

#[tokio::test]
async fn strangers_ask_so_often_and_not_more() {
    let world = World::new().await;
    let body = json!({"kind": "gateway"});
    let mut codes = BTreeSet::new();
    for _ in 0..60 {
        let answer = Newcomer::ask(&world, "192.0.2.1", &body).await;
        codes.insert(answer.json()["user_code"].as_str().unwrap().to_owned());
    }
    assert_eq!(codes.len(), 60);
    Newcomer::ask(&world, "192.0.2.1", &body).await.refused(429, "rate-limited");
    assert_eq!(Newcomer::ask(&world, "192.0.2.2", &body).await.status, 200);
    world.set_time(NOW + HOUR);
    assert_eq!(Newcomer::ask(&world, "192.0.2.1", &body).await.status, 200);
    world.stop().await;
}
