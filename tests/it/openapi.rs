//! The `OpenAPI` document, as a stranger's program reads it: schemathesis makes requests of it, good and bad, for each role, and
//! compares the answers with what the document says. No answer is a failure of the server, and none is of a kind that is not
//! documented.

use std::path::Path;

use anyhow::{Context, ensure};
use protocol::AccountId;
use serde_json::Value;
use store::{
    Algorithm, BuiltInRole, ClientKind, ClientSettings, Clock, GrantType, NewAccount, NewGrant, Role, Store,
};
use tokio::process::Command;

use crate::world::World;

/// Requests for each operation, beside those that schemathesis derives from the document; with `--long`, 100.
const REQUESTS: &str = "3";
const SEED: &str = "1";

/// A stream of events ends when its reader goes, so nothing can be compared; `api/tests/http/live.rs` reads it.
const ENDLESS: &str = "/api/v1/venues/{venue}/live";

/// What of an answer is compared.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth";

/// Lets schemathesis talk to a server with this credential, or without any.
async fn compare(world: &World, credential: Option<&str>) -> anyhow::Result<()> {
    let python = std::env::var("PROMENADE_TEST_PYTHON")
        .context("`cargo xtask test` makes the Python that this needs")?;
    let long = std::env::var_os("PROMENADE_TEST_LONG").is_some();
    let program = Path::new(&python).with_file_name("schemathesis");
    let mut command = Command::new(program);
    command
        .arg("run")
        .arg(format!("http://{}/api/openapi.json", world.http()))
        .args(["--phases", "examples,coverage,fuzzing,stateful", "--checks", CHECKS])
        .args(["--max-examples", if long { "100" } else { REQUESTS }, "--seed", SEED])
        .args(["--exclude-path", ENDLESS, "--request-timeout", "20", "--warnings", "off"])
        // It leaves a folder of what it found where it runs.
        .current_dir(world.data())
        .kill_on_drop(true);
    if let Some(credential) = credential {
        command.args(["--header", &format!("Authorization: Bearer {credential}")]);
    }
    let output = command.output().await.context("schemathesis does not start")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "seed {SEED}: {said}{}", String::from_utf8_lossy(&output.stderr));
    ensure!(said.contains("Test cases:"), "it did nothing: {said}");
    Ok(())
}

/// Whom an access token stands for.
#[derive(Clone, Copy)]
enum Who {
    Member(BuiltInRole),
    /// With a role that the organization made.
    Custom,
    /// In no organization.
    Shopper,
}

/// An access token of a person for everything that their role, or no role, allows.
async fn token(world: &World, who: Who) -> anyhow::Result<String> {
    let store = Store::join(&world.database_url()).await?;
    let now = Clock::System.now();
    let organization = store.default_organization(now).await?.id;
    let new = NewAccount {
        email: "ann@example.org".into(),
        email_verified: true,
        name: "Ann".into(),
        locale: None,
        password: None,
    };
    let account: AccountId = store.create_account(&new, now).await?.id;
    let role = match who {
        Who::Member(role) => Some(Role::BuiltIn(role)),
        Who::Custom => {
            let scopes = "venues:read venues:write devices:write stays:read".parse()?;
            Some(Role::Custom(store.create_role(organization, "Mixed", &scopes, now).await?.id))
        }
        Who::Shopper => None,
    };
    if let Some(role) = role {
        store.add_member(organization, account, role, now).await?;
    }
    let scopes = "openid * pings:write";
    let settings = ClientSettings {
        name: "Reader".into(),
        logo: None,
        party: None,
        redirect_uris: vec!["https://app.example/cb".into()],
        post_logout_uris: vec![],
        backchannel_logout_uri: None,
        scopes: scopes.split(' ').map(str::to_owned).collect(),
        grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        resources: vec![],
        id_token_algorithm: Algorithm::Rs256,
    };
    let (client, secret) =
        store.create_client(organization, ClientKind::Confidential, &settings, now).await?;
    let new = NewGrant { client: client.id, account: Some(account), scopes: scopes.into(), resource: None };
    let grant = store.create_grant(organization, &new, now).await?.id;
    let refresh = store.issue_refresh_token(grant, None, now).await?.text();
    store.close().await;
    let request = reqwest::Client::new().post(format!("http://{}/oauth/token", world.http()));
    let request = request
        .basic_auth(client.id, secret.map(|secret| secret.text()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("grant_type=refresh_token&refresh_token={refresh}"));
    let answer: Value = request.send().await?.json().await?;
    Ok(answer["access_token"].as_str().with_context(|| answer.to_string())?.to_owned())
}

async fn compare_as(who: Who) -> anyhow::Result<()> {
    let world = World::new().await?;
    compare(&world, Some(&token(&world, who).await?)).await
}

#[tokio::test]
async fn a_key_of_every_scope_meets_nothing_undocumented() -> anyhow::Result<()> {
    let world = World::new().await?;
    compare(&world, Some(world.token())).await
}

#[tokio::test]
async fn owners_meet_nothing_undocumented() -> anyhow::Result<()> {
    compare_as(Who::Member(BuiltInRole::Owner)).await
}

#[tokio::test]
async fn admins_meet_nothing_undocumented() -> anyhow::Result<()> {
    compare_as(Who::Member(BuiltInRole::Admin)).await
}

#[tokio::test]
async fn analysts_meet_nothing_undocumented() -> anyhow::Result<()> {
    compare_as(Who::Member(BuiltInRole::Analyst)).await
}

#[tokio::test]
async fn operators_meet_nothing_undocumented() -> anyhow::Result<()> {
    compare_as(Who::Member(BuiltInRole::Operator)).await
}

#[tokio::test]
async fn installers_meet_nothing_undocumented() -> anyhow::Result<()> {
    compare_as(Who::Member(BuiltInRole::Installer)).await
}

#[tokio::test]
async fn who_has_a_role_of_the_organization_meets_nothing_undocumented() -> anyhow::Result<()> {
    compare_as(Who::Custom).await
}

#[tokio::test]
async fn shoppers_meet_nothing_undocumented() -> anyhow::Result<()> {
    compare_as(Who::Shopper).await
}

#[tokio::test]
async fn strangers_meet_nothing_undocumented() -> anyhow::Result<()> {
    let world = World::new().await?;
    compare(&world, Some("nobody")).await?;
    compare(&world, None).await
}
