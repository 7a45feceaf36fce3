//! The `OAuth2` and `OpenID` server, as other people's clients use it.

mod journey;
mod phones;
mod upstream;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use store::{Algorithm, ClientKind, ClientSettings, Clock, GrantType, Link, LinkPurpose, Store};
use tokio::process::Command;
use tokio::time::timeout;

use crate::mqtt::{Client, Connect};
use crate::world::{PATIENCE, World};

/// Where clients wait for codes; nothing listens there, and nobody follows.
const REDIRECT: &str = "http://127.0.0.1:9/cb";
const EMAIL: &str = "ann@example.org";
const PASSWORD: &str = "correct horse battery";

/// A server with clients, and the link that makes its first account.
struct Provider {
    world: World,
    client: String,
    secret: String,
    kiosk: String,
    set_up: String,
}

impl Provider {
    async fn new() -> anyhow::Result<Self> {
        Self::of(World::new().await?).await
    }

    async fn of(world: World) -> anyhow::Result<Self> {
        let store = Store::join(&world.database_url()).await?;
        let now = Clock::System.now();
        let organization = store.default_organization(now).await?.id;
        let settings = |redirect_uris, grants: &[GrantType]| ClientSettings {
            name: "Client".into(),
            logo: None,
            party: None,
            redirect_uris,
            post_logout_uris: vec![],
            backchannel_logout_uri: None,
            scopes: ["openid", "email", "profile", "offline_access", "venues:read", "metrics:read"]
                .map(str::to_owned)
                .to_vec(),
            grants: grants.to_vec(),
            resources: vec![],
            id_token_algorithm: Algorithm::Rs256,
        };
        let all = [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials];
        let mut web = settings(vec![REDIRECT.into()], &all);
        web.resources = ["/api/v1", "/mqtt"].map(|api| format!("http://{}{api}", world.http())).to_vec();
        let (client, secret) = store.create_client(organization, ClientKind::Confidential, &web, now).await?;
        let screen = settings(vec![], &[GrantType::DeviceCode, GrantType::RefreshToken]);
        let (kiosk, _) = store.create_client(organization, ClientKind::Public, &screen, now).await?;
        let link = Link {
            purpose: LinkPurpose::SetUp,
            account: None,
            email: String::new(),
            expires_at: now.plus(60_000),
        };
        let set_up =
            format!("http://{}/set-up?token={}", world.http(), store.create_link(&link, now).await?.text());
        store.close().await;
        Ok(Self {
            client: client.id.to_string(),
            secret: secret.context("a secret")?.text(),
            kiosk: kiosk.id.to_string(),
            set_up,
            world,
        })
    }

    fn issuer(&self) -> String {
        format!("http://{}", self.world.http())
    }

    /// As the scripts read it.
    fn as_json(&self) -> anyhow::Result<Value> {
        Ok(json!({
            "issuer": self.issuer(),
            "client": self.client,
            "secret": self.secret,
            "kiosk": self.kiosk,
            "set_up": self.set_up,
            "redirect": REDIRECT,
            "email": EMAIL,
            "password": PASSWORD,
            "python": python()?,
            "visit": script("visit.py"),
            "allow": script("allow.py"),
        }))
    }

    /// Runs a script beside this file, which fails at the first thing that is not as it should be; answers what it found.
    async fn run(&self, interpreter: &mut Command, name: &str, more: &[&str]) -> anyhow::Result<String> {
        // idpyoidc leaves its keys where it runs.
        interpreter.current_dir(self.world.data());
        interpreter.arg(script(name)).arg(self.as_json()?.to_string()).args(more).kill_on_drop(true);
        let output = timeout(PATIENCE, interpreter.output()).await.context("it does not end")??;
        let (said, wrong) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{name} after {said}: {wrong}");
        Ok(said.into_owned())
    }

    /// Makes the first account, as whoever sees the link does.
    async fn set_up(&self) -> anyhow::Result<()> {
        let code = "import json,sys; from browser import Person; w=json.loads(sys.argv[1]); \
                    Person(w['email'], w['password']).visit(w['set_up'], w['issuer'] + '/account')";
        let mut command = Command::new(python()?);
        command.env("PYTHONPATH", script("")).args(["-c", code]).arg(self.as_json()?.to_string());
        let output = timeout(PATIENCE, command.output()).await??;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Asks the token endpoint.
    async fn token(&self, form: &[(&str, &str)]) -> anyhow::Result<Value> {
        let request = reqwest::Client::new().post(format!("{}/oauth/token", self.issuer()));
        let body = form.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        let answer = request
            .basic_auth(&self.client, Some(&self.secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await?;
        Ok(answer.json().await?)
    }
}

pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/it/oauth")).join(name)
}

pub(crate) fn python() -> anyhow::Result<String> {
    std::env::var("PROMENADE_TEST_PYTHON").context("`cargo xtask test` makes the Python that this test needs")
}

#[tokio::test]
async fn python_clients_get_what_they_ask_for() -> anyhow::Result<()> {
    let provider = Provider::new().await?;
    let said = provider.run(&mut Command::new(python()?), "clients.py", &[]).await?;
    for client in
        ["Authlib: and the API knows it", "requests-oauthlib: userinfo", "idpyoidc: ", "device: once"]
    {
        ensure!(said.contains(client), "{client} is missing in {said}");
    }
    Ok(())
}

#[tokio::test]
async fn openid_client_gets_what_it_asks_for() -> anyhow::Result<()> {
    let provider = Provider::new().await?;
    provider.set_up().await?;
    let modules = std::env::var("PROMENADE_TEST_NODE_PATH")
        .context("`cargo xtask test` installs the modules that this test needs")?;
    let mut node = Command::new("node");
    node.env("NODE_PATH", modules);
    let said = provider.run(&mut node, "openid_client.mjs", &[]).await?;
    ensure!(said.contains("openid-client: device grant"), "{said}");
    Ok(())
}

/// An access token is a password of MQTT for as long as its grant lives.
#[tokio::test]
async fn an_access_token_is_a_password_of_mqtt() -> anyhow::Result<()> {
    let provider = Provider::new().await?;
    let mqtt = format!("{}/mqtt", provider.issuer());
    let form = [("grant_type", "client_credentials"), ("scope", "metrics:read"), ("resource", &mqtt)];
    let token = provider.token(&form).await?;
    let password = token["access_token"].as_str().with_context(|| format!("{token}"))?;
    let hello = Connect::new(5, "service").user("service").password(password);
    let mut client = Client::connect(&provider.world, hello).await?;
    assert_eq!(client.subscribe(&[("$SYS/#", 0), ("free/x", 0)]).await?, [0, 0x87], "within its scopes");

    // One for the API opens nothing here.
    let other = provider.token(&form[..2]).await?;
    let password = other["access_token"].as_str().with_context(|| format!("{other}"))?;
    let refused = Connect::new(5, "other").user("service").password(password);
    assert_eq!(Client::refusal(&provider.world, refused).await?, Some(0x86));

    // The grant ends, and the connection with it.
    let revoke = reqwest::Client::new().post(format!("{}/oauth/revoke", provider.issuer()));
    let body = format!("token={}", token["access_token"].as_str().unwrap_or_default());
    let revoke = revoke
        .basic_auth(&provider.client, Some(&provider.secret))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    assert!(revoke.send().await?.status().is_success());
    assert_eq!(client.ended().await?, Some(0x87));
    Ok(())
}
