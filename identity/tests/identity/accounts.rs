//! How people come in, and back in.

use identity::{MailConfig, SignUp};
use store::{BuiltInRole, Role};

use crate::browser::Browser;
use crate::world::{ISSUER, MINUTE, PASSWORD, World};

const NEW_PASSWORD: &str = "another horse battery";

#[tokio::test]
async fn the_first_account_is_made_with_the_printed_link_and_owns_the_installation() {
    let world = World::new().await;
    let link = world.identity.set_up_link().await.unwrap().expect("nobody has an account");
    let path = link.strip_prefix(ISSUER).unwrap().to_owned();
    let mut browser = Browser::new(&world);
    assert_eq!(browser.get("/set-up?token=ol_nothing").await.status.as_u16(), 410);
    let form = browser.get(&path).await.form("/set-up");
    let fields = [("name", "Ann"), ("email", "ann@example.com"), ("new_password", "12345678")];
    let page = browser.submit(&form, &fields).await;
    assert_eq!(page.status.as_u16(), 422, "among the worst");
    let fields = [("name", "Ann"), ("email", "ann@example.com"), ("new_password", PASSWORD)];
    assert_eq!(browser.submit(&page.form("/set-up"), &fields).await.location(), "/account");
    browser.get("/account").await.assert_ok();
    let ann = world.store.account_with_email("ann@example.com").await.unwrap().unwrap();
    let membership = world.store.membership(world.organization, ann.id).await.unwrap().unwrap();
    assert_eq!(membership.role, Role::BuiltIn(BuiltInRole::Owner));

    let mut other = Browser::new(&world);
    assert_eq!(other.get(&path).await.status.as_u16(), 410, "once");
    assert_eq!(world.identity.set_up_link().await.unwrap(), None);
}

#[tokio::test]
async fn a_set_up_link_is_good_for_a_day() {
    let world = World::new().await;
    let link = world.identity.set_up_link().await.unwrap().unwrap();
    world.pass(24 * 60 * MINUTE);
    assert_eq!(Browser::new(&world).get(link.strip_prefix(ISSUER).unwrap()).await.status.as_u16(), 410);
}

#[tokio::test]
async fn who_signs_up_shows_that_mail_arrives_before_they_sign_in() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    let form = browser.get("/sign-up?next=%2Fdevice").await.form("/sign-up");
    let fields = [("name", "Bob"), ("email", "bob@example.com"), ("new_password", PASSWORD)];
    browser.submit(&form, &fields).await.assert_ok();
    let path = world.link("bob@example.com", "/verify").await;

    let refused = browser.sign_in("bob@example.com", PASSWORD).await;
    assert!(refused.text.contains("We sent you a link"), "{refused:?}");
    assert!(browser.get("/account").await.location().starts_with("/sign-in"));

    let form = browser.get(&path).await.form("/verify");
    browser.get(&path).await.form("/verify"); // looking does not use it
    let verified = browser.submit(&form, &[]).await;
    verified.assert_ok();
    assert!(
        verified.text.contains("href=\"/sign-in?next=%2Fdevice\""),
        "to where they were going: {verified:?}"
    );
    assert_eq!(browser.submit(&form, &[]).await.status.as_u16(), 410, "once");
    assert_eq!(browser.sign_in("bob@example.com", PASSWORD).await.location(), "/account");
}

#[tokio::test]
async fn who_signs_up_with_a_taken_address_learns_nothing_and_its_owner_does() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut pages = Vec::new();
    for email in ["ANN@example.com", "new@example.com"] {
        let mut browser = Browser::new(&world);
        let form = browser.get("/sign-up").await.form("/sign-up");
        let fields = [("name", "Eve"), ("email", email), ("new_password", NEW_PASSWORD)];
        let answer = browser.submit(&form, &fields).await;
        pages.push((answer.status, answer.text.replace(&form.fields[0].1, "…")));
    }
    assert_eq!(pages[0], pages[1]);
    assert!(world.mails("ANN@example.com").await[0].contains("You have an account"));
    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in("ann@example.com", NEW_PASSWORD).await.status.as_u16(), 422);
    Browser::signed_in(&world, "ann@example.com").await;
}

#[tokio::test]
async fn what_is_no_address_is_said_at_once() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    let form = browser.get("/sign-up").await.form("/sign-up");
    for email in ["nobody", "a@b@c", "eve<ann@example.com>", ""] {
        let fields = [("name", "Eve"), ("email", email), ("new_password", NEW_PASSWORD)];
        assert_eq!(browser.submit(&form, &fields).await.status.as_u16(), 422, "{email}");
    }
    let long = "x".repeat(201);
    let fields = [("name", long.as_str()), ("email", "eve@example.com"), ("new_password", NEW_PASSWORD)];
    assert_eq!(browser.submit(&form, &fields).await.status.as_u16(), 422);
    world.identity.settled().await;
    assert!(!world.store.has_accounts().await.unwrap());
}

#[tokio::test]
async fn sign_up_is_closed_unless_opened() {
    let world = World::with(|config| config.sign_up = SignUp::Invited).await;
    assert_eq!(Browser::new(&world).get("/sign-up").await.status.as_u16(), 404);
    let page = Browser::new(&world).get("/sign-in").await;
    assert!(!page.text.contains("/sign-up"));
}

#[tokio::test]
async fn a_reset_link_works_once_and_signs_everybody_out() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut thief = Browser::signed_in(&world, "ann@example.com").await;
    let mut browser = Browser::new(&world);
    let form = browser.get("/reset").await.form("/reset");
    browser.submit(&form, &[("email", "Ann@example.com")]).await.assert_ok();
    let path = world.link("ann@example.com", "/reset/password").await;

    let form = browser.get(&path).await.form("/reset/password");
    let page = browser.submit(&form, &[("new_password", "short")]).await;
    assert_eq!(page.status.as_u16(), 422, "and the link stays");
    browser.submit(&form, &[("new_password", NEW_PASSWORD)]).await.assert_ok();
    assert!(thief.get("/account").await.location().starts_with("/sign-in"), "every browser is out");
    assert_eq!(browser.submit(&form, &[("new_password", PASSWORD)]).await.status.as_u16(), 410, "once");
    assert_eq!(browser.get(&path).await.status.as_u16(), 410);
    assert_eq!(browser.sign_in("ann@example.com", PASSWORD).await.status.as_u16(), 422);
    assert_eq!(browser.sign_in("ann@example.com", NEW_PASSWORD).await.location(), "/account");
}

#[tokio::test]
async fn a_reset_link_is_for_its_purpose_and_its_hour() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut browser = Browser::new(&world);
    let form = browser.get("/reset").await.form("/reset");
    browser.submit(&form, &[("email", "ann@example.com")]).await.assert_ok();
    let path = world.link("ann@example.com", "/reset/password").await;
    let token = path.split_once('=').unwrap().1;
    for other in ["/verify", "/set-up", "/invitation"] {
        assert_eq!(browser.get(&format!("{other}?token={token}")).await.status.as_u16(), 410, "{other}");
    }
    let form = browser.get(&path).await.form("/reset/password");
    world.pass(60 * MINUTE);
    assert_eq!(browser.submit(&form, &[("new_password", NEW_PASSWORD)]).await.status.as_u16(), 410);
    assert_eq!(browser.sign_in("ann@example.com", PASSWORD).await.location(), "/account");
}

#[tokio::test]
async fn nobody_fills_somebody_elses_mailbox() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut browser = Browser::new(&world);
    let form = browser.get("/reset").await.form("/reset");
    for _ in 0..15 {
        browser.submit(&form, &[("email", "ann@example.com")]).await.assert_ok();
    }
    assert_eq!(world.mails("ann@example.com").await.len(), 10);
}

#[tokio::test]
async fn an_invitation_makes_an_account_and_a_member() {
    let world = World::with(|config| config.sign_up = SignUp::Invited).await;
    let role = Role::BuiltIn(BuiltInRole::Analyst);
    let invited = world.identity.invite(world.organization, "bob@example.com", role, None).await.unwrap();
    assert_eq!(invited.1, None, "the link is in the mail alone");
    let path = world.link("bob@example.com", "/invitation").await;
    let mut browser = Browser::new(&world);
    let form = browser.get(&path).await.form("/invitation/account");
    let fields = [("name", "Bob"), ("new_password", PASSWORD)];
    assert_eq!(browser.submit(&form, &fields).await.location(), "/account");
    let bob = world.store.account_with_email("bob@example.com").await.unwrap().unwrap();
    assert!(bob.email_verified_at.is_some());
    let membership = world.store.membership(world.organization, bob.id).await.unwrap().unwrap();
    assert_eq!(membership.role, role);
    assert_eq!(browser.get(&path).await.status.as_u16(), 410, "once");
}

#[tokio::test]
async fn an_invitation_is_accepted_with_an_account_that_there_is() {
    let world = World::new().await;
    let ann = world.account("ann@example.com").await;
    let role = Role::BuiltIn(BuiltInRole::Installer);
    world.identity.invite(world.organization, "ann@work.example", role, None).await.unwrap();
    let path = world.link("ann@work.example", "/invitation").await;
    let mut browser = Browser::new(&world);
    let page = browser.get(&path).await;
    assert!(page.text.contains("/sign-in?next=%2Finvitation"), "{}", page.text);
    browser.sign_in("ann@example.com", PASSWORD).await;
    let form = browser.get(&path).await.form("/invitation");
    assert_eq!(browser.submit(&form, &[]).await.location(), "/account");
    assert!(world.store.membership(world.organization, ann.id).await.unwrap().is_some());
}

#[tokio::test]
async fn without_mail_links_are_handed_over() {
    let world = World::with(|config| {
        config.mail = MailConfig::default();
        config.sign_up = SignUp::Invited;
    })
    .await;
    let role = Role::BuiltIn(BuiltInRole::Analyst);
    let (_, link) = world.identity.invite(world.organization, "bob@example.com", role, None).await.unwrap();
    let link = link.expect("somebody has to hand it over");
    let mut browser = Browser::new(&world);
    let form = browser.get(link.strip_prefix(ISSUER).unwrap()).await.form("/invitation/account");
    let fields = [("name", "Bob"), ("new_password", PASSWORD)];
    assert_eq!(browser.submit(&form, &fields).await.location(), "/account");
    let bob = world.store.account_with_email("bob@example.com").await.unwrap().unwrap();
    assert_eq!(bob.email_verified_at, None, "nobody showed that mail arrives");
    Browser::signed_in(&world, "bob@example.com").await;
}
