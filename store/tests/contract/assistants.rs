use protocol::DeviceKind;
use store::{Assistant, LinkState, NewDevice, NewGrant, PIN_LOCKED_MS, PIN_TRIES, PinTry, StoreError};

use crate::engines::each_engine;
use crate::people::{Town, minutes};
use crate::shop::NOON;

#[tokio::test]
async fn a_link_is_made_ended_and_made_again() {
    each_engine(async |store| {
        let Town { organization, other, ada, ben, phone, .. } = Town::found(&store).await;
        let new = NewGrant { client: phone, account: Some(ada), scopes: "openid".into(), resource: None };
        let grant = store.create_grant(organization, &new, NOON).await.unwrap().id;
        let google = Assistant::Google;
        let none = store.keep_assistant_tokens(organization, ada, google, b"t").await;
        assert!(matches!(none, Err(StoreError::NotFound)));
        store.link_assistant(organization, ada, google, grant, false, NOON).await.unwrap();
        store.keep_assistant_tokens(organization, ada, google, b"sealed").await.unwrap();
        store.link_assistant(organization, ada, google, grant, true, minutes(1)).await.unwrap();
        let link = store.assistant_links_of(organization, ada).await.unwrap().remove(0);
        assert_eq!((link.venues, link.state, link.linked_at), (true, LinkState::Linked, NOON));
        assert_eq!(link.tokens.as_deref(), Some(b"sealed".as_slice()), "what it gave is kept");
        assert_eq!(store.assistant_links().await.unwrap(), [link]);

        let end = |state, minute| store.end_assistant_link(organization, ada, google, state, minutes(minute));
        end(LinkState::Broken, 2).await.unwrap();
        end(LinkState::Unlinked, 3).await.unwrap();
        let link = store.assistant_links_of(organization, ada).await.unwrap().remove(0);
        assert_eq!((link.state, link.tokens, link.changed_at), (LinkState::Broken, None, minutes(2)));
        assert_eq!(store.assistant_links().await.unwrap(), []);
        store.link_assistant(organization, ada, google, grant, true, minutes(4)).await.unwrap();
        assert_eq!(store.assistant_links().await.unwrap()[0].linked_at, minutes(4));

        assert_eq!(store.assistant_links_of(other, ada).await.unwrap(), []);
        assert_eq!(store.assistant_links_of(organization, ben).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_pin_takes_so_many_tries_and_then_none_for_a_while() {
    each_engine(async |store| {
        let Town { organization, other, .. } = Town::found(&store).await;
        let new = NewDevice::new(DeviceKind::Appliance, "Lamp");
        let device = store.create_device(organization, &new, NOON).await.unwrap().0.id;
        let attempt = |now| store.try_device_pin(organization, device, now);
        assert_eq!(attempt(NOON).await.unwrap(), PinTry::NoPin);
        let foreign = store.set_device_pin(other, device, Some(b"p"), NOON).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        store.set_device_pin(organization, device, Some(b"p"), NOON).await.unwrap();
        assert_eq!(store.try_device_pin(other, device, NOON).await.unwrap(), PinTry::NoPin);
        let counted = PinTry::Counted(b"p".to_vec());
        for _ in 1..PIN_TRIES {
            assert_eq!(attempt(NOON).await.unwrap(), counted);
        }
        store.pin_was_right(organization, device).await.unwrap();
        for _ in 0..PIN_TRIES {
            assert_eq!(attempt(NOON).await.unwrap(), counted, "a right one begins anew");
        }
        let until = NOON.plus(PIN_LOCKED_MS);
        assert_eq!(attempt(until.minus(1)).await.unwrap(), PinTry::Locked(until));
        assert_eq!(attempt(until).await.unwrap(), counted);
        store.set_device_pin(organization, device, None, NOON).await.unwrap();
        assert_eq!(attempt(NOON).await.unwrap(), PinTry::NoPin);
    })
    .await;
}
