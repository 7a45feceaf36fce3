//! The people of an organization.

use protocol::AccountId;
use serde_json::json;
use store::{BuiltInRole, Change, RevokedWhy, Role};

use crate::engines::each_engine;
use crate::world::{Answer, NOW, World};

const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn path(account: AccountId) -> String {
    format!("/api/v1/members/{account}")
}

#[tokio::test]
async fn a_member_from_the_first_to_the_last() {
    each_engine(async |world| {
        let ada = world.person("ada", BuiltInRole::Owner).await;
        world.set_time(NOW + 1_000);
        let ben = world.person("ben", BuiltInRole::Analyst).await;
        let expected = json!({"account": ben, "name": "ben", "email": "ben@example.org", "role": "analyst",
            "scopes": ["venues:read", "analytics:read", "stays:read", "movements:subscribe"],
            "created_at": "2026-03-02T12:00:01Z"});
        let listed = world.get("/api/v1/members").await;
        assert_eq!(listed.all("account"), [json!(ada), json!(ben)]);
        assert_eq!(listed.json()["items"][1], expected);
        let page = world.get("/api/v1/members?limit=1").await.json();
        let next = format!("/api/v1/members?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
        assert_eq!(world.get(&next).await.all("account"), [json!(ben)]);

        let mut changes = world.app.live.changes();
        let member = world.patch(&path(ben), &json!({"role": "installer"})).await;
        assert_eq!(member.status, 200, "{}", member.text);
        let member = member.json();
        assert_eq!((&member["role"], &member["email"]), (&json!("installer"), &json!("ben@example.org")));
        assert_eq!(member["scopes"], json!(["venues:read", "devices:read", "devices:write"]));
        assert_eq!(changes.try_next(), Some(Change::Account(ben)), "told at once");

        let role = json!({"name": "Cleaner", "scopes": ["venues:read"]});
        let cleaner = world.make("/api/v1/roles", &role).await;
        let member = world.patch(&path(ben), &json!({"role": cleaner})).await.json();
        assert_eq!((&member["role"], &member["scopes"]), (&json!(cleaner), &json!(["venues:read"])));
        assert_eq!(changes.try_next(), Some(Change::Account(ben)));

        assert_eq!(world.delete(&path(ben)).await.status, 204);
        assert_eq!(changes.try_next(), Some(Change::Account(ben)));
        assert_eq!(world.get("/api/v1/members").await.all("account"), [json!(ada)]);
        world.delete(&path(ben)).await.refused(404, "not-found");
        world.patch(&path(ben), &json!({"role": "admin"})).await.refused(404, "not-found");
        assert!(world.app.store.account(ben).await.is_ok(), "the account is the person's own");
        assert_eq!(changes.try_next(), None, "what is refused changes nothing");
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn who_leaves_takes_what_they_allowed_along() {
    let world = World::new().await;
    let ben = world.person("ben", BuiltInRole::Operator).await;
    let grant = world.link(ben).await;
    assert_eq!(world.delete(&path(ben)).await.status, 204);
    let revoked = world.app.store.grant(world.organization, grant).await.unwrap().revoked;
    assert_eq!(revoked.map(|(_, why)| why), Some(RevokedWhy::MemberRemoved));
    world.stop().await;
}

#[tokio::test]
async fn the_last_owner_stays_one() {
    each_engine(async |world| {
        let ada = world.person("ada", BuiltInRole::Owner).await;
        for _ in 0..2 {
            let refusal = world.patch(&path(ada), &json!({"role": "admin"})).await.refused(409, "conflict");
            assert!(refusal["detail"].as_str().unwrap().contains("owner"), "{refusal}");
            world.delete(&path(ada)).await.refused(409, "conflict");
        }
        assert_eq!(world.patch(&path(ada), &json!({"role": "owner"})).await.status, 200, "nothing changes");
        world.person("ben", BuiltInRole::Owner).await;
        assert_eq!(world.patch(&path(ada), &json!({"role": "admin"})).await.status, 200);
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn nobody_gives_or_takes_what_they_do_not_have() {
    let world = World::new().await;
    let ada = world.person("ada", BuiltInRole::Owner).await;
    world.person("eva", BuiltInRole::Owner).await;
    let ben = world.person("ben", BuiltInRole::Analyst).await;
    let wide = json!({"name": "Wide", "scopes": ["commands:write"]});
    let wide = world.make("/api/v1/roles", &wide).await;
    let admin = world.key_with(&BuiltInRole::Admin.scopes().to_string()).await;
    let narrow = world.key_with("admin venues:read analytics:read stays:read movements:subscribe").await;
    let asked = async |key: &str, method: &str, account, role: &str| {
        let request = world.request(method, &path(account)).bearer_auth(key);
        Answer::to(if method == "PATCH" { request.json(&json!({"role": role})) } else { request }).await
    };
    for (key, method, account, role, scope) in [
        (&admin, "PATCH", ben, "owner", "*"),
        (&admin, "PATCH", ada, "analyst", "*"),
        (&admin, "PATCH", ada, "owner", "*"),
        (&admin, "DELETE", ada, "", "*"),
        (&narrow, "PATCH", ben, "operator", "devices:read"),
        (&narrow, "PATCH", ben, wide.as_str(), "commands:write"),
    ] {
        let refusal = asked(key, method, account, role).await.refused(403, "missing-scope");
        assert_eq!(refusal["scope"], scope, "{method} {role}");
    }
    assert_eq!(asked(&admin, "PATCH", ben, "admin").await.status, 200);
    let refusal = asked(&narrow, "PATCH", ben, "analyst").await.refused(403, "missing-scope");
    assert_eq!(refusal["scope"], "venues:write", "admins are not unmade by whoever may do less");
    asked(&narrow, "DELETE", ben, "").await.refused(403, "missing-scope");
    let membership = world.app.store.membership(world.organization, ada).await.unwrap().unwrap();
    assert_eq!(membership.role, Role::BuiltIn(BuiltInRole::Owner));
    assert_eq!(asked(&admin, "DELETE", ben, "").await.status, 204);
    world.stop().await;
}

#[tokio::test]
async fn a_role_must_be_there() {
    let world = World::new().await;
    let ben = world.person("ben", BuiltInRole::Analyst).await;
    let other = world.foreign_key().await;
    let role = json!({"name": "Theirs", "scopes": ["venues:read"]});
    let theirs =
        Answer::to(world.request("POST", "/api/v1/roles").bearer_auth(&other).json(&role)).await.json();
    for role in [json!("chief"), json!("Owner"), json!(7), json!(null), json!(NOBODY), theirs["id"].clone()] {
        let refusal = world.patch(&path(ben), &json!({"role": role})).await.refused(422, "invalid-body");
        assert_eq!(refusal["errors"][0]["pointer"], "/role", "{role}");
    }
    world.patch(&path(ben), &json!({})).await.refused(422, "invalid-body");
    world.patch(&path(ben), &json!({"role": "admin", "name": "Ben"})).await.refused(422, "invalid-body");
    world.patch("/api/v1/members/x", &json!({"role": "admin"})).await.refused(404, "not-found");
    let stranger = world.account("stranger").await;
    world.patch(&path(stranger), &json!({"role": "admin"})).await.refused(404, "not-found");
    world.get("/api/v1/members?limit=0").await.refused(400, "invalid-query");
    world.stop().await;
}
