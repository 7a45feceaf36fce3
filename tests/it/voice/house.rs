//! A house with a display in its window, a person who lives there, and what assistants say to it.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use protocol::DeviceId;
use serde_json::{Value, json};
use store::{Algorithm, ClientKind, ClientSettings, Clock, GrantType, Link, LinkPurpose, Party, Store};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::assistants::{AMAZON_TOKEN, Assistants, EVENTS, GOOGLE_TOKEN};
use crate::oauth::{python, script};
use crate::world::{Api, Engine, PATIENCE, World, eventually, program};

const EMAIL: &str = "ann@example.org";
const PASSWORD: &str = "correct horse battery";

pub(super) struct House {
    world: World,
    pub(super) display: DeviceId,
    folder: TempDir,
    config: PathBuf,
    agent: Option<Child>,
    /// The link that makes the first account, until somebody used it.
    set_up: Option<String>,
}

/// An assistant that a person linked.
pub(super) struct Linked {
    client: String,
    secret: String,
    access: String,
    refresh: String,
}

impl House {
    pub(super) async fn open(assistants: &Assistants) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let key = folder.path().join("service.json");
        std::fs::write(&key, service_account(&format!("{}{GOOGLE_TOKEN}", assistants.address)).await?)?;
        let key = key.display().to_string();
        let (events, tokens) =
            (format!("{}{EVENTS}", assistants.address), format!("{}{AMAZON_TOKEN}", assistants.address));
        let settings = [
            ("PROMENADE_IDENTITY__ALLOW_PRIVATE_ADDRESSES", "true"),
            ("PROMENADE_VOICE__GOOGLE__ENABLED", "true"),
            ("PROMENADE_VOICE__GOOGLE__SERVICE_ACCOUNT", &key),
            ("PROMENADE_VOICE__GOOGLE__HOME_GRAPH", &assistants.address),
            ("PROMENADE_VOICE__ALEXA__ENABLED", "true"),
            ("PROMENADE_VOICE__ALEXA__CLIENT_ID", "amzn1.client"),
            ("PROMENADE_VOICE__ALEXA__CLIENT_SECRET", "a secret of Amazon"),
            ("PROMENADE_VOICE__ALEXA__EVENTS", &events),
            ("PROMENADE_VOICE__ALEXA__TOKENS", &tokens),
        ];
        let world = World::with(Engine::Sqlite, &settings).await?;
        let capabilities = json!({"on_off": {}});
        let profile = json!({"type": "display", "capabilities": capabilities, "voice": true});
        let body = json!({"kind": "kiosk", "name": "Window display", "profile": profile});
        let made = world.api().post("/devices", body).await?;
        let display: DeviceId = made["id"].as_str().context("an id")?.parse()?;
        let config = folder.path().join("agent.toml");
        let text = format!(
            "[device]\nid = \"{display}\"\nsecret = {}\n\
             [link]\nhost = \"{}\"\nport = {}\nbackoff_min_ms = 50\nbackoff_max_ms = 500\n\
             [scanner]\nkind = \"simulated\"\nidentifiers = 1\nper_second = 0.001\n\
             [spool]\ndir = \"{}\"\n\
             [appliance]\ntype = \"display\"\ndelay_ms = 50\n[appliance.capabilities.on_off]\n",
            made["secret"],
            world.mqtt().ip(),
            world.mqtt().port(),
            folder.path().join("spool").display(),
        );
        std::fs::write(&config, text)?;
        let mut house = Self { world, display, folder, config, agent: None, set_up: None };
        house.set_up = Some(house.make_set_up().await?);
        house.plug_in()?;
        let path = format!("/devices/{display}/twin");
        eventually("the display tells what it is", async || {
            Ok(house.api().get(&path).await?["reported"]["state"]["on_off"].is_object().then_some(()))
        })
        .await?;
        Ok(house)
    }

    /// Where its server is.
    pub(super) fn http(&self) -> SocketAddr {
        self.world.http()
    }

    /// A counter of `/metrics`, below `promenade_voice_`.
    pub(super) async fn counted(&self, name: &str) -> anyhow::Result<f64> {
        self.world.metric(&format!("promenade_voice_{name}")).await
    }

    pub(super) fn api(&self) -> Api {
        self.world.api()
    }

    /// The display loses its power, and the server finds out.
    pub(super) async fn pull_the_plug(&mut self) -> anyhow::Result<()> {
        self.agent.take().context("it is plugged in")?.kill().await?;
        let path = format!("/devices/{}", self.display);
        eventually("it is away", async || {
            Ok((self.api().get(&path).await?["connected"] == false).then_some(()))
        })
        .await
    }

    pub(super) fn plug_in(&mut self) -> anyhow::Result<()> {
        self.agent = Some(program("promenade-agent").arg("--config").arg(&self.config).spawn()?);
        Ok(())
    }

    /// The person agrees that an assistant may control what is in the house; the first time they make their account.
    pub(super) async fn link(&mut self, party: &str) -> anyhow::Result<Linked> {
        let (party, redirect) = match party {
            "Google" => (Party::Google, "https://oauth-redirect.googleusercontent.com/r/project"),
            _ => (Party::Amazon, "https://pitangui.amazon.com/api/skill/link/VENDOR"),
        };
        let store = Store::join(&self.world.database_url()).await?;
        let now = Clock::System.now();
        let organization = store.default_organization(now).await?.id;
        let settings = ClientSettings {
            name: "Assistant".into(),
            logo: None,
            party: Some(party),
            redirect_uris: vec![redirect.into()],
            post_logout_uris: vec![],
            backchannel_logout_uri: None,
            scopes: ["openid", "devices:read", "commands:write"].map(str::to_owned).to_vec(),
            grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            resources: vec![],
            id_token_algorithm: Algorithm::Rs256,
        };
        let made = store.create_client(organization, ClientKind::Assistant, &settings, now).await?;
        store.close().await;
        let (client, secret) = (made.0.id.to_string(), made.1.context("a secret")?.text());
        let told = json!({
            "issuer": format!("http://{}", self.world.http()),
            "client": client,
            "secret": secret,
            "redirect": redirect,
            "email": EMAIL,
            "password": PASSWORD,
            "set_up": self.set_up.take(),
        });
        let mut command = Command::new(python()?);
        let link = concat!(env!("CARGO_MANIFEST_DIR"), "/it/voice/link.py");
        command.env("PYTHONPATH", script("")).arg(link).arg(told.to_string()).kill_on_drop(true);
        let output = timeout(PATIENCE, command.output()).await.context("it does not end")??;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let tokens: Value = serde_json::from_slice(&output.stdout)?;
        let token = |name: &str| {
            let token = tokens[name].as_str().map(str::to_owned);
            token.with_context(|| format!("no {name} in {tokens}"))
        };
        Ok(Linked { client, secret, access: token("access_token")?, refresh: token("refresh_token")? })
    }

    /// The assistant gives its token back, as it does when a person unlinks there.
    pub(super) async fn unlink(&self, linked: &Linked) -> anyhow::Result<()> {
        let answer = reqwest::Client::new()
            .post(format!("http://{}/oauth/revoke", self.world.http()))
            .basic_auth(&linked.client, Some(&linked.secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("token={}", linked.refresh))
            .send()
            .await?;
        ensure!(answer.status().is_success(), "{answer:?}");
        Ok(())
    }

    /// An intent of Google's.
    pub(super) async fn google(
        &self,
        linked: &Linked,
        intent: &str,
        payload: Value,
    ) -> anyhow::Result<Value> {
        let input = json!({"intent": format!("action.devices.{intent}"), "payload": payload});
        let body = json!({"requestId": "r", "inputs": [input]});
        let answer = self.post("google", Some(&linked.access), &body).await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// The status of the answer to Google.
    pub(super) async fn google_status(&self, linked: &Linked) -> anyhow::Result<u16> {
        let body = json!({"requestId": "r", "inputs": [{"intent": "action.devices.SYNC"}]});
        Ok(self.post("google", Some(&linked.access), &body).await?.status().as_u16())
    }

    pub(super) async fn accept_grant(&self, linked: &Linked) -> anyhow::Result<Value> {
        let grant = json!({"type": "OAuth2.AuthorizationCode", "code": "the code"});
        let payload = json!({"grant": grant, "grantee": bearer(linked)});
        self.alexa("Alexa.Authorization", "AcceptGrant", &json!({"payload": payload})).await
    }

    pub(super) async fn discover(&self, linked: &Linked) -> anyhow::Result<Value> {
        self.alexa("Alexa.Discovery", "Discover", &json!({"payload": {"scope": bearer(linked)}})).await
    }

    pub(super) async fn alexa_turns(&self, linked: &Linked, name: &str) -> anyhow::Result<Value> {
        let endpoint = json!({"endpointId": self.display.to_string(), "scope": bearer(linked)});
        self.alexa("Alexa.PowerController", name, &json!({"endpoint": endpoint, "payload": {}})).await
    }

    pub(super) async fn close(mut self) -> anyhow::Result<()> {
        if let Some(mut agent) = self.agent.take() {
            agent.kill().await?;
        }
        self.world.stop().await?;
        Ok(self.folder.close()?)
    }

    /// A directive of Alexa's: what it says beside its header.
    async fn alexa(&self, namespace: &str, name: &str, rest: &Value) -> anyhow::Result<Value> {
        let mut directive = rest.clone();
        directive["header"] = json!({
            "namespace": namespace, "name": name, "payloadVersion": "3", "messageId": "m", "correlationToken": "c0rr",
        });
        let answer = self.post("alexa", None, &json!({"directive": directive})).await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    async fn post(
        &self,
        assistant: &str,
        token: Option<&str>,
        body: &Value,
    ) -> anyhow::Result<reqwest::Response> {
        let url = format!("http://{}/voice/{assistant}", self.world.http());
        let request = reqwest::Client::new().post(url).json(body);
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        Ok(request.send().await?)
    }

    async fn make_set_up(&self) -> anyhow::Result<String> {
        let store = Store::join(&self.world.database_url()).await?;
        let now = Clock::System.now();
        let (purpose, email) = (LinkPurpose::SetUp, String::new());
        let link = Link { purpose, account: None, email, expires_at: now.plus(600_000) };
        let token = store.create_link(&link, now).await?.text();
        store.close().await;
        Ok(format!("http://{}/set-up?token={token}", self.world.http()))
    }
}

impl Linked {
    /// Its access token.
    pub(super) fn access(&self) -> &str {
        &self.access
    }
}

fn bearer(linked: &Linked) -> Value {
    json!({"type": "BearerToken", "token": linked.access})
}

/// The key file of a service account whose tokens come from `token_uri`. The key is made for the test.
async fn service_account(token_uri: &str) -> anyhow::Result<String> {
    let code = "from cryptography.hazmat.primitives import serialization as s; \
                from cryptography.hazmat.primitives.asymmetric import rsa; \
                key = rsa.generate_private_key(public_exponent=65537, key_size=2048); \
                pem = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()); \
                print(pem.decode())";
    let made = Command::new(python()?).args(["-c", code]).output().await?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let account = json!({
        "type": "service_account",
        "client_email": "promenade@example.iam.gserviceaccount.com",
        "private_key_id": "k1",
        "private_key": String::from_utf8(made.stdout)?,
        "token_uri": token_uri,
    });
    Ok(account.to_string())
}
