//! A person's own pages.

use protocol::Timestamp;
use store::{Assistant, BuiltInRole, Change, ClientKind, LinkState, Owner};

use crate::browser::Browser;
use crate::world::{MINUTE, PASSWORD, World};

const DAY: i64 = 24 * 60 * MINUTE;

/// Turns the second factor on. Gives its secret and the recovery codes.
pub(crate) async fn turn_two_step_on(browser: &mut Browser<'_>) -> (String, Vec<String>) {
    let form = browser.get("/account/two-step").await.form("/account/two-step/begin");
    let page = browser.submit(&form, &[("password", PASSWORD)]).await;
    let secret = page.text.split("<code>").nth(1).unwrap().split("</code>").next().unwrap().replace(' ', "");
    let form = page.form("/account/two-step/confirm");
    let wrong = browser.submit(&form, &[("code", "000000")]).await;
    assert_eq!(wrong.status.as_u16(), 422);
    let code = code_at(&secret, browser.world.now());
    let page = browser.submit(&form, &[("code", &code)]).await;
    page.assert_ok();
    let list = page.text.split("<ul class=\"codes\">").nth(1).unwrap().split("</ul>").next().unwrap();
    let codes = list.split("<li>").skip(1).map(|item| item.split("</li>").next().unwrap().to_owned());
    (secret, codes.collect())
}

/// What the application of the person shows at a time.
pub(crate) fn code_at(secret: &str, now: Timestamp) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    totp.generate(u64::try_from(now.second()).unwrap()).to_string()
}

#[tokio::test]
async fn another_password_needs_the_old_one_and_signs_other_browsers_out() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let mut other = Browser::signed_in(&world, "ann@example.com").await;
    let form = browser.get("/account/password").await.form("/account/password");
    let new = "another horse battery";
    let answer = browser.submit(&form, &[("password", "wrong password"), ("new_password", new)]).await;
    assert_eq!(answer.status.as_u16(), 422);
    let before = browser.cookies.clone();
    let answer = browser.submit(&form, &[("password", PASSWORD), ("new_password", new)]).await;
    assert_eq!(answer.location(), "/account");
    assert_ne!(browser.cookies, before, "a new secret");
    browser.get("/account").await.assert_ok();
    assert!(other.get("/account").await.location().starts_with("/sign-in"));
    assert_eq!(other.sign_in("ann@example.com", new).await.location(), "/account");
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    world.account("eve@example.com").await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let mut other = Browser::signed_in(&world, "ann@example.com").await;
    let mut eve = Browser::signed_in(&world, "eve@example.com").await;
    let page = browser.get("/account/sessions").await;
    assert!(page.text.contains("Test/1.0") && page.text.contains("192.0.2.7"), "{}", page.text);
    let form = page.form("/account/sessions/end");
    let id = &form.fields.iter().find(|(name, _)| name == "session").unwrap().1;
    let csrf = eve.get("/account/sessions").await.form("/account/sessions/end-others").fields[0].1.clone();
    let of_another = [("csrf", csrf.as_str()), ("session", id)];
    assert_eq!(eve.post("/account/sessions/end", &of_another).await.status.as_u16(), 404);
    other.get("/account").await.assert_ok();
    browser.submit(&form, &[]).await;
    assert!(other.get("/account").await.location().starts_with("/sign-in"));

    let mut third = Browser::signed_in(&world, "ann@example.com").await;
    let form = browser.get("/account/sessions").await.form("/account/sessions/end-others");
    browser.submit(&form, &[]).await;
    assert!(third.get("/account").await.location().starts_with("/sign-in"));
    browser.get("/account").await.assert_ok();
}

#[tokio::test]
async fn a_service_is_tested_and_unlinked() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    world.account("eve@example.com").await;
    let app = world.app(ClientKind::Assistant).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let code = browser.code(&app).await;
    let tokens = world.exchange(&app, &code).await;
    let access = tokens.field("access_token");
    let page = browser.get("/account/services").await;
    assert!(page.text.contains("Lamp &lt;app&gt;") && page.text.contains("Last used"), "{}", page.text);
    let test = page.form("/account/services/test");
    assert!(browser.submit(&test, &[]).await.text.contains("The link works"));

    let mut eve = Browser::signed_in(&world, "eve@example.com").await;
    let csrf = eve.get("/account").await.form("/sign-out").fields[0].1.clone();
    let grant = &test.fields.iter().find(|(name, _)| name == "grant").unwrap().1;
    for action in ["/account/services/unlink", "/account/services/test"] {
        let answer = eve.post(action, &[("csrf", &csrf), ("grant", grant)]).await;
        assert_eq!(answer.status.as_u16(), 404, "{action}");
    }
    world.identity.check(&access, identity::Audience::Api).await.unwrap();
    browser.submit(&page.form("/account/services/unlink"), &[]).await;
    world.identity.check(&access, identity::Audience::Api).await.unwrap_err();
    world.refresh(&app, &tokens.field("refresh_token")).await.assert_refused(400, "invalid_grant");
    assert!(browser.get("/account/services").await.text.contains("No service is linked"));
    let activity = browser.get("/account/activity").await.text;
    assert!(activity.contains("Linked a service: Lamp") && activity.contains("Unlinked a service: Lamp"));
}

#[tokio::test]
async fn how_it_is_with_each_assistant_is_shown() {
    let world = World::new().await;
    let ann = world.member("ann@example.com", BuiltInRole::Operator).await.id;
    let eve = world.member("eve@example.com", BuiltInRole::Operator).await.id;
    let app = world.app(ClientKind::Assistant).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let code = browser.code(&app).await;
    world.exchange(&app, &code).await;
    let grant = world.store.grants_of(ann).await.unwrap()[0].id;
    assert!(!browser.get("/account/services").await.text.contains("Voice assistants"));
    let (organization, google, alexa) = (world.organization, Assistant::Google, Assistant::Alexa);
    let link = async |account, assistant| {
        world.store.link_assistant(organization, account, assistant, grant, false, world.now()).await.unwrap()
    };
    let end = async |assistant, state| {
        let now = world.now();
        world.store.end_assistant_link(organization, ann, assistant, grant, state, now).await.unwrap()
    };
    assert!(link(ann, google).await && link(ann, alexa).await && link(eve, google).await);
    let page = browser.get("/account/services").await.text;
    assert!(page.contains("Voice assistants") && !page.contains("<script"), "{page}");
    assert_eq!(page.matches("Linked since").count(), 2, "{page}");
    assert_eq!(page.matches("it is not told of changes").count(), 1, "Alexa gave nothing yet: {page}");
    world.store.keep_assistant_tokens(organization, ann, alexa, b"sealed").await.unwrap();
    assert!(!browser.get("/account/services").await.text.contains("it is not told of changes"));

    world.pass(DAY);
    assert!(!link(ann, google).await, "it came again");
    assert!(end(alexa, LinkState::Unlinked).await);
    world.pass(DAY);
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let page = browser.get("/account/services").await.text;
    let day = |days: i64| {
        let at = jiff::Timestamp::from_millisecond(world.now().0 - days * DAY).unwrap();
        at.strftime("%-d %B %Y").to_string()
    };
    assert!(page.contains(&format!("Linked since {}", day(2))), "not since it came last: {page}");
    assert!(page.contains(&format!("Unlinked since {}", day(1))), "{page}");
    assert!(end(google, LinkState::Broken).await);
    let page = browser.get("/account/services").await.text;
    let broken = format!("Since {}", day(0));
    assert!(page.contains(&broken) && page.contains("Google Home no longer knows this link"), "{page}");
    assert!(page.contains("Link again in the app of Google Home"), "{page}");

    let entry = |what| store::NewAuditEntry {
        organization: Some(organization),
        account: Some(ann),
        what,
        detail: serde_json::json!({"assistant": "google"}),
        address: None,
    };
    world.store.record_audit(&entry("assistant_link_broken"), world.now()).await.unwrap();
    let activity = browser.get("/account/activity").await.text;
    assert!(activity.contains("A voice assistant no longer knows its link: Google Home"), "{activity}");
}

#[tokio::test]
async fn a_service_that_cannot_come_back_is_to_be_linked_again() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let app = world.app(ClientKind::Public).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let code = browser.code(&app).await;
    let token = world.exchange(&app, &code).await.field("refresh_token");
    world.pass(60 * DAY);
    world.refresh(&app, &token).await.assert_ok();
    for (days, text) in [(89, "The link works"), (1, "no token left to come back with")] {
        world.pass(days * DAY);
        let mut browser = Browser::signed_in(&world, "ann@example.com").await;
        let form = browser.get("/account/services").await.form("/account/services/test");
        let page = browser.submit(&form, &[]).await;
        assert!(page.text.contains(text), "{page:?}");
    }
}

#[tokio::test]
async fn the_last_error_of_a_service_is_shown() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let app = world.app(ClientKind::Assistant).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let code = browser.code(&app).await;
    let token = world.exchange(&app, &code).await.field("refresh_token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", "admin")];
    world.token(&app, &form).await.assert_refused(400, "invalid_scope");
    assert!(browser.get("/account/services").await.text.contains("a scope was not granted"));
}

#[tokio::test]
async fn the_second_factor_is_turned_off_with_the_password() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let (_, codes) = turn_two_step_on(&mut browser).await;
    assert_eq!(codes.len(), 10);
    let page = browser.get("/account/two-step").await;
    let off = page.form("/account/two-step/off");
    assert_eq!(browser.submit(&off, &[("off_password", "wrong password")]).await.status.as_u16(), 422);
    let renewed = browser.submit(&page.form("/account/two-step/codes"), &[("password", PASSWORD)]).await;
    assert!(!renewed.text.contains(&codes[0]), "those before are void");
    browser.submit(&off, &[("off_password", PASSWORD)]).await;
    assert_eq!(Browser::new(&world).sign_in("ann@example.com", PASSWORD).await.location(), "/account");
}

#[tokio::test]
async fn a_person_is_called_what_they_want() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let form = browser.get("/account").await.form("/account");
    browser.submit(&form, &[("name", "<b>Änn</b>"), ("locale", "de-CH")]).await;
    let page = browser.get("/account").await;
    assert!(page.text.contains("&lt;b&gt;Änn&lt;/b&gt;") && page.text.contains("de-CH"), "{}", page.text);
    let answer = browser.submit(&form, &[("name", "Ann"), ("locale", "not a language")]).await;
    assert_eq!(answer.status.as_u16(), 422);
}

#[tokio::test]
async fn another_address_counts_when_its_mail_arrived() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let form = browser.get("/account").await.form("/account/email");
    let fields = [("new_email", "ann@new.example"), ("password", "wrong password")];
    assert_eq!(browser.submit(&form, &fields).await.status.as_u16(), 422);
    browser.submit(&form, &[("new_email", "ann@new.example"), ("password", PASSWORD)]).await.assert_ok();
    let path = world.link("ann@new.example", "/verify").await;
    assert!(browser.get("/account").await.text.contains("ann@example.com"), "not yet");
    world.pass(MINUTE);
    let verify = browser.get(&path).await.form("/verify");
    browser.submit(&verify, &[]).await.assert_ok();
    assert!(browser.get("/account").await.text.contains("ann@new.example"));
    assert!(world.mails("ann@example.com").await[0].contains("has another e-mail address"));
}

#[tokio::test]
async fn phones_are_removed_and_consent_is_given_and_taken_back() {
    let world = World::new().await;
    let ann = world.account("ann@example.com").await.id;
    let eve = world.account("eve@example.com").await.id;
    let client = world.app(ClientKind::Public).await.id;
    let register = async |account, name| {
        let owner = Owner { account, client };
        world.store.register_phone(world.organization, owner, name, world.now()).await.unwrap()
    };
    let (phone, other) = (register(ann, "Pixel <1>").await, register(eve, "Hers").await);
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let agreed = async || world.store.registered(phone.id).await.unwrap().unwrap().agreed_to_presence;

    let page = browser.get("/account/phones").await;
    assert!(page.text.contains("Pixel &lt;1&gt;") && !page.text.contains("Hers"), "{}", page.text);
    assert!(page.text.contains("under a pseudonym"), "the text that is agreed to is there");
    let agree = page.form("/account/phones/agree");
    let answer = browser.submit(&agree, &[("version", "0")]).await;
    assert_eq!((answer.status.as_u16(), agreed().await), (422, None), "a text that nobody showed");
    let mut changes = world.live.changes();
    browser.submit(&agree, &[]).await;
    assert_eq!(agreed().await, Some("1".to_owned()));
    assert_eq!(changes.try_next(), Some(Change::Device(phone.id)), "the broker hears of it");
    let withdraw = browser.get("/account/phones").await.form("/account/phones/withdraw");
    browser.submit(&withdraw, &[]).await;
    assert_eq!(agreed().await, None);

    let remove = browser.get("/account/phones").await.form("/account/phones/remove");
    let foreign = browser.submit(&remove, &[("phone", &other.id.to_string())]).await;
    assert_eq!(foreign.status.as_u16(), 404);
    browser.submit(&remove, &[]).await;
    assert!(world.store.phones(ann).await.unwrap().is_empty());
    assert_eq!(world.store.phones(eve).await.unwrap().len(), 1);
}
