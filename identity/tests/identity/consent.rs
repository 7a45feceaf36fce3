//! Consent is to what was shown, by whom it was shown to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::{BuiltInRole, ClientKind, Party, Role};

use crate::browser::Browser;
use crate::world::{MINUTE, World, encoded};

#[tokio::test]
async fn the_page_names_the_party_and_works_without_scripts() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let google = world
        .app_with(ClientKind::Assistant, |settings| {
            settings.party = Some(Party::Google);
            settings.logo = Some("https://app.example/logo.png".to_owned());
        })
        .await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let page = browser.get(&google.authorize(&[])).await;
    for text in
        ["Google", "Agree and link", "Cancel", "https://app.example/logo.png", "ann@example.com", "again=1"]
    {
        assert!(page.text.contains(text), "{text} is missing: {}", page.text);
    }
    assert!(!page.text.contains("<script") && !page.text.contains("onclick"));
}

#[tokio::test]
async fn cancel_sends_the_browser_back_with_nothing() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let app = world.app(ClientKind::Confidential).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let form = browser.get(&app.authorize(&[])).await.form("/oauth/consent");
    let answer = browser.submit(&form, &[("decision", "cancel")]).await;
    assert_eq!(answer.parameter("error").as_deref(), Some("access_denied"));
    assert_eq!(answer.parameter("code"), None);
    let answer = browser.submit(&form, &[]).await;
    assert_eq!(answer.status.as_u16(), 400, "neither of the two");
}

#[tokio::test]
async fn another_site_cannot_agree() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    world.member("eve@example.com", BuiltInRole::Operator).await;
    let app = world.app(ClientKind::Confidential).await;
    let mut ann = Browser::signed_in(&world, "ann@example.com").await;
    let mut eve = Browser::signed_in(&world, "eve@example.com").await;
    let form = ann.get(&app.authorize(&[])).await.form("/oauth/consent");
    let of_eve = eve.get(&app.authorize(&[])).await.form("/oauth/consent");

    for csrf in ["", "x", &of_eve.fields[0].1] {
        let answer = ann.submit(&form, &[("csrf", csrf), ("decision", "agree")]).await;
        assert_eq!(answer.status.as_u16(), 403, "a form without this browser's mark");
    }
    assert_eq!(world.refusals("forged_form"), 3);
    // Eve's whole page, posted with Ann's own mark.
    let answer = ann.submit(&of_eve, &[("csrf", &form.fields[0].1), ("decision", "agree")]).await;
    assert_eq!(answer.status.as_u16(), 403, "a request that was shown to somebody else");
    ann.submit(&form, &[("decision", "agree")]).await.parameter("code").unwrap();
}

#[tokio::test]
async fn the_browser_itself_tells_of_another_site() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let app = world.app(ClientKind::Confidential).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let form = browser.get(&app.authorize(&[])).await.form("/oauth/consent");
    let fields: Vec<_> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let cookies: Vec<String> =
        browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    for (site, status) in [("cross-site", 403), ("same-site", 403), ("same-origin", 303)] {
        let body = encoded(&[fields.as_slice(), &[("decision", "agree")]].concat());
        let request = axum::http::Request::post("/oauth/consent")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", cookies.join("; "))
            .header("sec-fetch-site", site);
        let answer = world.send(request.body(axum::body::Body::from(body)).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{site}");
    }
}

#[tokio::test]
async fn nothing_that_was_shown_can_be_swapped() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let app = world.app(ClientKind::Confidential).await;
    let other = world.app(ClientKind::Confidential).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let form = browser.get(&app.authorize(&[])).await.form("/oauth/consent");
    let request = |form: &crate::browser::Form| {
        let field = form.fields.iter().find(|(name, _)| name == "request").unwrap();
        String::from_utf8(URL_SAFE_NO_PAD.decode(&field.1).unwrap()).unwrap()
    };
    let shown = request(&form);
    for (from, to) in [
        ("openid email venues:read".to_owned(), "openid email commands:write".to_owned()),
        ("https://app.example/cb".to_owned(), "https://evil.example/cb".to_owned()),
        (app.id.to_string(), other.id.to_string()),
        ("n-1".to_owned(), "n-2".to_owned()),
        ("E9Melhoa".to_owned(), "F9Melhoa".to_owned()),
    ] {
        assert!(shown.contains(&from), "{shown}");
        let swapped = URL_SAFE_NO_PAD.encode(shown.replace(&from, &to));
        let answer = browser.submit(&form, &[("request", &swapped), ("decision", "agree")]).await;
        assert_eq!(answer.status.as_u16(), 403, "{from} -> {to}");
    }
    // The proof of another page of the same person does not fit either.
    let second = browser.get(&app.authorize(&[("scope", Some("openid"))])).await.form("/oauth/consent");
    let proof = &second.fields.iter().find(|(name, _)| name == "proof").unwrap().1;
    assert_eq!(browser.submit(&form, &[("proof", proof), ("decision", "agree")]).await.status.as_u16(), 403);
    // What is added beside it changes nothing.
    let answer = browser.submit(&form, &[("scope", "admin"), ("decision", "agree")]).await;
    let code = answer.parameter("code").unwrap();
    assert_eq!(world.exchange(&app, &code).await.field("scope"), "openid email venues:read");
}

#[tokio::test]
async fn a_page_counts_for_ten_minutes_and_for_the_role_it_was_shown_with() {
    let world = World::new().await;
    let ann = world.member("ann@example.com", BuiltInRole::Operator).await;
    let app = world.app(ClientKind::Confidential).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let form =
        browser.get(&app.authorize(&[("scope", Some("openid commands:write"))])).await.form("/oauth/consent");
    // Somebody has to stay owner.
    world.member("owner@example.com", BuiltInRole::Owner).await;
    let role = Role::BuiltIn(BuiltInRole::Analyst);
    world.store.change_member(world.organization, ann.id, None, role).await.unwrap();
    assert_eq!(browser.submit(&form, &[("decision", "agree")]).await.status.as_u16(), 422);

    let form = browser.get(&app.authorize(&[])).await.form("/oauth/consent");
    world.pass(10 * MINUTE);
    assert_eq!(browser.submit(&form, &[("decision", "agree")]).await.status.as_u16(), 400);
}

#[tokio::test]
async fn a_client_that_was_changed_meanwhile_gets_nothing() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let app = world.app(ClientKind::Confidential).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let form = browser.get(&app.authorize(&[])).await.form("/oauth/consent");
    world.store.disable_client(world.organization, app.id, world.now()).await.unwrap();
    assert_eq!(browser.submit(&form, &[("decision", "agree")]).await.status.as_u16(), 400);
}
