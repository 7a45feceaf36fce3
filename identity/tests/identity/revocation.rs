//! Giving access back, taking it away, and asking what it is worth.

use std::sync::Arc;

use identity::Audience;
use serde_json::json;
use store::{BuiltInRole, Change, ClientKind, RevokedWhy};
use tokio_util::sync::CancellationToken;

use crate::browser::Browser;
use crate::world::{App, World};

struct Linked {
    world: World,
    app: App,
    access: String,
    refresh: String,
}

async fn linked(kind: ClientKind) -> Linked {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let app = world.app(kind).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let code = browser.code(&app).await;
    let tokens = world.exchange(&app, &code).await;
    let (access, refresh) = (tokens.field("access_token"), tokens.field("refresh_token"));
    world.identity.check(&access, Audience::Api).await.unwrap();
    Linked { world, app, access, refresh }
}

#[tokio::test]
async fn a_client_gives_either_token_back() {
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        for is_access in [true, false] {
            let Linked { world, app, access, refresh } = linked(kind).await;
            let token = if is_access { &access } else { &refresh };
            let form = [("token", token.as_str()), ("token_type_hint", "nonsense")];
            world.ask("/oauth/revoke", &app, &form).await.assert_ok();
            world.identity.check(&access, Audience::Api).await.unwrap_err();
            world.refresh(&app, &refresh).await.assert_refused(400, "invalid_grant");
            world.ask("/oauth/revoke", &app, &form).await.assert_ok();
        }
    }
}

#[tokio::test]
async fn another_client_neither_revokes_nor_learns() {
    let Linked { world, app, access, refresh } = linked(ClientKind::Confidential).await;
    let other = world.app(ClientKind::Confidential).await;
    for token in [access.as_str(), refresh.as_str(), "nonsense"] {
        world.ask("/oauth/revoke", &other, &[("token", token)]).await.assert_ok();
        let answer = world.ask("/oauth/introspect", &other, &[("token", token)]).await;
        assert_eq!(answer.json(), json!({"active": false}));
    }
    world.identity.check(&access, Audience::Api).await.unwrap();
    for token in [&access, &refresh] {
        assert_eq!(world.ask("/oauth/introspect", &app, &[("token", token)]).await.json()["active"], true);
    }
    let nobody = [("token", access.as_str()), ("client_id", &app.id.to_string())];
    world.post("/oauth/revoke", &nobody, None).await.assert_refused(401, "invalid_client");
    world.post("/oauth/introspect", &nobody, None).await.assert_refused(401, "invalid_client");
}

#[tokio::test]
async fn introspection_tells_a_client_about_its_own() {
    let Linked { world, app, access, refresh } = linked(ClientKind::Confidential).await;
    let answer = world.ask("/oauth/introspect", &app, &[("token", &access)]).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let told = answer.json();
    assert_eq!(
        (told["client_id"].as_str(), told["token_type"].as_str()),
        (Some(app.id.to_string().as_str()), Some("Bearer"))
    );
    assert_eq!(told["scope"], "openid email venues:read");
    assert_eq!(told["exp"].as_i64(), Some(world.now().second() + 3_600));
    world.ask("/oauth/introspect", &app, &[]).await.assert_refused(400, "invalid_request");
    world.ask("/oauth/revoke", &app, &[("token", &refresh)]).await.assert_ok();
    for token in [&access, &refresh] {
        let answer = world.ask("/oauth/introspect", &app, &[("token", token)]).await;
        assert_eq!(answer.json(), json!({"active": false}));
    }
}

#[tokio::test]
async fn a_public_client_asks_nothing() {
    let Linked { world, app, access, .. } = linked(ClientKind::Public).await;
    world.ask("/oauth/introspect", &app, &[("token", &access)]).await.assert_refused(401, "invalid_client");
}

#[tokio::test]
async fn a_revocation_that_nobody_tells_of_counts_within_half_a_minute() {
    let Linked { world, app, access, .. } = linked(ClientKind::Confidential).await;
    let ann = world.store.account_with_email("ann@example.com").await.unwrap().unwrap();
    let grant = world.store.find_grant(app.id, ann.id).await.unwrap().unwrap().id;
    world.store.revoke_grant(world.organization, grant, RevokedWhy::Unlinked, world.now()).await.unwrap();
    world.pass(29_999);
    world.identity.check(&access, Audience::Api).await.expect("what was remembered is believed");
    world.pass(1);
    world.identity.check(&access, Audience::Api).await.unwrap_err();
}

#[tokio::test]
async fn a_revocation_that_somebody_tells_of_counts_at_once() {
    let Linked { world, app, access, .. } = linked(ClientKind::Confidential).await;
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&world.identity).run(shutdown.clone()));
    // Until it listens: it forgets everything when it begins to, so what is remembered after that is dropped by a notice.
    let ann = world.store.account_with_email("ann@example.com").await.unwrap().unwrap();
    tokio::task::yield_now().await;
    world.identity.check(&access, Audience::Api).await.unwrap();
    let grant = world.store.find_grant(app.id, ann.id).await.unwrap().unwrap().id;
    world.store.revoke_grant(world.organization, grant, RevokedWhy::Unlinked, world.now()).await.unwrap();
    world.live.changed(Change::Grant(grant));
    while world.identity.check(&access, Audience::Api).await.is_ok() {
        tokio::task::yield_now().await;
    }
    shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_disabled_account_is_out() {
    let Linked { world, app, access, refresh } = linked(ClientKind::Assistant).await;
    let ann = world.store.account_with_email("ann@example.com").await.unwrap().unwrap();
    world.store.disable_account(ann.id, world.now()).await.unwrap();
    world.refresh(&app, &refresh).await.assert_refused(400, "invalid_grant");
    world.pass(30_000);
    world.identity.check(&access, Audience::Api).await.unwrap_err();
}
