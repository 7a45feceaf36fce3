//! What a person reads about themselves, and has erased.

use protocol::AccountId;
use serde_json::{Value, json};
use store::BuiltInRole;

use crate::tokens::token_of_person;
use crate::world::{Answer, NOW, World};

const DATA: &str = "/api/v1/me/data";
const VISITS: &str = "/api/v1/me/data/visits";

async fn ask(world: &World, token: &str, method: &str, path: &str) -> Answer {
    Answer::to(world.request(method, path).bearer_auth(token)).await
}

async fn token(world: &World, account: AccountId) -> String {
    token_of_person(world, account, "openid pings:write me:data").await
}

async fn register(world: &World, token: &str) -> Value {
    let body = json!({"name": "Pixel"});
    let made = Answer::to(world.request("POST", "/api/v1/phones").bearer_auth(token).json(&body)).await;
    made.json()["id"].clone()
}

#[tokio::test]
async fn a_person_reads_and_erases_what_is_theirs_and_nothing_else() {
    let world = World::new().await;
    let (ann, ben) = (world.account("ann").await, world.account("ben").await);
    let (of_ann, of_ben) = (token(&world, ann).await, token(&world, ben).await);
    let first = register(&world, &of_ann).await;
    // Ids are in the order of their milliseconds.
    world.set_time(NOW + 1);
    let second = register(&world, &of_ann).await;
    let of_another = register(&world, &of_ben).await;
    let consent = json!({"purpose": "presence", "version": "1"});
    for token in [&of_ann, &of_ben] {
        let given = world.request("POST", "/api/v1/consents").bearer_auth(token).json(&consent);
        assert_eq!(Answer::to(given).await.status, 200);
    }
    let removed = format!("/api/v1/phones/{}", first.as_str().unwrap());
    assert_eq!(ask(&world, &of_ann, "DELETE", &removed).await.status, 204);

    let data = ask(&world, &of_ann, "GET", DATA).await.json();
    assert_eq!(data["account"]["email"], "ann@example.org");
    let phones = data["phones"].as_array().unwrap();
    let phones: Vec<_> = phones.iter().map(|phone| (&phone["id"], &phone["removed"])).collect();
    assert_eq!(phones, [(&second, &json!(false)), (&first, &json!(true))]);
    assert_eq!(data["consents"].as_array().unwrap().len(), 1);
    assert_eq!(data["linked_services"][0]["scopes"], "openid pings:write me:data");
    let visits = ask(&world, &of_ann, "GET", VISITS).await;
    assert_eq!(visits.json(), json!({"items": [], "next_cursor": null}));

    let erased = ask(&world, &of_ann, "DELETE", DATA).await;
    let done = json!({"phones": 2, "consents_withdrawn": 1, "visits": 0, "stays": 0, "venues": 0});
    assert_eq!((erased.status, erased.json()), (200, done.clone()));
    let left = ask(&world, &of_ann, "GET", DATA).await.json();
    assert_eq!(left["phones"], json!([]));
    assert!(left["consents"][0]["withdrawn_at"].is_string(), "{left}");
    let nothing = ask(&world, &of_ann, "DELETE", DATA).await.json();
    assert_eq!(nothing, json!({"phones": 0, "consents_withdrawn": 0, "visits": 0, "stays": 0, "venues": 0}));
    let of_ben = ask(&world, &of_ben, "GET", DATA).await.json();
    assert_eq!((&of_ben["phones"][0]["id"], &of_ben["phones"][0]["removed"]), (&of_another, &json!(false)));

    let log = world.get("/api/v1/audit").await.json()["items"].clone();
    let entries = |what: &str| {
        let of_ann = |entry: &&Value| entry["what"] == what && entry["account"] == json!(ann);
        let found = log.as_array().unwrap().iter().filter(of_ann).cloned().collect::<Vec<_>>();
        assert!(!found.is_empty(), "no {what} in {log}");
        found
    };
    assert!(
        entries("own_data_erased").iter().any(|entry| entry["detail"]["phones"] == done["phones"]),
        "{log}"
    );
    assert_eq!(entries("own_data_read").len(), 1, "within a minute");
    world.stop().await;
}

#[tokio::test]
async fn only_a_person_who_said_so_is_asked_about() {
    let world = World::new().await;
    let owner = world.person("owner", BuiltInRole::Owner).await;
    let narrow = token_of_person(&world, owner, "openid pings:write").await;
    for (method, path) in [("GET", DATA), ("GET", VISITS), ("DELETE", DATA)] {
        let of_key = Answer::to(world.signed(method, path)).await;
        assert_eq!((of_key.status, of_key.problem().as_str()), (409, "no-person"), "{method} {path}");
        let narrow = ask(&world, &narrow, method, path).await;
        assert_eq!(narrow.refused(403, "missing-scope")["scope"], json!("me:data"), "{method} {path}");
    }
    let token = token(&world, owner).await;
    let odd = ask(&world, &token, "GET", &format!("{VISITS}?cursor=x")).await;
    assert_eq!(odd.problem(), "invalid-query");
    assert_eq!(ask(&world, &token, "GET", &format!("{DATA}?x=1")).await.problem(), "invalid-query");
    world.stop().await;
}
