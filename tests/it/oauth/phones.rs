//! A shopper's phone: its person signs in, registers it, agrees to being counted, and it reports over HTTP and MQTT.

use anyhow::{Context, ensure};
use protocol::{DeviceId, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use store::{Algorithm, ClientKind, ClientSettings, Clock, GrantType, NewAccount, Owner, Store};
use tokio::process::Command;
use tokio::time::timeout;

use super::{Provider, REDIRECT, python, script};
use crate::mqtt::{Client, Connect};
use crate::world::{Api, PATIENCE, Shop};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const BEACON: &str = "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7";

/// The shop's application on somebody's phone.
struct App<'a> {
    provider: &'a Provider,
    client: String,
}

impl<'a> App<'a> {
    async fn install(provider: &'a Provider) -> anyhow::Result<Self> {
        let store = Store::join(&provider.world.database_url()).await?;
        let now = Clock::System.now();
        let organization = store.default_organization(now).await?.id;
        let settings = ClientSettings {
            name: "Shop app".into(),
            logo: None,
            party: None,
            redirect_uris: vec![REDIRECT.into()],
            post_logout_uris: vec![],
            backchannel_logout_uri: None,
            scopes: ["openid", "pings:write"].map(str::to_owned).to_vec(),
            grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            resources: ["/api/v1", "/mqtt"].map(|api| format!("{}{api}", provider.issuer())).to_vec(),
            id_token_algorithm: Algorithm::Rs256,
        };
        let (client, _) = store.create_client(organization, ClientKind::Public, &settings, now).await?;
        store.close().await;
        Ok(Self { provider, client: client.id.to_string() })
    }

    /// Lets the person sign in and agree, and gets a token for one of the APIs.
    async fn token(&self, api: &str) -> anyhow::Result<String> {
        let issuer = self.provider.issuer();
        let url = format!(
            "{issuer}/oauth/authorize?response_type=code&client_id={}&redirect_uri={REDIRECT}&scope=openid%20pings:write\
             &resource={issuer}{api}&state=s&code_challenge={CHALLENGE}&code_challenge_method=S256",
            self.client
        );
        let mut visit = Command::new(python()?);
        visit.arg(script("visit.py")).arg(self.provider.as_json()?.to_string()).arg(url);
        let output = timeout(PATIENCE, visit.output()).await??;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let back = String::from_utf8(output.stdout)?;
        let code =
            back.split(['?', '&']).find_map(|part| part.strip_prefix("code=")).context(back.clone())?;
        let body = format!(
            "grant_type=authorization_code&client_id={}&redirect_uri={REDIRECT}&code={code}&code_verifier={VERIFIER}",
            self.client
        );
        let request = reqwest::Client::new().post(format!("{issuer}/oauth/token"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer: Value = request.send().await?.json().await?;
        Ok(answer["access_token"].as_str().with_context(|| answer.to_string())?.to_owned())
    }
}

fn batch(seq: u64) -> Value {
    let at = Clock::System.now().0;
    json!({"boot": "run1", "seq": seq, "sent": at, "pings": [{"id": BEACON, "rssi": -60, "at": at}]})
}

async fn report(api: &Api, phone: &str, seq: u64) -> anyhow::Result<Value> {
    api.post(&format!("/pings?device={phone}"), batch(seq)).await
}

async fn counted(provider: &Provider) -> anyhow::Result<String> {
    let metrics = provider.world.api().text("/metrics").await?;
    let line = metrics.lines().find_map(|line| line.strip_prefix("promenade_pings_total "));
    Ok(line.context("no count of pings")?.to_owned())
}

#[tokio::test]
async fn a_phone_of_a_person_is_counted_once_they_agree() -> anyhow::Result<()> {
    let provider = Provider::new().await?;
    provider.set_up().await?;
    let shop = Shop::open(&provider.world).await?;
    let beacon = json!({"kind": "beacon", "name": "Shelf", "identifier": BEACON, "venue": shop.venue,
        "zone": shop.interior});
    provider.world.api().post("/devices", beacon).await?;
    let app = App::install(&provider).await?;
    let api = provider.world.api_as(&app.token("/api/v1").await?);
    let phone = api.post("/phones", json!({"name": "Pixel"})).await?["id"].as_str().context("id")?.to_owned();

    // Nothing is taken before its person agrees, whichever way it comes, and nothing after they take it back.
    let refused = |seq| json!([{"from": seq, "to": seq, "reason": "no_consent"}]);
    assert_eq!(report(&api, &phone, 0).await?["refused"], refused(0));
    api.post("/consents", json!({"purpose": "presence", "version": "1"})).await?;
    let receipt = report(&api, &phone, 1).await?;
    assert_eq!(receipt, json!({"boot": "run1", "through": 1, "refused": []}));
    assert_eq!(
        report(&api, &phone, 1).await?["refused"],
        json!([{"from": 1, "to": 1, "reason": "sequence_reused"}])
    );
    assert_eq!(counted(&provider).await?, "1");

    // The same over MQTT, with a token for it.
    let password = app.token("/mqtt").await?;
    let hello = |name: &str, password: &str| Connect::new(5, "phone").user(name).password(password);
    let mut client = Client::connect(&provider.world, hello(&phone, &password)).await?;
    let topic = format!("v1/{phone}/pings");
    let body = |seq| batch(seq).to_string();
    assert_eq!(client.publish(&topic, body(2), 1, false).await?, 0);
    assert_eq!(counted(&provider).await?, "2");

    // A token for the API opens nothing here, nor does a good one the phone of somebody else.
    let of_api = hello(&phone, &app.token("/api/v1").await?);
    assert_eq!(Client::refusal(&provider.world, of_api).await?, Some(0x86));
    let other = phone_of_another(&provider, &app.client).await?;
    assert_eq!(Client::refusal(&provider.world, hello(&other, &password)).await?, Some(0x86));
    let answer = api.ask(Method::POST, &format!("/pings?device={other}"), Some(batch(0))).await?;
    assert_eq!(answer.status, 404);

    // It ends with what its person allowed.
    let grants = provider.world.api().get("/grants").await?;
    let mqtt = format!("{}/mqtt", provider.issuer());
    let grant = grants["items"].as_array().context("grants")?.iter().find(|it| it["resource"] == json!(mqtt));
    let grant = grant.and_then(|grant| grant["id"].as_str()).context("a grant for MQTT")?;
    provider.world.api().delete(&format!("/grants/{grant}")).await?;
    assert_eq!(client.ended().await?, Some(0x87));
    assert_eq!(Client::refusal(&provider.world, hello(&phone, &password)).await?, Some(0x86));

    let third = batch(3);
    let path = format!("/pings?device={phone}");
    assert_eq!(api.post(&path, third.clone()).await?["refused"], json!([]));
    api.delete("/consents/presence").await?;
    let repeat = api.post(&path, third).await?;
    assert_eq!(repeat["refused"], json!([]), "what was taken before is only told again");
    assert_eq!(report(&api, &phone, 4).await?["refused"], refused(4));
    assert_eq!(counted(&provider).await?, "3");
    api.delete(&format!("/phones/{phone}")).await?;
    let gone = api.ask(Method::POST, &path, Some(batch(5))).await?;
    assert_eq!(gone.status, 404);
    Ok(())
}

/// The phone of somebody else, in the same organization.
async fn phone_of_another(provider: &Provider, client: &str) -> anyhow::Result<String> {
    let store = Store::join(&provider.world.database_url()).await?;
    let now: Timestamp = Clock::System.now();
    let organization = store.default_organization(now).await?.id;
    let new = NewAccount {
        email: "ben@example.org".into(),
        email_verified: true,
        name: "Ben".into(),
        locale: None,
        password: None,
    };
    let account = store.create_account(&new, now).await?.id;
    let owner = Owner { account, client: client.parse()? };
    let phone: DeviceId = store.register_phone(organization, owner, "Other", now).await?.id;
    store.close().await;
    Ok(phone.to_string())
}
