//! Devices as CSV.

use serde_json::{Value, json};

use crate::engines::each_engine;
use crate::world::{Answer, World};

const IMPORT: &str = "/api/v1/devices/import";
const EXPORT: &str = "/api/v1/devices/export";

async fn import(world: &World, query: &str, table: &str) -> Answer {
    let request =
        world.signed("POST", &format!("{IMPORT}{query}")).header("content-type", "text/csv; charset=utf-8");
    Answer::to(request.body(table.to_owned())).await
}

#[tokio::test]
async fn a_table_goes_in_and_comes_out() {
    each_engine(async |world| {
        let venue = world.make_venue().await;
        let zones = format!("/api/v1/venues/{venue}/zones");
        let zone = world.make(&zones, &json!({"name": "A", "kind": "interior"})).await;
        let table = format!(
            "\u{feff}kind,name,zone,venue,x,y,z,identifier\r\ngateway,\"Door, left\",{zone},,1,2.5,,\r\n\r\n\
             beacon,Söller,,{venue},,,,ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7\r\n"
        );
        let dry = import(&world, "?dry_run=true", &table).await;
        let nothing = |line: u32, name: &str| json!({"line": line, "name": name, "id": null, "secret": null});
        let expected = json!({"dry_run": true, "items": [nothing(2, "Door, left"), nothing(4, "Söller")]});
        assert_eq!((dry.status, dry.json()), (200, expected), "{}", dry.text);
        assert_eq!(world.get("/api/v1/devices").await.json()["items"], json!([]), "nothing was made");

        let made = import(&world, "", &table).await.json();
        let [door, sky] = &made["items"].as_array().unwrap()[..] else { panic!("{made}") };
        let store = &world.app.store;
        let registered = store.registered(door["id"].as_str().unwrap().parse().unwrap()).await.unwrap().unwrap();
        assert!(registered.accepts(door["secret"].as_str().unwrap(), store.installation_key()));
        let exported = world.get(EXPORT).await;
        assert_eq!(exported.header("content-type"), "text/csv; charset=utf-8");
        assert_eq!(exported.header("content-disposition"), "attachment; filename=\"devices.csv\"");
        let (first, second) = (door["id"].as_str().unwrap(), sky["id"].as_str().unwrap());
        let expected = format!(
            "id,name,kind,venue,zone,x,y,z,identifier,created_at\r\n\
             {first},\"Door, left\",gateway,{venue},{zone},1,2.5,0,,2026-03-02T12:00:00Z\r\n\
             {second},Söller,beacon,{venue},,,,,ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7,2026-03-02T12:00:00Z\r\n"
        );
        assert_eq!(exported.text, expected);
        let gateways = world.get(&format!("{EXPORT}?kind=gateway&venue={venue}")).await.text;
        assert_eq!(gateways.lines().count(), 2, "{gateways}");
        assert_eq!(world.get(&format!("{EXPORT}?limit=5")).await.problem(), "invalid-query");
        let foreign = world.foreign_key().await;
        let theirs = Answer::to(world.request("GET", EXPORT).bearer_auth(&foreign)).await.text;
        assert_eq!(theirs.lines().count(), 1, "{theirs}");
        let audit = world.get("/api/v1/audit").await;
        assert_eq!(audit.json()["items"][0]["what"], "devices_imported");
        assert_eq!(audit.json()["items"][0]["detail"]["devices"], 2);
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn every_mistake_has_its_line_and_its_column() {
    each_engine(async |world| {
        let nowhere = "01890a5d-ac96-774b-bcce-b302099a8057";
        world.make("/api/v1/devices", &json!({"kind": "tag", "name": "T", "identifier": "app:t"})).await;
        let places = |answer: &Answer| -> Vec<(u64, String)> {
            let refused = answer.refused(422, "invalid-body");
            let place = |error: &Value| {
                (error["line"].as_u64().unwrap(), error["column"].as_str().unwrap_or_default().to_owned())
            };
            refused["errors"].as_array().unwrap().iter().map(place).collect()
        };
        let expect = |places: &[(u64, &str)]| -> Vec<(u64, String)> {
            places.iter().map(|(line, column)| (*line, (*column).to_owned())).collect()
        };
        let table = format!(
            "name,kind,venue,zone,x,y,identifier\n\"two\nlines\",gateway,,,,,\n,toaster,x,,1,,tag:1\nA,tag,{nowhere},,a,2,\nB,tag\n"
        );
        for query in ["?dry_run=true", ""] {
            let found = places(&import(&world, query, &table).await);
            let expected = [(2, "name"), (4, "name"), (4, "kind"), (4, "venue"), (4, "identifier"), (4, "x"), (5, "x"), (6, "")];
            assert_eq!(found, expect(&expected));
        }
        // What only the registry knows.
        let table = format!("name,kind,zone,venue,identifier\nA,tag,,,app:t\nB,tag,,,app:b\nC,tag,,,app:b\nD,tag,,{nowhere},\nE,tag,{nowhere},,\n");
        for query in ["?dry_run=true", "?dry_run=false"] {
            let found = places(&import(&world, query, &table).await);
            let expected = [(2, "identifier"), (4, "identifier"), (5, "venue"), (6, "zone")];
            assert_eq!(found, expect(&expected));
        }
        for (table, expected) in [
            ("", (1, "")),
            ("name,kind\n", (1, "")),
            ("name\nA\n", (1, "kind")),
            ("name,kind,id\nA,tag,x\n", (1, "id")),
            ("name,kind,name\nA,tag,B\n", (1, "name")),
            ("name;kind\nA;tag\n", (1, "name;kind")),
            ("name,kind\n\"A,tag\n", (2, "")),
        ] {
            let found = places(&import(&world, "", table).await);
            assert_eq!(found[0], (expected.0, expected.1.to_owned()), "{table}");
        }
        let many = format!("name,kind\n{}", "A,tag\n".repeat(1_001));
        assert_eq!(places(&import(&world, "", &many).await), expect(&[(1_002, "")]));
        assert_eq!(world.get("/api/v1/devices").await.all("name"), [json!("T")], "no mistake made anything");

        assert_eq!(import(&world, "?dry_run=yes", "name,kind\nA,tag\n").await.problem(), "invalid-query");
        let typed = |kind: &str, body: Vec<u8>| {
            Answer::to(world.signed("POST", IMPORT).header("content-type", kind).body(body))
        };
        assert_eq!(typed("application/json", b"{}".to_vec()).await.problem(), "unsupported-media-type");
        let bytes = typed("text/csv", b"name,kind\nA\xff,tag\n".to_vec()).await;
        assert_eq!(places(&bytes), expect(&[(2, "")]));
        let large = typed("text/csv", vec![b'a'; 300_000]).await;
        assert_eq!(large.problem(), "body-too-large");
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_thousand_come_at_once_and_a_repeat_shows_no_secret() {
    let world = World::new().await;
    let rows = format!("{},tag\n", "Ä".repeat(50)).repeat(1_000);
    let post = || {
        let request =
            world.signed("POST", IMPORT).header("content-type", "text/csv").header("idempotency-key", "k");
        Answer::to(request.body(format!("name,kind\n{rows}")))
    };
    let (first, again) = (post().await, post().await);
    assert_eq!((first.status, again.status), (200, 200), "{}", first.text);
    let (first, again) = (first.json(), again.json());
    let (first, again) = (first["items"].as_array().unwrap(), again["items"].as_array().unwrap());
    assert_eq!((first.len(), again.len()), (1_000, 1_000));
    for (first, again) in first.iter().zip(again) {
        assert_eq!((&again["id"], &again["secret"]), (&first["id"], &Value::Null));
        assert!(first["secret"].is_string());
    }
    assert_eq!(world.get(EXPORT).await.text.lines().count(), 1_001, "in several portions, once each");
    world.stop().await;
}
