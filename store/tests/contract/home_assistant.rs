use store::{HomeAssistant, StoreError};

use crate::engines::each_engine;
use crate::people::{Town, minutes};

#[tokio::test]
async fn announcements_are_switched_on_moved_and_off() {
    each_engine(async |store| {
        let Town { organization, other, .. } = Town::found(&store).await;
        let is_off = |read: Result<HomeAssistant, StoreError>| matches!(read, Err(StoreError::NotFound));
        assert!(is_off(store.home_assistant(organization).await));
        assert!(matches!(store.disable_home_assistant(organization).await, Err(StoreError::NotFound)));
        let on = |prefix: &str, minute| HomeAssistant {
            organization,
            prefix: prefix.into(),
            enabled_at: minutes(minute),
        };
        for (prefix, minute, since) in [("homeassistant", 0, 0), ("homeassistant", 1, 0), ("ha/home", 2, 2)] {
            let enabled = store.enable_home_assistant(organization, prefix, minutes(minute)).await.unwrap();
            assert_eq!(enabled, on(prefix, since));
            assert_eq!(store.home_assistant(organization).await.unwrap(), enabled);
        }
        for bad in ["", "a/+", "v1/x", "a\0"] {
            let refused = store.enable_home_assistant(organization, bad, minutes(3)).await;
            assert!(matches!(refused, Err(StoreError::Invalid(_))), "{bad:?}: {refused:?}");
        }
        // Another organization has a switch of its own.
        assert!(is_off(store.home_assistant(other).await));
        store.enable_home_assistant(other, "homeassistant", minutes(4)).await.unwrap();
        let all: Vec<_> = store
            .home_assistants()
            .await
            .unwrap()
            .into_iter()
            .map(|on| (on.organization, on.prefix))
            .collect();
        let mut expected = [(organization, "ha/home".to_owned()), (other, "homeassistant".to_owned())];
        expected.sort();
        assert_eq!(all, expected);
        store.disable_home_assistant(organization).await.unwrap();
        assert!(is_off(store.home_assistant(organization).await));
        assert_eq!(store.home_assistants().await.unwrap().len(), 1);
    })
    .await;
}
