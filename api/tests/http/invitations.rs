//! How people come in.

use serde_json::json;
use store::BuiltInRole;

use crate::engines::each_engine;
use crate::world::{Answer, HOUR, NOW, World};

const LIST: &str = "/api/v1/invitations";

#[tokio::test]
async fn an_invitation_from_the_first_to_the_last() {
    each_engine(async |world| {
        let made = world.post(LIST, &json!({"email": "ada@example.org", "role": "operator"})).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let mut invitation = made.json();
        let link = invitation.as_object_mut().unwrap().remove("link").unwrap();
        let link = link.as_str().unwrap();
        let path = format!("{LIST}/{}", invitation["id"].as_str().unwrap());
        assert_eq!(made.header("location"), path);
        let expected = json!({"id": invitation["id"], "email": "ada@example.org", "role": "operator",
            "invited_by": null, "created_at": "2026-03-02T12:00:00Z", "expires_at": "2026-03-09T12:00:00Z"});
        assert_eq!(invitation, expected);
        let listed = world.get(LIST).await;
        assert_eq!(listed.json()["items"], json!([invitation]));
        assert!(!listed.text.contains("in_"), "the link is shown once: {}", listed.text);

        let token = link.strip_prefix(&format!("{}/invitation?token=", world.app.identity.issuer())).unwrap();
        let ada = world.account("ada").await;
        let accepted = world.app.store.accept_invitation(token, ada, world.app.clock.now()).await.unwrap();
        assert_eq!(accepted.unwrap().id.to_string(), invitation["id"].as_str().unwrap());
        assert_eq!(world.get("/api/v1/members").await.all("role"), [json!("operator")]);
        assert_eq!(world.get(LIST).await.json()["items"], json!([]));
        world.delete(&path).await.refused(404, "not-found");
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_withdrawn_one_is_worth_nothing() {
    let world = World::new().await;
    let made = world.post(LIST, &json!({"email": "ada@example.org", "role": "analyst"})).await.json();
    let token = made["link"].as_str().unwrap().rsplit('=').next().unwrap().to_owned();
    let page = Answer::to(world.request("GET", &format!("/invitation?token={token}"))).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let path = format!("{LIST}/{}", made["id"].as_str().unwrap());
    assert_eq!(world.delete(&path).await.status, 204);
    assert_eq!(world.app.store.invitation(&token, world.app.clock.now()).await.unwrap(), None);
    let page = Answer::to(world.request("GET", &format!("/invitation?token={token}"))).await;
    assert!((400..500).contains(&page.status), "{}", page.status);
    world.delete(&path).await.refused(404, "not-found");
    world.delete(&format!("{LIST}/x")).await.refused(404, "not-found");
    world.stop().await;
}

#[tokio::test]
async fn where_mail_is_sent_the_link_is_in_it_alone() {
    let world = World::with_mail().await;
    let made = world.post(LIST, &json!({"email": "ada@example.org", "role": "analyst"})).await;
    assert_eq!((made.status, &made.json()["link"]), (201, &json!(null)), "{}", made.text);
    assert!(!made.text.contains("in_"), "{}", made.text);
    let mail = world.mail().await;
    assert_eq!(mail.len(), 1);
    assert!(mail[0].contains("ada@example.org") && mail[0].contains("/invitation?token="), "{}", mail[0]);
    world.stop().await;
}

#[tokio::test]
async fn what_is_over_is_not_listed_and_pages_follow_each_other() {
    let world = World::new().await;
    for (name, time) in ["a", "b", "c"].iter().zip(0..) {
        world.set_time(NOW + time * HOUR);
        world.make(LIST, &json!({"email": format!("{name}@example.org"), "role": "analyst"})).await;
    }
    let first = world.get(&format!("{LIST}?limit=2")).await;
    assert_eq!(first.all("email"), [json!("a@example.org"), json!("b@example.org")]);
    let next = format!("{LIST}?limit=2&cursor={}", first.json()["next_cursor"].as_str().unwrap());
    assert_eq!(world.get(&next).await.all("email"), [json!("c@example.org")]);
    world.set_time(NOW + 7 * 24 * HOUR);
    assert_eq!(world.get(LIST).await.all("email"), [json!("b@example.org"), json!("c@example.org")]);
    world.stop().await;
}

#[tokio::test]
async fn nobody_invites_into_more_than_they_have() {
    let world = World::new().await;
    let admin = world.key_with(&BuiltInRole::Admin.scopes().to_string()).await;
    let narrow = world.key_with("admin venues:read").await;
    let wide = world.make("/api/v1/roles", &json!({"name": "Wide", "scopes": ["stays:read"]})).await;
    let invite = async |key: &str, role: &str| {
        let body = json!({"email": "ada@example.org", "role": role});
        Answer::to(world.request("POST", LIST).bearer_auth(key).json(&body)).await
    };
    for (key, role, scope) in [
        (&admin, "owner", "*"),
        (&narrow, "installer", "devices:read"),
        (&narrow, wide.as_str(), "stays:read"),
    ] {
        assert_eq!(invite(key, role).await.refused(403, "missing-scope")["scope"], scope, "{role}");
    }
    assert_eq!(world.get(LIST).await.json()["items"], json!([]));
    for role in ["admin", wide.as_str()] {
        assert_eq!(invite(&admin, role).await.status, 201, "{role}");
    }
    // Nor does anybody take back what they could not have given.
    let owner = world.make(LIST, &json!({"email": "eve@example.org", "role": "owner"})).await;
    let path = format!("{LIST}/{owner}");
    let withdrawn = Answer::to(world.request("DELETE", &path).bearer_auth(&admin)).await;
    assert_eq!(withdrawn.refused(403, "missing-scope")["scope"], "*");
    assert_eq!(world.delete(&path).await.status, 204);
    assert_eq!(world.delete(&format!("/api/v1/roles/{wide}")).await.status, 204);
    assert_eq!(world.get(LIST).await.all("role"), [json!("admin")], "a role that is gone is given to nobody");
    world.stop().await;
}

#[tokio::test]
async fn mistakes_are_named() {
    let world = World::new().await;
    let nowhere = "01890a5d-ac96-774b-bcce-b302099a8057";
    for (body, pointer) in [
        (json!({"email": "ada", "role": "admin"}), "/email"),
        (json!({"email": "ada @example.org", "role": "admin"}), "/email"),
        (json!({"email": "a\u{0}@example.org", "role": "admin"}), "/email"),
        (json!({"email": format!("{}@example.org", "a".repeat(300)), "role": "admin"}), "/email"),
        (json!({"email": "ada@example.org", "role": "chief"}), "/role"),
        (json!({"email": "ada@example.org", "role": nowhere}), "/role"),
        (json!({"email": "ada@example.org"}), "/role"),
        (json!({"role": "admin"}), "/email"),
    ] {
        let refusal = world.post(LIST, &body).await.refused(422, "invalid-body");
        assert_eq!(refusal["errors"][0]["pointer"], pointer, "{body}");
    }
    world.stop().await;
}
