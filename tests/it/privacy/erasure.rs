//! A shopper reads what there is about them and has it erased; nothing brings it back, and nobody else is counted otherwise.

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use store::{Algorithm, ClientKind, ClientSettings, Clock, GrantType, NewAccount, NewGrant, Store};

use super::{heard, minutes_ago, stays, subjects};
use crate::world::{Api, Engine, Shop, World, eventually};

const BEACON: &str = "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7";
const TAG: &str = "ble:00:11:22:33:44:55";

#[tokio::test]
async fn an_erased_shopper_does_not_come_back_on_sqlite() -> anyhow::Result<()> {
    an_erased_shopper_does_not_come_back(Engine::Sqlite).await
}

#[tokio::test]
async fn an_erased_shopper_does_not_come_back_on_postgres() -> anyhow::Result<()> {
    an_erased_shopper_does_not_come_back(Engine::Postgres).await
}

/// The API with a token that a person gave to the shop's application.
async fn shopper(world: &World) -> anyhow::Result<Api> {
    let store = Store::join(&world.database_url()).await?;
    let now = Clock::System.now();
    let organization = store.default_organization(now).await?.id;
    let settings = ClientSettings {
        name: "Shop app".into(),
        logo: None,
        party: None,
        redirect_uris: vec!["http://127.0.0.1:9/cb".into()],
        post_logout_uris: vec![],
        backchannel_logout_uri: None,
        scopes: ["openid", "pings:write", "me:data"].map(str::to_owned).to_vec(),
        grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        resources: vec![],
        id_token_algorithm: Algorithm::Rs256,
    };
    let (client, _) = store.create_client(organization, ClientKind::Public, &settings, now).await?;
    let new = NewAccount {
        email: "ann@example.org".into(),
        email_verified: true,
        name: "Ann".into(),
        locale: None,
        password: None,
    };
    let account = store.create_account(&new, now).await?.id;
    let scopes = "openid pings:write me:data".to_owned();
    let grant = NewGrant { client: client.id, account: Some(account), scopes, resource: None };
    let grant = store.create_grant(organization, &grant, now).await?.id;
    let refresh = store.issue_refresh_token(grant, None, now).await?.text();
    store.close().await;
    let request = reqwest::Client::new().post(format!("http://{}/oauth/token", world.http()));
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("grant_type=refresh_token&client_id={}&refresh_token={refresh}", client.id));
    let answer: Value = request.send().await?.json().await?;
    Ok(world.api_as(answer["access_token"].as_str().with_context(|| answer.to_string())?))
}

/// What stays say but for who it was: where and when, in order.
fn faceless(stays: &[Value]) -> Vec<String> {
    let mut faceless: Vec<_> =
        stays.iter().map(|stay| format!("{} {} {}", stay["zone"], stay["from"], stay["to"])).collect();
    faceless.sort();
    faceless
}

/// The visits and uniques of the last hours.
async fn footfall(world: &World, shop: &Shop) -> anyhow::Result<(u64, u64, bool)> {
    let answer = world.api().get(&format!("/venues/{}/footfall?{}&bucket=hour", shop.venue, hours())).await?;
    let series = answer["series"].as_array().context("a series")?;
    let sum = |field: &str| series.iter().filter_map(|bucket| bucket[field].as_u64()).sum();
    Ok((sum("visits"), sum("uniques"), answer["recomputing"] == json!(true)))
}

/// Three whole hours around now.
fn hours() -> String {
    const HOUR: i64 = 3_600_000;
    let this = protocol::Timestamp(Clock::System.now().0 / HOUR * HOUR);
    let (from, to) = (this.minus(2 * HOUR), this.plus(2 * HOUR));
    format!("from={}&to={}", firmware_sim::rfc3339(from), firmware_sim::rfc3339(to))
}

async fn an_erased_shopper_does_not_come_back(engine: Engine) -> anyhow::Result<()> {
    let mut world = World::on(engine).await?;
    let shop = Shop::open(&world).await?;
    let beacon = json!({"kind": "beacon", "name": "Shelf", "identifier": BEACON, "venue": shop.venue,
        "zone": shop.interior});
    let beacon = world.api().post("/devices", beacon).await?["id"].clone();
    let ann = shopper(&world).await?;
    let phone = ann.post("/phones", json!({"name": "Pixel"})).await?["id"].as_str().context("id")?.to_owned();
    ann.post("/consents", json!({"purpose": "presence", "version": "1"})).await?;
    let path = format!("/pings?device={phone}");
    let taken = ann.post(&path, heard(0, BEACON, minutes_ago(40, 3))).await?;
    ensure!(taken["refused"] == json!([]), "{taken}");
    let gateway = format!("/pings?device={}", shop.gateway.device);
    world.api().post(&gateway, heard(0, TAG, minutes_ago(30, 3))).await?;

    // What the gateway says is behind the watermark that the phone has moved on.
    let counted = (2, 2);
    eventually("two visits", async || {
        let (visits, uniques, recomputing) = footfall(&world, &shop).await?;
        Ok(((visits, uniques) == counted && !recomputing).then_some(()))
    })
    .await?;
    let before = stays(&world, &shop).await?;
    let visits = ann.get("/me/data/visits").await?["items"].clone();
    ensure!(visits.as_array().is_some_and(|visits| visits.len() == 1), "{visits}");
    ensure!(visits[0]["venue"] == json!(shop.venue) && visits[0]["stays"][0]["zone"] == json!(shop.interior));
    let from = visits[0]["from"].clone();
    let of_ann = before.iter().find(|stay| stay["from"] == from).context("her stay")?;
    let subject = of_ann["subject"].as_str().context("a subject")?.to_owned();
    let data = ann.get("/me/data").await?;
    ensure!(
        data["account"]["email"] == "ann@example.org" && data["phones"][0]["id"] == json!(phone),
        "{data}"
    );
    ensure!(data["consents"][0]["withdrawn_at"].is_null() && data["linked_services"][0]["id"].is_string());

    let done = ann.delete("/me/data").await?;
    let (found, phones) = (&done["visits"], &done["phones"]);
    ensure!(*found == json!(1) && *phones == json!(1), "{done}");
    ensure!(done["consents_withdrawn"] == json!(1) && done["venues"] == json!(1), "{done}");

    // At once, after it is made anew from the log, after a crash, and after everything is made anew.
    let gone = async |world: &World, when: &str| {
        let now = stays(world, &shop).await?;
        ensure!(!subjects(&now).contains(&subject), "{when} she is there");
        ensure!(subjects(&now).len() == 2, "{when} somebody is missing");
        ensure!(ann.get("/me/data/visits").await?["items"] == json!([]), "{when} her visits are found");
        anyhow::Ok(now)
    };
    let now = gone(&world, "at once").await?;
    ensure!(faceless(&now) == faceless(&before), "{now:?} is not {before:?}");
    let settled = async |world: &World| {
        eventually("made anew", async || {
            let (visits, uniques, recomputing) = footfall(world, &shop).await?;
            Ok((!recomputing).then_some((visits, uniques)))
        })
        .await
    };
    let anew = settled(&world).await?;
    ensure!(anew == counted, "{anew:?} instead of {counted:?}");
    let anew = gone(&world, "made anew").await?;
    ensure!(faceless(&anew) == faceless(&before), "{anew:?} is not {before:?}");
    ensure!(ann.ask(Method::POST, &path, Some(heard(1, BEACON, minutes_ago(2, 2)))).await?.status == 404);
    world.kill().await?;
    world.restart().await?;
    gone(&world, "after a crash").await?;
    // The beacon hung in the entrance all the time: every day of the log is counted again.
    let path = format!("/devices/{}", beacon.as_str().context("an id")?);
    let since = firmware_sim::rfc3339(Clock::System.now().minus(50 * super::MINUTE));
    world.api().patch(&path, json!({"zone": shop.entrance, "effective_from": since})).await?;
    eventually("counted in the entrance", async || {
        let now = stays(&world, &shop).await?;
        Ok(now.iter().any(|stay| stay["zone"] == json!(shop.entrance)).then_some(()))
    })
    .await?;
    settled(&world).await?;
    gone(&world, "everything made anew").await?;

    let data = ann.get("/me/data").await?;
    ensure!(data["phones"] == json!([]) && data["consents"][0]["withdrawn_at"].is_string(), "{data}");
    let again = ann.delete("/me/data").await?;
    ensure!(again["visits"] == json!(0) && again["phones"] == json!(0), "{again}");
    let log = world.api().get("/audit?limit=100").await?["items"].clone();
    for what in ["own_data_erased", "own_data_read", "stays_read"] {
        ensure!(log.as_array().is_some_and(|log| log.iter().any(|it| it["what"] == what)), "{what}: {log}");
    }
    world.stop().await
}
