//! Refresh tokens: those of servers stay, those in people's hands rotate.

use identity::Audience;
use store::{BuiltInRole, Change, ClientKind, Role};

use crate::browser::Browser;
use crate::world::{App, MINUTE, World};

const DAY: i64 = 24 * 60 * MINUTE;

/// A world in which Ann linked a client, and its refresh token.
async fn linked(kind: ClientKind) -> (World, App, String) {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let app = world.app(kind).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let code = browser.code(&app).await;
    let token = world.exchange(&app, &code).await.field("refresh_token");
    (world, app, token)
}

#[tokio::test]
async fn an_assistant_keeps_its_token_for_years() {
    let (world, app, token) = linked(ClientKind::Assistant).await;
    for _ in 0..3 {
        world.pass(700 * DAY);
        world.identity.maintain().await;
        let answer = world.refresh(&app, &token).await;
        answer.assert_ok();
        assert!(answer.json()["refresh_token"].is_null(), "the one it has stays");
        assert_eq!(answer.json()["expires_in"], 3_600);
        world.identity.check(&answer.field("access_token"), Audience::Api).await.unwrap();
    }
    let (one, two, three) =
        tokio::join!(world.refresh(&app, &token), world.refresh(&app, &token), world.refresh(&app, &token));
    for answer in [one, two, three] {
        answer.assert_ok();
    }
}

#[tokio::test]
async fn a_lost_answer_may_be_asked_for_again() {
    let (world, app, first) = linked(ClientKind::Public).await;
    let lost = world.refresh(&app, &first).await.field("refresh_token");
    let second = world.refresh(&app, &first).await.field("refresh_token");
    assert_ne!(lost, second);
    let third = world.refresh(&app, &second).await.field("refresh_token");
    world.refresh(&app, &third).await.assert_ok();
}

#[tokio::test]
async fn a_thief_who_is_faster_is_found_out() {
    let (world, app, first) = linked(ClientKind::Public).await;
    let of_the_phone = world.refresh(&app, &first).await.field("refresh_token");
    let of_the_thief = world.refresh(&app, &first).await.field("refresh_token");
    let stolen = world.refresh(&app, &of_the_thief).await.field("access_token");
    world.refresh(&app, &of_the_phone).await.assert_refused(400, "invalid_grant");
    world.identity.check(&stolen, Audience::Api).await.unwrap_err();
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let activity = browser.get("/account/activity").await;
    assert!(activity.text.contains("was used again; the link was ended"), "{}", activity.text);
}

#[tokio::test]
async fn a_token_that_comes_after_its_successor_ends_the_link_and_is_written_down() {
    let (world, app, first) = linked(ClientKind::Public).await;
    let second = world.refresh(&app, &first).await.field("refresh_token");
    let answer = world.refresh(&app, &second).await;
    let (third, access) = (answer.field("refresh_token"), answer.field("access_token"));
    world.refresh(&app, &first).await.assert_refused(400, "invalid_grant");
    world.refresh(&app, &third).await.assert_refused(400, "invalid_grant");
    world.identity.check(&access, Audience::Api).await.unwrap_err();
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let activity = browser.get("/account/activity").await;
    assert!(activity.text.contains("was used again; the link was ended"), "{}", activity.text);
}

#[tokio::test]
async fn one_installation_does_not_end_another() {
    let (world, app, of_phone) = linked(ClientKind::Public).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let code = browser.code(&app).await;
    let of_tablet = world.exchange(&app, &code).await.field("refresh_token");
    let second = world.refresh(&app, &of_phone).await.field("refresh_token");
    world.refresh(&app, &second).await.assert_ok();
    world.refresh(&app, &of_phone).await.assert_refused(400, "invalid_grant");
    world.refresh(&app, &of_tablet).await.assert_ok();
}

#[tokio::test]
async fn scope_shrinks_and_never_grows() {
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        let (world, app, token) = linked(kind).await;
        let ask = async |scope: &str| {
            let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", scope)];
            world.token(&app, &form).await
        };
        for more in ["openid email venues:read commands:write", "admin", "*", "nonsense"] {
            ask(more).await.assert_refused(400, "invalid_scope");
        }
        let less = ask("venues:read").await;
        assert_eq!(less.field("scope"), "venues:read", "and the token was not spent on refusals");
        assert_eq!(
            world
                .identity
                .check(&less.field("access_token"), Audience::Api)
                .await
                .unwrap()
                .scopes
                .to_string(),
            "venues:read"
        );
    }
}

#[tokio::test]
async fn a_token_is_its_clients_alone() {
    for kind in [ClientKind::Public, ClientKind::Confidential] {
        let (world, app, token) = linked(kind).await;
        let other = world.app(kind).await;
        world.refresh(&other, &token).await.assert_refused(400, "invalid_grant");
        world.refresh(&app, "rt_nothing").await.assert_refused(400, "invalid_grant");
        world.refresh(&app, &token).await.assert_ok();
    }
}

#[tokio::test]
async fn a_phone_that_never_comes_back_is_forgotten() {
    let (world, app, token) = linked(ClientKind::Public).await;
    world.pass(89 * DAY);
    let next = world.refresh(&app, &token).await.field("refresh_token");
    world.pass(90 * DAY);
    world.refresh(&app, &next).await.assert_refused(400, "invalid_grant");
}

#[tokio::test]
async fn a_smaller_role_is_a_smaller_token() {
    let (world, app, token) = linked(ClientKind::Confidential).await;
    let ann = world.store.account_with_email("ann@example.com").await.unwrap().unwrap();
    world.member("owner@example.com", BuiltInRole::Owner).await;
    let scopes = "stays:read".parse().unwrap();
    let guest = world.store.create_role(world.organization, "guest", &scopes, world.now()).await.unwrap();
    let role = Role::Custom(guest.id);
    world.store.change_member(world.organization, ann.id, None, role).await.unwrap();
    assert_eq!(world.refresh(&app, &token).await.field("scope"), "openid email");
    world.store.disable_account(ann.id, world.now()).await.unwrap();
    world.refresh(&app, &token).await.assert_refused(400, "invalid_grant");
}

#[tokio::test]
async fn what_a_client_may_no_longer_ask_for_it_no_longer_has() {
    let (world, app, token) = linked(ClientKind::Confidential).await;
    let access = world.refresh(&app, &token).await.field("access_token");
    assert!(!world.identity.check(&access, Audience::Api).await.unwrap().scopes.is_empty());
    let mut settings = world.store.client(app.id).await.unwrap().unwrap().settings;
    settings.scopes = vec!["openid".into()];
    world.store.change_client(world.organization, app.id, &settings).await.unwrap();
    world.identity.changed(Change::Client(app.id));
    assert_eq!(world.refresh(&app, &token).await.field("scope"), "openid");
    let before = world.identity.check(&access, Audience::Api).await.unwrap();
    assert!(before.scopes.is_empty(), "nor by a token of before: {:?}", before.scopes);
}

#[tokio::test]
async fn when_a_link_was_used_is_written_a_moment_later() {
    let (world, app, token) = linked(ClientKind::Confidential).await;
    let ann = world.store.account_with_email("ann@example.com").await.unwrap().unwrap();
    let last_used = async || world.store.grants_of(ann.id).await.unwrap()[0].last_used_at;
    world.pass(60 * MINUTE);
    world.refresh(&app, &token).await.assert_ok();
    assert_ne!(last_used().await, Some(world.now()));
    world.identity.maintain().await;
    assert_eq!(last_used().await, Some(world.now()));
}
