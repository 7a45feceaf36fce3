//! Devices that come in by themselves, with keys and clients of others; and what strangers try.

mod openssl;

use anyhow::{Context, ensure};
use api::authority::{Authority, Days};
use protocol::{DeviceId, Renewal, RenewalRefusal};
use reqwest::Method;
use serde_json::{Value, json};
use store::{Clock, NewCertificate, Store};
use tokio::process::Command;

use crate::mqtt::{Client, Connect};
use crate::world::{Answer, Shop, Transport, World, batch, eventually, program};

use openssl::Hardware;

/// What a device without credentials asks, as anybody can.
async fn ask(world: &World, body: Value) -> anyhow::Result<Answer> {
    world.api_as("nobody").ask(Method::POST, "/enrolments", Some(body)).await
}

/// What a device is given that was let in.
async fn fetch(world: &World, asked: &Answer) -> anyhow::Result<Answer> {
    ensure!(asked.status == 200, "{} {}", asked.status, asked.body);
    let body = json!({"device_code": asked.body["device_code"]});
    world.api_as("nobody").ask(Method::POST, "/enrolments/token", Some(body)).await
}

/// The codes of what `explain` found, over HTTP, and the whole answer.
async fn explained(world: &World, path: &str) -> anyhow::Result<(Vec<String>, String)> {
    let explanation = world.api().get(&format!("{path}/explain")).await?;
    let findings = explanation["findings"].as_array().context("findings")?.clone();
    let codes = findings.iter().filter_map(|finding| Some(finding["code"].as_str()?.to_owned())).collect();
    Ok((codes, explanation.to_string()))
}

/// Waits until `explain` says it, over HTTP and in the program.
async fn told(world: &World, path: &str, code: &str) -> anyhow::Result<()> {
    let id = path.rsplit('/').next().context("an id")?;
    eventually(code, async || {
        let (codes, _) = explained(world, path).await?;
        let mut command = program("promenade");
        command.args(["explain", "--data"]).arg(world.data()).arg(id);
        let printed = String::from_utf8(command.output().await?.stdout)?;
        let is_told = codes.iter().any(|found| found == code) && printed.contains(&format!("\n{code}: "));
        Ok(is_told.then_some(()))
    })
    .await
}

fn pings(seq: u64) -> String {
    String::from_utf8(batch(seq, [Clock::System.now()]).to_json()).expect("JSON is text")
}

fn text(body: &Value, name: &str) -> anyhow::Result<String> {
    body[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in {body}"))
}

#[tokio::test]
async fn with_a_code_on_its_screen_and_a_secret() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let asked = ask(&world, json!({"kind": "gateway", "serial": "SN-1"})).await?;
    let waiting = fetch(&world, &asked).await?;
    assert_eq!((waiting.status, &waiting.body["type"]), (400, &json!("/api/problems/enrolment-pending")));
    let code = text(&asked.body, "user_code")?;
    let approval = json!({"name": "Door", "venue": shop.venue, "zone": shop.interior});
    world.api().post(&format!("/enrolments/{code}/approve"), approval).await?;
    let fetched = fetch(&world, &asked).await?;
    let (device, secret) = (text(&fetched.body, "device")?, text(&fetched.body, "secret")?);
    let address = world.mqtt();
    let output = Command::new("mosquitto_pub")
        .args(["-h", &address.ip().to_string(), "-p", &address.port().to_string(), "-q", "1"])
        .args(["-u", &device, "-P", &secret, "-t", &format!("v1/{device}/pings"), "-m", &pings(0)])
        .output()
        .await?;
    assert!(output.status.success(), "{output:?}");
    world.metric_reaches("promenade_batches_total", 1.0).await?;
    assert_eq!(fetch(&world, &asked).await?.body["type"], "/api/problems/enrolment-expired", "once");

    // What is signed in by its secret gets no certificate over MQTT.
    let hello = Connect::new(5, "door").user(&device).password(&secret);
    let mut client = Client::connect(&world, hello).await?;
    let topic = format!("v1/{device}/certificate");
    assert_eq!(client.subscribe(&[(&topic, 1)]).await?, [1]);
    let key = Hardware::new()?.make_key().await?;
    let request = json!({"csr": key.csr}).to_string();
    client.publish(&format!("{topic}/request"), request.as_bytes(), 1, false).await?;
    let answer: Renewal = serde_json::from_slice(&client.delivery().await?.payload)?;
    assert_eq!(answer, Renewal::Refused { refused: RenewalRefusal::NotCertified });
    Ok(())
}

#[tokio::test]
async fn with_a_key_of_its_own_and_every_next_certificate() -> anyhow::Result<()> {
    let world = World::secure(&[]).await?;
    let shop = Shop::open(&world).await?;
    let mut hardware = Hardware::new()?;
    let first = hardware.make_key().await?;
    let asked = ask(&world, json!({"kind": "gateway", "csr": first.csr})).await?;
    let code = text(&asked.body, "user_code")?;
    let approval = json!({"name": "Door", "venue": shop.venue, "zone": shop.interior});
    world.api().post(&format!("/enrolments/{code}/approve"), approval).await?;
    let fetched = fetch(&world, &asked).await?;
    let device = text(&fetched.body, "device")?;
    first.certified(&world, &text(&fetched.body, "certificate")?).await?;
    let topic = format!("v1/{device}/pings");
    assert!(first.publish(&world, &topic, &pings(0)).await?);
    world.metric_reaches("promenade_batches_total", 1.0).await?;

    // Somebody copied the request: it is worth nothing, and its owner hears of it.
    let copied = ask(&world, json!({"kind": "gateway", "csr": first.csr})).await?;
    assert_eq!((copied.status, &copied.body["type"]), (409, &json!("/api/problems/conflict")));
    let path = format!("/devices/{device}");
    told(&world, &path, "key_replayed").await?;
    let (_, said) = explained(&world, &path).await?;
    assert!(said.contains("127.0.0.1"), "{said}");

    let second = hardware.make_key().await?;
    let renewed = first.renew(&world, &device, &second).await?;
    let Renewal::Signed { certificate, authority, not_after } = renewed else {
        anyhow::bail!("not renewed: {renewed:?}")
    };
    assert_eq!(authority, std::fs::read_to_string(world.authority())?);
    assert!(not_after > Clock::System.now());
    second.certified(&world, &certificate).await?;
    // Both are good while the device changes from one to the other.
    assert!(second.publish(&world, &topic, &pings(1)).await?);
    assert!(first.publish(&world, &topic, &pings(2)).await?);

    let mut bad = hardware.make_key().await?;
    bad.csr = "no request".into();
    let refused = second.renew(&world, &device, &bad).await?;
    assert_eq!(refused, Renewal::Refused { refused: RenewalRefusal::BadRequest });

    // Taking back what was stolen takes back what the thief made of it.
    let certificates = world.api().get(&format!("{path}/certificates")).await?;
    let listed = certificates["items"].as_array().context("items")?;
    let stolen = text(&listed[0], "fingerprint")?;
    assert_eq!(listed[1]["renewed_with"], json!(stolen));
    world.api().delete(&format!("{path}/certificates/{stolen}")).await?;
    for (pair, seq) in [(&first, 3), (&second, 4)] {
        assert!(!pair.publish(&world, &topic, &pings(seq)).await?, "{seq}");
    }
    told(&world, &path, "certificate_revoked").await?;
    let audit = world.api().get("/audit").await?;
    assert!(audit.to_string().contains("certificate_renewed"), "{audit}");
    Ok(())
}

#[tokio::test]
async fn a_fleet_with_a_claim_key_and_whoever_stole_it() -> anyhow::Result<()> {
    let world = World::secure(&[]).await?;
    let shop = Shop::open(&world).await?;
    let body = json!({"name": "Spring", "kind": "gateway", "venue": shop.venue, "approval": "automatic", "quota": 1});
    let made = world.api().post("/claim-keys", body).await?;
    let (id, secret) = (text(&made, "id")?, text(&made, "secret")?);
    let path = format!("/claim-keys/{id}");
    let asks = |serial: &str| json!({"kind": "gateway", "serial": serial, "claim_key": secret});

    let mut hardware = Hardware::new()?;
    let own = hardware.make_key().await?;
    let mut with_key = asks("SN-1");
    with_key["csr"] = json!(own.csr);
    let asked = ask(&world, with_key).await?;
    let fetched = fetch(&world, &asked).await?;
    let device = text(&fetched.body, "device")?;
    own.certified(&world, &text(&fetched.body, "certificate")?).await?;
    assert!(own.publish(&world, &format!("v1/{device}/pings"), &pings(0)).await?);
    world.metric_reaches("promenade_pings_total", 1.0).await?;

    let thief = ask(&world, asks("SN-666")).await?;
    assert_eq!((thief.status, &thief.body["reason"]), (403, &json!("used_up")), "{}", thief.body);
    let (codes, said) = explained(&world, &path).await?;
    assert_eq!(codes, ["claim_key_over", "claim_key_refused"], "{said}");
    told(&world, &path, "claim_key_over").await?;
    world.api().patch(&path, json!({"quota": 2})).await?;
    assert_eq!(explained(&world, &path).await?.0, ["claim_key_refused", "healthy"]);

    world.api().delete(&path).await?;
    let thief = ask(&world, asks("SN-667")).await?;
    assert_eq!((thief.status, &thief.body["reason"]), (403, &json!("revoked")));
    let (codes, said) = explained(&world, &path).await?;
    assert_eq!(codes, ["claim_key_over", "claim_key_refused"], "{said}");
    assert!(said.contains("refused 2 times") && said.contains("127.0.0.1"), "{said}");
    assert!(own.publish(&world, &format!("v1/{device}/pings"), &pings(1)).await?, "what came in stays");
    let late = world.api().ask(Method::PATCH, &path, Some(json!({"quota": 9}))).await?;
    assert_eq!(late.status, 404);
    Ok(())
}

/// Our own agent, from an image with a claim key in it to the first pings: nobody types anything.
#[tokio::test]
async fn the_agent_of_a_fleet_comes_in_by_itself() -> anyhow::Result<()> {
    let world = World::secure(&[]).await?;
    let shop = Shop::open(&world).await?;
    let body = json!({"name": "Spring", "kind": "gateway", "venue": shop.venue, "approval": "automatic", "quota": 1});
    let made = world.api().post("/claim-keys", body).await?;
    let folder = tempfile::tempdir()?;
    let (key, spool) = (folder.path().join("claim-key"), folder.path().join("spool"));
    std::fs::write(&key, text(&made, "secret")?)?;
    let config = folder.path().join("agent.toml");
    let address = world.address(Transport::Tls)?;
    let said = format!(
        "[enrolment]\nserver = \"http://{}\"\nclaim_key_file = \"{}\"\ncertificate = true\nserial = \"SN-1\"\n\
         [link]\nhost = \"{}\"\nport = {}\ntls = true\n[scanner]\nkind = \"simulated\"\n\
         [batches]\ninterval_ms = 200\n[spool]\ndir = \"{}\"\n",
        world.http(),
        key.display(),
        address.ip(),
        address.port(),
        spool.display()
    );
    std::fs::write(&config, said)?;
    let mut agent = program("promenade-agent")
        .arg("--config")
        .arg(&config)
        .kill_on_drop(true)
        .spawn()
        .context("agent")?;
    world.metric_reaches("promenade_batches_total", 1.0).await?;
    let devices = world.api().get("/devices?kind=gateway").await?;
    let items = devices["items"].as_array().context("items")?;
    let own =
        items.iter().find(|device| device["name"] == "SN-1").context("it is named by its serial number")?;
    let path = format!("/devices/{}", text(own, "id")?);
    let certificates = world.api().get(&format!("{path}/certificates")).await?;
    assert_eq!(certificates["items"][0]["state"], "valid", "{certificates}");
    eventually("its twin tells of its certificate", async || {
        let twin = world.api().get(&format!("{path}/twin")).await?;
        Ok((twin["reported"]["state"]["certificate"]["renewal"] == "ok").then_some(()))
    })
    .await?;
    agent.kill().await?;
    Ok(())
}

#[tokio::test]
async fn another_organization_sees_and_decides_nothing() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    // Nothing outside the program makes a second organization yet.
    let store = Store::open(&world.database_url()).await?;
    let foreign = store.create_organization("Other", Clock::System.now()).await?.id.to_string();
    store.close().await;
    let key = world.make_token(&["--name", "foreign", "--scope", "*", "--organization", &foreign]).await?;
    let foreigner = world.api_as(&key);

    let body = json!({"name": "Spring", "kind": "gateway", "approval": "manual", "quota": 9});
    let made = world.api().post("/claim-keys", body).await?;
    let asked =
        ask(&world, json!({"kind": "gateway", "serial": "SN-1", "claim_key": text(&made, "secret")?}))
            .await?;
    assert_eq!(asked.status, 200, "{}", asked.body);
    let listed = world.api().get("/enrolments").await?;
    let request = text(&listed["items"][0], "id")?;
    let code = text(&asked.body, "user_code")?;
    let claim_key = text(&made, "id")?;
    for (method, path) in [
        (Method::GET, format!("/enrolments/{request}")),
        (Method::POST, format!("/enrolments/{request}/approve")),
        (Method::POST, format!("/enrolments/{request}/deny")),
        (Method::GET, format!("/enrolments/{code}")),
        (Method::POST, format!("/enrolments/{code}/approve")),
        (Method::GET, format!("/claim-keys/{claim_key}/explain")),
        (Method::DELETE, format!("/claim-keys/{claim_key}")),
        (Method::GET, format!("/devices/{}/explain", shop.gateway.device)),
    ] {
        let body = (method == Method::POST).then(|| json!({}));
        let refused = foreigner.ask(method.clone(), &path, body).await?;
        assert_eq!(refused.status, 404, "{method} {path}: {}", refused.body);
    }
    assert_eq!(fetch(&world, &asked).await?.body["type"], "/api/problems/enrolment-pending");
    // The two tries with the code are told to whoever looks after the key, over HTTP and on the command line.
    let path = format!("/claim-keys/{claim_key}");
    told(&world, &path, "claim_key_refused").await?;
    let (_, said) = explained(&world, &path).await?;
    assert!(said.contains("refused 2 times") && said.contains("another organization"), "{said}");
    let listed = world.api().get("/claim-keys").await?;
    assert_eq!(listed["items"][0]["last_refusal"]["reason"], "wrong_organization", "{listed}");

    // Nor does one's own code take the place of a device of others.
    let own = ask(&world, json!({"kind": "gateway"})).await?;
    let approval = json!({"name": "Mine", "replaces": shop.gateway.device});
    let path = format!("/enrolments/{}/approve", text(&own.body, "user_code")?);
    let refused = foreigner.ask(Method::POST, &path, Some(approval)).await?;
    assert_eq!(refused.status, 422, "{}", refused.body);
    Ok(())
}

#[tokio::test]
async fn an_expired_certificate_signs_nobody_in_and_is_explained() -> anyhow::Result<()> {
    const DAY_MS: i64 = 24 * 3_600_000;
    // Long enough to sign in with once.
    const LEFT_MS: i64 = 15_000;
    let world = World::secure(&[]).await?;
    let shop = Shop::open(&world).await?;
    let device: DeviceId = shop.gateway.device;
    let authority = Authority::open(&world.data().join("ca"))?.context("no authority")?;
    let yesterday = Clock::System.now().minus(DAY_MS - LEFT_MS);
    let issued = authority.issue(device, Days::Exactly(1), None, yesterday)?;
    let store = Store::join(&world.database_url()).await?;
    let organization = store.registered(device).await?.context("registered")?.device.organization;
    let new = NewCertificate {
        fingerprint: issued.fingerprint.0,
        serial: issued.serial.clone(),
        not_before: issued.not_before,
        not_after: issued.not_after,
        key: issued.key_hash,
        renewed_with: None,
    };
    store.issue_certificate(organization, device, &new, yesterday).await?;
    store.close().await;
    let folder = tempfile::tempdir()?;
    let pair = openssl::given(folder.path(), &issued.certificate, issued.key.as_deref().context("a key")?)?;
    let topic = format!("v1/{device}/pings");
    assert!(pair.publish(&world, &topic, &pings(0)).await?, "it is still good");
    eventually("it ends", async || Ok((!pair.publish(&world, &topic, &pings(1)).await?).then_some(())))
        .await?;
    assert!(Clock::System.now() > issued.not_after, "not before its time");
    told(&world, &format!("/devices/{device}"), "certificate_expired").await
}
