//! Signing in: passwords, the second step, and what strangers learn from it.

use store::{BuiltInRole, ClientKind};

use crate::browser::Browser;
use crate::own_pages::{code_at, turn_two_step_on};
use crate::world::{MINUTE, PASSWORD, World};

const SESSION: &str = "__Host-promenade";

#[tokio::test]
async fn a_session_always_gets_a_new_secret() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    world.account("eve@example.com").await;
    let eve = Browser::signed_in(&world, "eve@example.com").await;
    let planted = eve.cookies[SESSION].clone();

    // Eve plants her own session in Ann's browser (session fixation), and a value that never was one.
    for planted in [planted.as_str(), "bs_planted"] {
        let mut browser = Browser::new(&world);
        browser.cookies.insert(SESSION.to_owned(), planted.to_owned());
        browser.sign_in("ann@example.com", PASSWORD).await;
        let own = browser.cookies[SESSION].clone();
        assert_ne!(own, planted);
        let mut thief = Browser::new(&world);
        thief.cookies.insert(SESSION.to_owned(), planted.to_owned());
        let answer = thief.get("/account").await;
        assert!(answer.location().starts_with("/sign-in"), "the planted one is worth nothing");
    }
}

#[tokio::test]
async fn a_new_sign_in_ends_the_session_before_it() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let before = browser.cookies[SESSION].clone();
    browser.sign_in("ann@example.com", PASSWORD).await;
    browser.get("/account").await.assert_ok();
    browser.cookies.insert(SESSION.to_owned(), before);
    assert!(browser.get("/account").await.location().starts_with("/sign-in"));
}

#[tokio::test]
async fn the_cookie_is_for_this_host_and_no_script() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut browser = Browser::new(&world);
    let answer = browser.sign_in("ann@example.com", PASSWORD).await;
    let cookie = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let cookie = cookie.into_iter().find(|text| text.starts_with("__Host-promenade=")).unwrap();
    for attribute in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
}

#[tokio::test]
async fn nobody_learns_which_addresses_have_an_account() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let disabled = world.account("gone@example.com").await;
    world.store.disable_account(disabled.id, world.now()).await.unwrap();
    let mut pages = Vec::new();
    for (email, password) in
        [("ann@example.com", "wrong password"), ("not@example.com", PASSWORD), ("gone@example.com", PASSWORD)]
    {
        let mut browser = Browser::new(&world);
        let answer = browser.sign_in(email, password).await;
        let csrf = answer.form("/sign-in").fields[0].1.clone();
        pages.push((answer.status, answer.text.replace(&csrf, "…").replace(email, "…")));
    }
    assert_eq!(pages[0].0.as_u16(), 422);
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:#?}");

    let mut pages = Vec::new();
    for email in ["ann@example.com", "not@example.com", "no address"] {
        let mut browser = Browser::new(&world);
        let form = browser.get("/reset").await.form("/reset");
        let answer = browser.submit(&form, &[("email", email)]).await;
        pages.push((answer.status, answer.text.replace(&form.fields[0].1, "…")));
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:#?}");
    assert_eq!(world.mails("ann@example.com").await.len(), 1);
    assert_eq!(world.mails("not@example.com").await.len(), 0);
}

#[tokio::test]
async fn a_form_of_another_site_signs_nobody_in() {
    let world = World::new().await;
    world.account("eve@example.com").await;
    let mut browser = Browser::new(&world);
    let fields = [("email", "eve@example.com"), ("password", PASSWORD)];
    assert_eq!(browser.post("/sign-in", &fields).await.status.as_u16(), 403);
    // Nor does one that was made for another browser.
    let of_another = Browser::new(&world).get("/sign-in").await.form("/sign-in");
    assert_eq!(browser.submit(&of_another, &fields).await.status.as_u16(), 403);
    assert!(!browser.cookies.contains_key(SESSION));
}

#[tokio::test]
async fn the_way_on_is_always_our_own() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    for next in ["https://evil.example/", "//evil.example", "/\\evil.example", "/sign-out"] {
        let mut browser = Browser::new(&world);
        let form = browser.get("/sign-in").await.form("/sign-in");
        let fields = [("email", "ann@example.com"), ("password", PASSWORD), ("next", next)];
        assert_eq!(browser.submit(&form, &fields).await.location(), "/account", "{next}");
    }
}

#[tokio::test]
async fn the_second_step_is_needed_and_each_code_counts_once() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let (secret, recovery) = turn_two_step_on(&mut browser).await;
    world.pass(MINUTE);

    let mut other = Browser::new(&world);
    let page = other.sign_in("ann@example.com", PASSWORD).await;
    let form = page.form("/sign-in/code");
    assert!(!other.cookies.contains_key(SESSION), "the password alone signs nobody in");
    let code = code_at(&secret, world.now());
    assert_eq!(other.submit(&form, &[("code", "000000")]).await.status.as_u16(), 422);
    assert_eq!(other.submit(&form, &[("code", &code)]).await.location(), "/account");

    let mut shoulder = Browser::new(&world);
    let form = shoulder.sign_in("ann@example.com", PASSWORD).await.form("/sign-in/code");
    assert_eq!(shoulder.submit(&form, &[("code", &code)]).await.status.as_u16(), 422, "used before");
    let typed = recovery[0].to_lowercase();
    assert_eq!(shoulder.submit(&form, &[("code", &typed)]).await.location(), "/account");

    let mut again = Browser::new(&world);
    let form = again.sign_in("ann@example.com", PASSWORD).await.form("/sign-in/code");
    assert_eq!(again.submit(&form, &[("code", &typed)]).await.status.as_u16(), 422, "used before");
}

#[tokio::test]
async fn the_second_step_belongs_to_its_browser_and_its_moment() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let (secret, _) = turn_two_step_on(&mut browser).await;
    world.pass(MINUTE);
    let mut one = Browser::new(&world);
    let form = one.sign_in("ann@example.com", PASSWORD).await.form("/sign-in/code");
    let mut two = Browser::new(&world);
    let own = two.get("/sign-in").await.form("/sign-in");
    let code = code_at(&secret, world.now());
    let ticket = &form.fields.iter().find(|(name, _)| name == "ticket").unwrap().1;
    let fields = [("csrf", own.fields[0].1.as_str()), ("ticket", ticket), ("code", &code)];
    assert!(two.post("/sign-in/code", &fields).await.location().starts_with("/sign-in"));
    world.pass(5 * MINUTE);
    let code = code_at(&secret, world.now());
    assert!(one.submit(&form, &[("code", &code)]).await.location().starts_with("/sign-in"));
}

#[tokio::test]
async fn the_second_step_cannot_be_guessed() {
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let (secret, _) = turn_two_step_on(&mut browser).await;
    world.pass(MINUTE);
    let mut thief = Browser::new(&world);
    let form = thief.sign_in("ann@example.com", PASSWORD).await.form("/sign-in/code");
    for _ in 0..10 {
        assert_eq!(thief.submit(&form, &[("code", "000000")]).await.status.as_u16(), 422);
    }
    let right = code_at(&secret, world.now());
    assert_eq!(thief.submit(&form, &[("code", &right)]).await.status.as_u16(), 429, "even the right one");
    world.pass(11 * MINUTE);
    let form = thief.sign_in("ann@example.com", PASSWORD).await.form("/sign-in/code");
    let right = code_at(&secret, world.now());
    assert_eq!(thief.submit(&form, &[("code", &right)]).await.location(), "/account");
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let app = world.app(ClientKind::Confidential).await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let secret = browser.cookies[SESSION].clone();
    let form = browser.get("/account").await.form("/sign-out");
    assert_eq!(browser.submit(&form, &[]).await.location(), "/sign-in");
    assert!(!browser.cookies.contains_key(SESSION));
    browser.cookies.insert(SESSION.to_owned(), secret);
    assert!(browser.get(&app.authorize(&[])).await.location().starts_with("/sign-in"));
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    const DAY: i64 = 24 * 60 * MINUTE;
    let world = World::new().await;
    world.account("ann@example.com").await;
    let mut unused = Browser::signed_in(&world, "ann@example.com").await;
    let mut used = Browser::signed_in(&world, "ann@example.com").await;
    for day in [6, 7, 12, 18, 24, 29] {
        world.pass(world_day(&world, day));
        if day == 7 {
            assert!(
                unused.get("/account").await.location().starts_with("/sign-in"),
                "a week without a visit"
            );
        } else {
            used.get("/account").await.assert_ok();
        }
    }
    world.pass(DAY);
    assert!(used.get("/account").await.location().starts_with("/sign-in"), "a month in all");
}

/// The time until so many days after the start.
fn world_day(world: &World, day: i64) -> i64 {
    crate::world::NOW + day * 24 * 60 * MINUTE - world.now().0
}
