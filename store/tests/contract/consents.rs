use store::{Consent, StoreError};

use crate::engines::each_engine;
use crate::people::{minutes, person};
use crate::shop::NOON;

#[tokio::test]
async fn consent_is_given_and_taken_back() {
    each_engine(async |store| {
        let ada = person(&store, "ada@example.org").await.id;
        let ben = person(&store, "ben@example.org").await.id;
        let none = store.withdraw_consent(ada, "analytics", NOON).await;
        assert!(matches!(none, Err(StoreError::NotFound)));
        for (version, minute) in [("1", 0), ("1", 1), ("2", 2)] {
            store.give_consent(ada, "analytics", version, minutes(minute)).await.unwrap();
        }
        let consent = |version: &str, given, withdrawn: Option<i64>| Consent {
            account: ada,
            purpose: "analytics".into(),
            version: version.into(),
            given_at: minutes(given),
            withdrawn_at: withdrawn.map(minutes),
        };
        assert_eq!(store.consents(ada).await.unwrap(), [consent("1", 0, None), consent("2", 2, None)]);
        store.withdraw_consent(ada, "analytics", minutes(3)).await.unwrap();
        store.give_consent(ada, "analytics", "2", minutes(4)).await.unwrap();
        assert_eq!(store.consents(ada).await.unwrap(), [consent("1", 0, Some(3)), consent("2", 4, None)]);
        assert_eq!(store.consents(ben).await.unwrap(), []);
        let zero = store.withdraw_consent(ada, "a\0", NOON).await;
        assert!(matches!(zero, Err(StoreError::Invalid(_))));
        let empty = store.give_consent(ada, "", "1", NOON).await;
        assert!(matches!(empty, Err(StoreError::Invalid(_))));
    })
    .await;
}
