use protocol::AccountId;
use serde_json::json;
use store::{Link, LinkPurpose, NewAccount, NewPasskey, Passkey, StoreError};
use uuid::Uuid;

use crate::engines::each_engine;
use crate::people::{OWNER, minutes, new_account, person};
use crate::shop::NOON;

#[tokio::test]
async fn an_address_has_one_account() {
    each_engine(async |store| {
        assert!(!store.has_accounts().await.unwrap());
        let account = person(&store, "Ada@Example.org").await;
        assert!(store.has_accounts().await.unwrap());
        assert_eq!((account.email.as_str(), account.email_verified_at), ("Ada@Example.org", None));
        assert_eq!(store.account(account.id).await.unwrap(), account);
        let found = store.account_with_email("ada@example.ORG").await.unwrap();
        assert_eq!(found, Some(account.clone()));
        for nobody in ["", "ada", "ada@example.org\0", "ben@example.org"] {
            assert_eq!(store.account_with_email(nobody).await.unwrap(), None, "{nobody:?}");
        }
        let (one, two) = (new_account("ben@example.org"), new_account("BEN@example.org"));
        let (one, two) = tokio::join!(store.create_account(&one, NOON), store.create_account(&two, NOON));
        let refused = [one, two].into_iter().filter_map(Result::err).collect::<Vec<_>>();
        assert!(matches!(refused[..], [StoreError::Conflict("email")]), "{refused:?}");
        for bad in [
            new_account("ada"),
            new_account("a da@example.org"),
            new_account("@example.org"),
            NewAccount { password: Some("plain".into()), ..new_account("eve@example.org") },
            NewAccount { name: "\0".into(), ..new_account("eve@example.org") },
        ] {
            let made = store.create_account(&bad, NOON).await;
            assert!(matches!(made, Err(StoreError::Invalid(_))), "{}", bad.email);
        }
        assert!(!format!("{account:?}").contains("argon2id"), "a password's hash was printed");
        let nobody = AccountId::from_uuid(Uuid::nil());
        assert!(matches!(store.account(nobody).await, Err(StoreError::NotFound)));
        assert!(matches!(store.rename_account(nobody, "x", None).await, Err(StoreError::NotFound)));
        assert!(matches!(store.disable_account(nobody, NOON).await, Err(StoreError::NotFound)));
        assert!(matches!(store.enable_account(nobody).await, Err(StoreError::NotFound)));
        assert!(matches!(store.set_password(nobody, None).await, Err(StoreError::NotFound)));
    })
    .await;
}

#[tokio::test]
async fn an_account_changes() {
    each_engine(async |store| {
        let id = person(&store, "ada@example.org").await.id;
        store.rename_account(id, "Ada", None).await.unwrap();
        assert!(store.rehash_password(id, "$argon2id$old", "$argon2id$new").await.unwrap());
        assert!(!store.rehash_password(id, "$argon2id$old", "$argon2id$newer").await.unwrap());
        store.disable_account(id, minutes(1)).await.unwrap();
        store.disable_account(id, minutes(2)).await.unwrap();
        let account = store.account(id).await.unwrap();
        assert_eq!((account.name.as_str(), &account.locale), ("Ada", &None));
        assert_eq!(account.password.as_deref(), Some("$argon2id$new"));
        assert_eq!(account.disabled_at, Some(minutes(1)));
        store.enable_account(id).await.unwrap();
        store.set_password(id, None).await.unwrap();
        let account = store.account(id).await.unwrap();
        assert_eq!((account.disabled_at, account.password), (None, None));
    })
    .await;
}

fn link(purpose: LinkPurpose, account: Option<AccountId>, email: &str) -> Link {
    Link { purpose, account, email: email.into(), expires_at: minutes(30) }
}

#[tokio::test]
async fn a_link_works_once_and_for_its_purpose() {
    each_engine(async |store| {
        let id = person(&store, "ada@example.org").await.id;
        let verify = link(LinkPurpose::VerifyEmail, Some(id), "ada@example.org");
        let text = store.create_link(&verify, NOON).await.unwrap().text();
        assert!(text.starts_with("ol_"));
        let peeked = store.link(LinkPurpose::VerifyEmail, &text, NOON).await.unwrap();
        assert_eq!(peeked, Some(verify.clone()));
        assert_eq!(store.link(LinkPurpose::ResetPassword, &text, NOON).await.unwrap(), None);
        assert_eq!(store.reset_password(&text, "$x", NOON).await.unwrap(), None);
        assert_eq!(store.link(LinkPurpose::VerifyEmail, &text, minutes(30)).await.unwrap(), None);
        assert_eq!(store.verify_email(&text, minutes(30)).await.unwrap(), None);
        let (one, two) = tokio::join!(store.verify_email(&text, NOON), store.verify_email(&text, NOON));
        let used: Vec<_> = [one.unwrap(), two.unwrap()].into_iter().flatten().collect();
        assert_eq!(used.len(), 1);
        assert_eq!(used[0].email_verified_at, Some(NOON));
        assert_eq!(store.account(id).await.unwrap(), used[0]);
        assert_eq!(store.link(LinkPurpose::VerifyEmail, &text, NOON).await.unwrap(), None);
        assert_eq!(store.verify_email("ol_x", NOON).await.unwrap(), None);
        let nobody = link(LinkPurpose::ResetPassword, None, "ada@example.org");
        assert!(matches!(store.create_link(&nobody, NOON).await, Err(StoreError::NotFound)));
    })
    .await;
}

#[tokio::test]
async fn an_address_is_changed_by_a_link_to_the_new_one() {
    each_engine(async |store| {
        let id = person(&store, "ada@example.org").await.id;
        let old = link(LinkPurpose::VerifyEmail, Some(id), "ada@example.org");
        let old = store.create_link(&old, NOON).await.unwrap().text();
        let change = link(LinkPurpose::ChangeEmail, Some(id), "ada@new.example");
        let change = store.create_link(&change, NOON).await.unwrap().text();
        let taken = link(LinkPurpose::ChangeEmail, Some(id), "Ben@example.org");
        let taken = store.create_link(&taken, NOON).await.unwrap().text();
        person(&store, "ben@example.org").await;
        let refused = store.verify_email(&taken, NOON).await;
        assert!(matches!(refused, Err(StoreError::Conflict("email"))), "{refused:?}");
        assert!(store.link(LinkPurpose::ChangeEmail, &taken, NOON).await.unwrap().is_some());
        let changed = store.verify_email(&change, minutes(1)).await.unwrap().unwrap();
        assert_eq!(
            (changed.email.as_str(), changed.email_verified_at),
            ("ada@new.example", Some(minutes(1)))
        );
        assert_eq!(store.account_with_email("ada@new.example").await.unwrap(), Some(changed));
        // What was sent to the old address says nothing about the new one.
        assert_eq!(store.verify_email(&old, minutes(2)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_reset_voids_other_links_and_ends_sessions() {
    each_engine(async |store| {
        let id = person(&store, "ada@example.org").await.id;
        let reset = link(LinkPurpose::ResetPassword, Some(id), "ada@example.org");
        let first = store.create_link(&reset, NOON).await.unwrap().text();
        let second = store.create_link(&reset, NOON).await.unwrap().text();
        let (_, browser) =
            store.begin_browser_session(&crate::browser_sessions::new(id), NOON).await.unwrap();
        let account = store.reset_password(&second, "$argon2id$new", minutes(1)).await.unwrap().unwrap();
        assert_eq!(account.password.as_deref(), Some("$argon2id$new"));
        assert_eq!(account.email_verified_at, Some(minutes(1)));
        assert_eq!(store.account(id).await.unwrap(), account);
        assert_eq!(store.reset_password(&first, "$x", minutes(1)).await.unwrap(), None);
        assert_eq!(store.reset_password(&second, "$x", minutes(1)).await.unwrap(), None);
        assert_eq!(store.sign_in_browser(&browser.text(), minutes(-60), minutes(1)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_installation_is_set_up_once() {
    each_engine(async |store| {
        let set_up = link(LinkPurpose::SetUp, None, "");
        let one = store.create_link(&set_up, NOON).await.unwrap().text();
        let two = store.create_link(&set_up, NOON).await.unwrap().text();
        let (ada, ben) = (new_account("ada@example.org"), new_account("ben@example.org"));
        let (first, second) = tokio::join!(store.set_up(&one, &ada, NOON), store.set_up(&two, &ben, NOON));
        let made: Vec<_> = [first.unwrap(), second.unwrap()].into_iter().flatten().collect();
        assert_eq!(made.len(), 1);
        let organization = store.default_organization(NOON).await.unwrap().id;
        let membership = store.membership(organization, made[0].id).await.unwrap().unwrap();
        assert_eq!(membership.role, OWNER);
        assert_eq!(store.set_up(&one, &new_account("eve@example.org"), NOON).await.unwrap(), None);
        assert_eq!(store.account_with_email("eve@example.org").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_time_step_is_accepted_once() {
    each_engine(async |store| {
        let id = person(&store, "ada@example.org").await.id;
        store.begin_totp(id, b"sealed 0").await.unwrap();
        store.begin_totp(id, b"sealed").await.unwrap();
        assert!(!store.accept_totp_step(id, 7).await.unwrap());
        let outdated = store.confirm_totp(id, b"sealed 0", 7, NOON).await;
        assert!(matches!(outdated, Err(StoreError::Conflict("totp"))));
        let codes = store.confirm_totp(id, b"sealed", 7, NOON).await.unwrap();
        assert_eq!((codes.len(), store.recovery_codes_left(id).await.unwrap()), (10, 10));
        let totp = store.account(id).await.unwrap().totp.unwrap();
        assert_eq!(
            (totp.sealed.as_slice(), totp.confirmed_at, totp.step),
            (b"sealed".as_slice(), Some(NOON), 7)
        );
        assert!(matches!(store.begin_totp(id, b"x").await, Err(StoreError::Conflict("totp"))));
        let again = store.confirm_totp(id, b"sealed", 8, NOON).await;
        assert!(matches!(again, Err(StoreError::Conflict("totp"))));
        let mut accepted = Vec::new();
        for step in [7, 6, 9, 9, 8, 10] {
            accepted.push(store.accept_totp_step(id, step).await.unwrap());
        }
        assert_eq!(accepted, [false, false, true, false, false, true]);
        let (one, two) = tokio::join!(store.accept_totp_step(id, 11), store.accept_totp_step(id, 11));
        assert_ne!(one.unwrap(), two.unwrap());
        store.remove_totp(id).await.unwrap();
        assert_eq!(store.account(id).await.unwrap().totp, None);
        assert_eq!(store.recovery_codes_left(id).await.unwrap(), 0);
        assert!(!store.accept_totp_step(id, 99).await.unwrap());
        let nobody = AccountId::from_uuid(Uuid::nil());
        assert!(matches!(store.begin_totp(nobody, b"x").await, Err(StoreError::NotFound)));
        assert!(matches!(store.remove_totp(nobody).await, Err(StoreError::NotFound)));
    })
    .await;
}

#[tokio::test]
async fn a_recovery_code_works_once() {
    each_engine(async |store| {
        let id = person(&store, "ada@example.org").await.id;
        let ben = person(&store, "ben@example.org").await.id;
        let old = store.renew_recovery_codes(id).await.unwrap();
        let codes = store.renew_recovery_codes(id).await.unwrap();
        let text = codes[0].text();
        assert!(!store.use_recovery_code(id, &old[0].text(), NOON).await.unwrap());
        assert!(!store.use_recovery_code(ben, &text, NOON).await.unwrap());
        assert!(!store.use_recovery_code(id, "BCDF-GHJK", NOON).await.unwrap());
        let typed = text.to_lowercase().replace('-', " ");
        let use_it = || store.use_recovery_code(id, &typed, NOON);
        let (one, two) = tokio::join!(use_it(), use_it());
        assert_ne!(one.unwrap(), two.unwrap());
        assert!(!use_it().await.unwrap());
        assert_eq!(store.recovery_codes_left(id).await.unwrap(), 9);
        let nobody = AccountId::from_uuid(Uuid::nil());
        assert!(matches!(store.renew_recovery_codes(nobody).await, Err(StoreError::NotFound)));
    })
    .await;
}

#[tokio::test]
async fn of_two_sign_ins_with_a_passkey_the_slower_one_looks_again() {
    each_engine(async |store| {
        let id = person(&store, "ada@example.org").await.id;
        // Whatever order the fields have in.
        let data = json!({"cred": {"counter": 1, "backup": [false, null]}, "a": "\u{e4}", "b": 0.5});
        let new = NewPasskey { credential: vec![1], name: "Phone".into(), data };
        store.add_passkey(id, &new, NOON).await.unwrap();
        let looked_at = store.passkey_with_credential(&[1]).await.unwrap().unwrap();
        let counted = json!({"cred": {"counter": 2, "backup": [false, null]}, "a": "\u{e4}", "b": 0.5});
        let use_it = || store.passkey_used(&looked_at, &counted, minutes(1));
        let (one, two) = tokio::join!(use_it(), use_it());
        assert_ne!(one.is_ok(), two.is_ok());
        let slower = one.and(two);
        assert!(matches!(slower, Err(StoreError::Conflict("data"))), "{slower:?}");
        let now = store.passkey_with_credential(&[1]).await.unwrap().unwrap();
        assert_eq!(now.data, counted);
        // One that does not count stays as it is, however many sign in.
        let use_it = || store.passkey_used(&now, &now.data, minutes(2));
        let (one, two) = tokio::join!(use_it(), use_it());
        one.and(two).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_passkey_belongs_to_one_account() {
    each_engine(async |store| {
        let id = person(&store, "ada@example.org").await.id;
        let ben = person(&store, "ben@example.org").await.id;
        let new = NewPasskey { credential: vec![1, 2], name: "Phone".into(), data: json!({"counter": 0}) };
        let passkey = store.add_passkey(id, &new, NOON).await.unwrap();
        let again = store.add_passkey(ben, &new, NOON).await;
        assert!(matches!(again, Err(StoreError::Conflict("credential"))), "{again:?}");
        assert_eq!(store.passkeys(id).await.unwrap(), std::slice::from_ref(&passkey));
        assert_eq!(store.passkeys(ben).await.unwrap(), []);
        assert_eq!(store.passkey_with_credential(&[1, 2]).await.unwrap(), Some(passkey.clone()));
        assert_eq!(store.passkey_with_credential(&[1]).await.unwrap(), None);
        let data = json!({"counter": 1});
        let foreign = Passkey { account: ben, ..passkey.clone() };
        let foreign = store.passkey_used(&foreign, &data, NOON).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        store.passkey_used(&passkey, &data, minutes(1)).await.unwrap();
        let used = store.passkey_with_credential(&[1, 2]).await.unwrap().unwrap();
        assert_eq!((used.data, used.last_used_at), (data, Some(minutes(1))));
        let foreign = store.rename_passkey(ben, passkey.id, "Mine").await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        store.rename_passkey(id, passkey.id, "Old phone").await.unwrap();
        assert_eq!(store.passkeys(id).await.unwrap()[0].name, "Old phone");
        for bad in [
            NewPasskey { credential: vec![], ..new.clone() },
            NewPasskey { credential: vec![0; 1_024], ..new.clone() },
            NewPasskey { name: String::new(), ..new.clone() },
            NewPasskey { data: json!("\0"), ..new.clone() },
        ] {
            let added = store.add_passkey(id, &bad, NOON).await;
            assert!(matches!(added, Err(StoreError::Invalid(_))), "{bad:?}");
        }
        assert!(matches!(store.delete_passkey(ben, passkey.id).await, Err(StoreError::NotFound)));
        store.delete_passkey(id, passkey.id).await.unwrap();
        assert_eq!(store.passkeys(id).await.unwrap(), []);
        for number in 0..50 {
            store
                .add_passkey(id, &NewPasskey { credential: vec![number], ..new.clone() }, NOON)
                .await
                .unwrap();
        }
        let many = store.add_passkey(id, &new, NOON).await;
        assert!(matches!(many, Err(StoreError::Conflict("passkeys"))), "{many:?}");
    })
    .await;
}
