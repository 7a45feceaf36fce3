use store::{NewIdentity, StoreError, UpstreamFlow};

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
        let empty = store.link_identity(ada, &identity(""), NOON).await;
        assert!(matches!(empty, Err(StoreError::Invalid(_))));
    })
    .await;
}
