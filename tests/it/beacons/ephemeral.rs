//! Eddystone-EID: identifiers that change, and the device that they stay. They are computed by openssl here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::process::Stdio;

use anyhow::{Context, ensure};
use firmware_sim::rfc3339;
use protocol::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use store::{Clock, Store};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::{HOUR, MINUTE, Reporter, Scene, made};
use crate::world::{Api, Engine, Gateway, World, eventually};

const KEY: &str = "000102030405060708090a0b0c0d0e0f";
const OTHER_KEY: &str = "f0e0d0c0b0a090807060504030201000";
/// It changes every 256 seconds.
const EXPONENT: u8 = 8;
/// In the middle of a window, and far from where the temporary key changes.
const COUNTER: u32 = 10_000_512 + 128;

/// A device whose identifier changes.
pub(crate) struct Changing {
    device: Gateway,
    key: String,
    registered_at: Timestamp,
    /// What it sends in each window that was asked for.
    sent: RefCell<HashMap<u32, String>>,
}

impl Changing {
    pub(crate) async fn register(api: &Api, mut body: Value, key: &str) -> anyhow::Result<Self> {
        body["ephemeral"] = ephemeral(key);
        let made = api.post("/devices", body).await?;
        ensure!(!made.to_string().contains(key), "the key is shown: {made}");
        let shown = &made["ephemeral"];
        ensure!(shown["rotation_exponent"] == json!(EXPONENT), "{made}");
        let registered_at: jiff::Timestamp = shown["registered_at"].as_str().context("a time")?.parse()?;
        let device = Gateway {
            device: made["id"].as_str().context("an id")?.parse()?,
            secret: made["secret"].as_str().context("a secret")?.to_owned(),
        };
        Ok(Self {
            device,
            key: key.to_owned(),
            registered_at: Timestamp(registered_at.as_millisecond()),
            sent: RefCell::default(),
        })
    }

    /// What it sends at a time.
    pub(crate) async fn identifier(&self, at: Timestamp) -> anyhow::Result<String> {
        let counter = i64::from(COUNTER) + at.since(self.registered_at).div_euclid(1_000);
        let counter = u32::try_from(counter)?;
        let window = counter >> EXPONENT << EXPONENT;
        if let Some(sent) = self.sent.borrow().get(&window) {
            return Ok(sent.clone());
        }
        let temporary = aes(&self.key, &format!("{:022}ff0000{:04x}", 0, counter >> 16)).await?;
        let eid = aes(&temporary, &format!("{:022}{EXPONENT:02x}{window:08x}", 0)).await?;
        let identifier = format!("eid:{}", &eid[..16]);
        self.sent.borrow_mut().insert(window, identifier.clone());
        Ok(identifier)
    }
}

fn ephemeral(key: &str) -> Value {
    json!({"identity_key": key, "rotation_exponent": EXPONENT, "counter": COUNTER})
}

/// One block under a key, both as hexadecimal digits.
async fn aes(key: &str, block: &str) -> anyhow::Result<String> {
    let mut openssl = Command::new("openssl");
    openssl.args(["enc", "-aes-128-ecb", "-nopad", "-K", key]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = openssl.spawn()?;
    child.stdin.take().context("no way in")?.write_all(&bytes(block)?).await?;
    let output = child.wait_with_output().await?;
    ensure!(output.status.success(), "openssl: {output:?}");
    let block: [u8; 16] = output.stdout.as_slice().try_into().context("another length")?;
    Ok(format!("{:032x}", u128::from_be_bytes(block)))
}

fn bytes(digits: &str) -> anyhow::Result<Vec<u8>> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16);
    Ok((0..digits.len()).step_by(2).map(byte).collect::<Result<_, _>>()?)
}

/// The API as another organization has it.
pub(super) async fn foreign(world: &World) -> anyhow::Result<Api> {
    let store = Store::open(&world.database_url()).await?;
    let organization = store.create_organization("Other", Clock::System.now()).await?.id.to_string();
    store.close().await;
    let arguments = ["--name", "test", "--organization", &organization, "--scope", "*"];
    Ok(world.api_as(&world.make_token(&arguments).await?))
}

/// The stays of a past hour, each as its zone and subject.
async fn stays(scene: &Scene, from: Timestamp) -> anyhow::Result<Vec<(String, String)>> {
    let (from, to) = (rfc3339(from.minus(HOUR)), rfc3339(from.plus(2 * HOUR)));
    let path = format!("/venues/{}/stays?from={from}&to={to}", scene.shop.venue);
    let answer = scene.world.api().get(&path).await?;
    let field = |stay: &Value, name: &str| stay[name].as_str().unwrap_or_default().to_owned();
    let items = answer["items"].as_array().context("items")?;
    Ok(items.iter().map(|stay| (field(stay, "zone"), field(stay, "subject"))).collect())
}

#[tokio::test]
async fn a_tag_is_one_subject_however_often_it_changes_on_sqlite() -> anyhow::Result<()> {
    a_tag_is_one_subject_however_often_it_changes(Engine::Sqlite).await
}

#[tokio::test]
async fn a_tag_is_one_subject_however_often_it_changes_on_postgres() -> anyhow::Result<()> {
    a_tag_is_one_subject_however_often_it_changes(Engine::Postgres).await
}

async fn a_tag_is_one_subject_however_often_it_changes(engine: Engine) -> anyhow::Result<()> {
    let mut scene = Scene::open(World::on(engine).await?).await?;
    let api = scene.world.api();
    let tag = Changing::register(&api, json!({"kind": "tag", "name": "Cart"}), KEY).await?;
    let foreign = foreign(&scene.world).await?;
    let theirs = Changing::register(&foreign, json!({"kind": "tag", "name": "Cart"}), OTHER_KEY).await?;
    let shelf =
        json!({"kind": "beacon", "name": "Till", "venue": scene.shop.venue, "zone": scene.shop.entrance});
    let third = "ffeeddccbbaa99887766554433221100";
    let beacon = Changing::register(&api, shelf, third).await?;
    // Twenty minutes of the day before yesterday.
    let start = scene.began.minus(48 * HOUR);
    let mut pings = Vec::new();
    for step in 0..120 {
        let at = start.plus(step * 10_000);
        for changing in [&tag, &theirs, &beacon] {
            pings.push((changing.identifier(at).await?, at));
        }
        pings.push((format!("eid:{step:016x}"), at));
    }
    let pings: Vec<_> = pings.iter().map(|(id, at)| (id.as_str(), -60, *at)).collect();
    scene.reporter.report(&pings).await?;
    scene.reporter.report(&[("app:nobody", -60, start.plus(5 * HOUR))]).await?;
    let stays = eventually("the tag was there", async || {
        let stays = stays(&scene, start).await?;
        Ok((!stays.is_empty()).then_some(stays))
    })
    .await?;
    ensure!(stays.len() == 1 && stays[0].0 == scene.shop.interior.to_string(), "{stays:?}");
    // Another organization's tag and what nobody knows are nobody; a beacon is what stands there.
    let ignored = |cause: &str| format!("promenade_pings_ignored_total{{cause=\"{cause}\"}}");
    ensure!((scene.world.metric(&ignored("not_admitted")).await? - 240.0).abs() < 0.5);
    ensure!((scene.world.metric(&ignored("infrastructure")).await? - 120.0).abs() < 0.5);
    let is_missed = |part: &Value| part["state"] == "silent" && part["heard_by"] == json!(scene.reporter.id);
    super::part_of(&scene.world, beacon.device.device, "it was heard, and hours later not", is_missed)
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_phone_is_where_the_beacon_is_that_it_hears() -> anyhow::Result<()> {
    let scene = Scene::open(World::new().await?).await?;
    let api = scene.world.api();
    let beacon =
        json!({"kind": "beacon", "name": "Door", "venue": scene.shop.venue, "zone": scene.shop.interior});
    let beacon = Changing::register(&api, beacon, KEY).await?;
    let phone = made(&scene.world, json!({"kind": "phone", "name": "Phone"})).await?;
    let mut phone = Reporter::connect(&scene.world, &phone).await?;
    let start = scene.began.minus(HOUR);
    let mut pings = Vec::new();
    for step in 0..60 {
        let at = start.plus(step * 10_000);
        pings.push((beacon.identifier(at).await?, at));
    }
    // A clock that is a window off is tolerated, one of an hour is not.
    pings.push((beacon.identifier(start.plus(11 * MINUTE + 256_000)).await?, start.plus(11 * MINUTE)));
    pings.push((beacon.identifier(start.plus(70 * MINUTE)).await?, start.plus(12 * MINUTE)));
    let pings: Vec<_> = pings.iter().map(|(id, at)| (id.as_str(), -60, *at)).collect();
    phone.report(&pings).await?;
    let zones = eventually("the phone was there", async || {
        let stays = stays(&scene, start).await?;
        Ok((!stays.is_empty()).then(|| stays.into_iter().map(|(zone, _)| zone).collect::<Vec<_>>()))
    })
    .await?;
    ensure!(zones == [scene.shop.interior.to_string()], "{zones:?}");
    ensure!((scene.world.metric("promenade_pings_total").await? - 61.0).abs() < 0.5);
    Ok(())
}

#[tokio::test]
async fn a_key_is_one_devices_and_is_taken_away() -> anyhow::Result<()> {
    let scene = Scene::open(World::new().await?).await?;
    let api = scene.world.api();
    let tag = Changing::register(&api, json!({"kind": "tag", "name": "Cart"}), KEY).await?;
    let body = |kind: &str, ephemeral: Value| json!({"kind": kind, "name": "X", "ephemeral": ephemeral});
    let foreign = foreign(&scene.world).await?;
    let answer = foreign.ask(Method::POST, "/devices", Some(body("tag", ephemeral(KEY)))).await?;
    ensure!(answer.status == 409, "{answer:?}");
    for (kind, ephemeral, pointer) in [
        (
            "tag",
            json!({"identity_key": "00", "rotation_exponent": 8, "counter": 1}),
            "/ephemeral/identity_key",
        ),
        (
            "tag",
            json!({"identity_key": OTHER_KEY, "rotation_exponent": 16, "counter": 1}),
            "/ephemeral/rotation_exponent",
        ),
        ("phone", ephemeral(OTHER_KEY), ""),
    ] {
        let answer = api.ask(Method::POST, "/devices", Some(body(kind, ephemeral))).await?;
        ensure!(answer.status == 422 && answer.body["errors"][0]["pointer"] == pointer, "{answer:?}");
        ensure!(!answer.body.to_string().contains(OTHER_KEY), "the key is shown: {answer:?}");
    }
    let path = format!("/devices/{}", tag.device.device);
    let changed = api.patch(&path, json!({"ephemeral": null})).await?;
    ensure!(changed["ephemeral"].is_null(), "{changed}");
    let made = Changing::register(&foreign, json!({"kind": "tag", "name": "Cart"}), KEY).await?;
    ensure!(made.device.device != tag.device.device);
    let changed = api.patch(&path, json!({"ephemeral": ephemeral(OTHER_KEY)})).await?;
    ensure!(changed["ephemeral"]["rotation_exponent"] == json!(EXPONENT), "{changed}");
    // In the database it is sealed.
    let mut rows = std::fs::read(scene.world.data().join("promenade.db"))?;
    rows.extend(std::fs::read(scene.world.data().join("promenade.db-wal"))?);
    let holds = |what: &[u8]| rows.windows(what.len()).any(|bytes| bytes == what);
    ensure!(holds(b"Cart") && !holds(&bytes(KEY)?) && !holds(KEY.as_bytes()), "the key is in the database");
    Ok(())
}
