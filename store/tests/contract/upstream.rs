use serde_json::json;
use store::{Account, Link, LinkPurpose, NewAccount, NewIdentity, NewPasskey, StoreError, UpstreamFlow};

use crate::engines::each_engine;
use crate::people::{minutes, new_account, person};
use crate::shop::NOON;

fn flow() -> UpstreamFlow {
    UpstreamFlow {
        provider: "google".into(),
        browser: [7; 32],
        nonce: "n".into(),
        verifier: b"sealed".to_vec(),
        return_to: "/account".into(),
        account: None,
        expires_at: minutes(10),
    }
}

#[tokio::test]
async fn a_sign_in_ends_once_in_its_browser() {
    each_engine(async |store| {
        let text = store.begin_upstream(&flow(), NOON).await.unwrap().text();
        assert!(text.starts_with("us_"));
        let take =
            async |provider, browser, at| store.take_upstream(provider, &text, browser, at).await.unwrap();
        assert_eq!(take("google", &[8; 32], NOON).await, None);
        assert_eq!(take("amazon", &[7; 32], NOON).await, None);
        assert_eq!(take("google", &[7; 32], minutes(10)).await, None);
        let (one, two) = tokio::join!(take("google", &[7; 32], NOON), take("google", &[7; 32], NOON));
        assert_eq!([one, two].into_iter().flatten().collect::<Vec<_>>(), [flow()]);
        let ada = person(&store, "ada@example.org").await.id;
        let linking = UpstreamFlow { account: Some(ada), ..flow() };
        let text = store.begin_upstream(&linking, NOON).await.unwrap().text();
        let taken = store.take_upstream("google", &text, &[7; 32], NOON).await.unwrap();
        assert_eq!(taken, Some(linking));
        assert_eq!(store.take_upstream("google", "us_", &[7; 32], NOON).await.unwrap(), None);
    })
    .await;
}

fn identity(subject: &str) -> NewIdentity {
    NewIdentity {
        issuer: "https://id.example".into(),
        subject: subject.into(),
        email: Some("ada@example.org".into()),
    }
}

#[tokio::test]
async fn an_identity_leads_to_one_account() {
    each_engine(async |store| {
        let ada = person(&store, "ada@example.org").await.id;
        let sign_in = async |subject| store.sign_in_identity("https://id.example", subject, minutes(1)).await;
        // The same address is not the same person.
        assert_eq!(sign_in("1").await.unwrap(), None);
        let taken =
            store.create_account_with_identity(&new_account("Ada@example.org"), &identity("1"), NOON).await;
        assert!(matches!(taken, Err(StoreError::Conflict("email"))), "{taken:?}");
        assert_eq!(sign_in("1").await.unwrap(), None);
        store.link_identity(ada, &identity("1"), NOON).await.unwrap();
        assert_eq!(sign_in("1").await.unwrap(), Some(ada));
        let ben =
            store.create_account_with_identity(&new_account("ben@example.org"), &identity("2"), NOON).await;
        let ben = ben.unwrap().id;
        assert_eq!(sign_in("2").await.unwrap(), Some(ben));
        let linked = store.link_identity(ben, &identity("1"), NOON).await;
        assert!(matches!(linked, Err(StoreError::Conflict("identity"))), "{linked:?}");
        let eve =
            store.create_account_with_identity(&new_account("eve@example.org"), &identity("1"), NOON).await;
        assert!(matches!(eve, Err(StoreError::Conflict("identity"))));
        assert_eq!(store.account_with_email("eve@example.org").await.unwrap(), None);
        let identities = store.identities(ada).await.unwrap();
        assert_eq!(identities.len(), 1);
        assert_eq!((identities[0].subject.as_str(), identities[0].last_used_at), ("1", Some(minutes(1))));
        let foreign = store.unlink_identity(ben, "https://id.example", "1").await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        store.unlink_identity(ada, "https://id.example", "1").await.unwrap();
        assert_eq!(sign_in("1").await.unwrap(), None);
        assert!(matches!(sign_in("1\0").await, Err(StoreError::Invalid(_))));
        // The last way to sign in stays.
        let carl = NewAccount { password: None, ..new_account("carl@example.org") };
        let carl = store.create_account_with_identity(&carl, &identity("3"), NOON).await.unwrap().id;
        let last = store.unlink_identity(carl, "https://id.example", "3").await;
        assert!(matches!(last, Err(StoreError::Conflict("last"))), "{last:?}");
        assert_eq!(sign_in("3").await.unwrap(), Some(carl));
        let passkey = NewPasskey { credential: vec![3], name: "Phone".into(), data: json!({}) };
        let passkey = store.add_passkey(carl, &passkey, NOON).await.unwrap();
        store.unlink_identity(carl, "https://id.example", "3").await.unwrap();
        let last = store.delete_passkey(carl, passkey.id).await;
        assert!(matches!(last, Err(StoreError::Conflict("last"))), "{last:?}");
        assert_eq!(store.passkeys(carl).await.unwrap().len(), 1);
        let empty = store.link_identity(ada, &identity(""), NOON).await;
        assert!(matches!(empty, Err(StoreError::Invalid(_))));
    })
    .await;
}

#[tokio::test]
async fn who_reads_the_mail_of_an_address_ends_what_others_linked_to_it_before() {
    each_engine(async |store| {
        let reset = async |account: &Account| {
            let link = Link {
                purpose: LinkPurpose::ResetPassword,
                account: Some(account.id),
                email: account.email.clone(),
                expires_at: minutes(10),
            };
            let secret = store.create_link(&link, NOON).await.unwrap().text();
            store.reset_password(&secret, "$argon2id$new", NOON).await.unwrap().expect("a good link")
        };
        let eve = NewAccount { password: None, ..new_account("ada@example.org") };
        let account = store.create_account_with_identity(&eve, &identity("1"), NOON).await.unwrap();
        reset(&account).await;
        assert_eq!(store.identities(account.id).await.unwrap(), []);
        // From then on it is the account of whoever reads the mail.
        store.link_identity(account.id, &identity("2"), NOON).await.unwrap();
        reset(&account).await;
        assert_eq!(store.identities(account.id).await.unwrap().len(), 1);
    })
    .await;
}
