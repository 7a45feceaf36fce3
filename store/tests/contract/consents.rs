use store::{Consent, StoreError};

use crate::engines::each_engine;
use crate::people::{Town, minutes};
use crate::shop::NOON;

#[tokio::test]
async fn consent_is_given_and_taken_back() {
    each_engine(async |store| {
        let Town { organization, other, ada, ben, .. } = Town::found(&store).await;
        let none = store.withdraw_consent(organization, ada, "analytics", NOON).await;
        assert!(matches!(none, Err(StoreError::NotFound)));
        for (version, minute) in [("1", 0), ("1", 1), ("2", 2)] {
            store.give_consent(organization, ada, "analytics", version, minutes(minute)).await.unwrap();
        }
        let consent = |version: &str, given, withdrawn: Option<i64>| Consent {
            organization,
            account: ada,
            purpose: "analytics".into(),
            version: version.into(),
            given_at: minutes(given),
            withdrawn_at: withdrawn.map(minutes),
        };
        assert_eq!(store.consents(ada).await.unwrap(), [consent("1", 0, None), consent("2", 2, None)]);
        store.withdraw_consent(organization, ada, "analytics", minutes(3)).await.unwrap();
        store.give_consent(organization, ada, "analytics", "2", minutes(4)).await.unwrap();
        assert_eq!(store.consents(ada).await.unwrap(), [consent("1", 0, Some(3)), consent("2", 4, None)]);
        // An earlier text is put back: agreed to again, it is the newest.
        store.give_consent(organization, ada, "analytics", "3", minutes(5)).await.unwrap();
        store.give_consent(organization, ada, "analytics", "2", minutes(6)).await.unwrap();
        let newest = store.consents(ada).await.unwrap().into_iter().max_by_key(|one| one.given_at).unwrap();
        assert_eq!(newest, consent("2", 6, None));
        store.give_consent(other, ada, "analytics", "2", minutes(7)).await.unwrap();
        store.withdraw_consent(other, ada, "analytics", minutes(8)).await.unwrap();
        let here =
            store.consents(ada).await.unwrap().into_iter().filter(|one| one.organization == organization);
        assert_eq!(here.filter(|one| one.withdrawn_at.is_none()).count(), 2, "another organization's");
        assert_eq!(store.consents(ben).await.unwrap(), []);
        let zero = store.withdraw_consent(organization, ada, "a\0", NOON).await;
        assert!(matches!(zero, Err(StoreError::Invalid(_))));
        let empty = store.give_consent(organization, ada, "", "1", NOON).await;
        assert!(matches!(empty, Err(StoreError::Invalid(_))));
    })
    .await;
}
