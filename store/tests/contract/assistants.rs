use protocol::DeviceKind;
use store::{
    Assistant, LinkState, NewDevice, NewGrant, NewVenue, PIN_LOCKED_MS, PIN_TRIES, PinTry, StoreError,
};

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
        let link =
            |venues, minute| store.link_assistant(organization, ada, google, grant, venues, minutes(minute));
        assert!(link(false, 0).await.unwrap(), "it is new");
        store.keep_assistant_tokens(organization, ada, google, b"sealed").await.unwrap();
        assert!(!link(true, 1).await.unwrap(), "it only came again");
        let known = store.assistant_links_of(organization, ada).await.unwrap().remove(0);
        assert_eq!((known.venues, known.state, known.linked_at), (true, LinkState::Linked, NOON));
        assert_eq!((known.since(), known.changed_at), (NOON, minutes(1)));
        assert_eq!(known.tokens.as_deref(), Some(b"sealed".as_slice()), "what it gave is kept");
        for listed in [store.assistant_links().await, store.assistant_links_of_account(ada).await] {
            assert_eq!(listed.unwrap(), std::slice::from_ref(&known));
        }
        assert_eq!(store.assistant_links_of_account(ben).await.unwrap(), []);
        store.forget_assistant_tokens(organization, ada, google).await.unwrap();
        assert_eq!(store.assistant_links().await.unwrap()[0].tokens, None);
        store.keep_assistant_tokens(organization, ada, google, b"sealed").await.unwrap();

        let end = |grant, state, minute| {
            store.end_assistant_link(organization, ada, google, grant, state, minutes(minute))
        };
        let another = store.create_grant(organization, &new, NOON).await.unwrap().id;
        assert!(!end(another, LinkState::Broken, 2).await.unwrap(), "another grant allows it");
        let kept = store.assistant_links().await.unwrap().remove(0);
        assert_eq!((kept.state, kept.tokens.is_some()), (LinkState::Linked, true));
        assert!(end(grant, LinkState::Broken, 2).await.unwrap());
        assert!(!end(grant, LinkState::Unlinked, 3).await.unwrap(), "it has ended already");
        store.assistant_knows(organization, ada, google, minutes(3)).await.unwrap();
        let ended = store.assistant_links_of(organization, ada).await.unwrap().remove(0);
        assert_eq!((ended.state, &ended.tokens, ended.since()), (LinkState::Broken, &None, minutes(2)));
        assert_eq!(store.assistant_links().await.unwrap(), []);
        assert!(link(true, 4).await.unwrap(), "it is linked again");
        assert_eq!(store.assistant_links().await.unwrap()[0].linked_at, minutes(4));

        assert_eq!(store.assistant_links_of(other, ada).await.unwrap(), []);
        assert_eq!(store.assistant_links_of(organization, ben).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn what_an_assistant_missed_is_known() {
    each_engine(async |store| {
        let Town { organization, other, ada, phone, .. } = Town::found(&store).await;
        let new = NewGrant { client: phone, account: Some(ada), scopes: "openid".into(), resource: None };
        let grant = store.create_grant(organization, &new, NOON).await.unwrap().id;
        let alexa = Assistant::Alexa;
        store.link_assistant(organization, ada, alexa, grant, true, NOON).await.unwrap();
        let knows = async |minute| {
            store.assistant_knows(organization, ada, alexa, minutes(minute)).await.unwrap();
            store.assistant_links().await.unwrap()[0].changed_at
        };
        assert_eq!((knows(2).await, knows(1).await), (minutes(2), minutes(2)), "it does not forget");
        assert_eq!(store.assistant_links().await.unwrap()[0].since(), NOON);
        let comes = async |minute| {
            let now = minutes(minute);
            let is_new = store.link_assistant(organization, ada, alexa, grant, true, now).await.unwrap();
            let link = store.assistant_links().await.unwrap().remove(0);
            (is_new, link.changed_at, link.since())
        };
        assert_eq!(comes(3).await, (false, minutes(2), NOON), "that it comes takes nothing out of it");
        let end = store.end_assistant_link(organization, ada, alexa, grant, LinkState::Unlinked, minutes(4));
        assert!(end.await.unwrap());
        assert_eq!(comes(5).await, (true, minutes(4), minutes(5)), "nor does it when it was away");

        let device = async |voice: bool| {
            let profile =
                serde_json::json!({"type": "light", "voice": voice, "capabilities": {"on_off": {}}});
            let mut new = NewDevice::new(DeviceKind::Appliance, "Lamp");
            new.profile = Some(serde_json::from_value(profile).unwrap());
            store.create_device(organization, &new, minutes(3)).await.unwrap().0.id
        };
        let (shown, hidden, stays) = (device(true).await, device(false).await, device(true).await);
        let changed =
            async |minute| store.registry_changed_since(organization, minutes(minute)).await.unwrap();
        assert_eq!((changed(3).await, changed(4).await), (true, false));
        for device in [shown, hidden] {
            store.delete_device(organization, device, minutes(5)).await.unwrap();
        }
        assert!(changed(5).await);
        let gone = |organization, minute| store.shown_devices_deleted_since(organization, minutes(minute));
        assert_eq!(gone(organization, 5).await.unwrap(), [shown], "not what nobody was shown");
        assert_eq!(gone(organization, 6).await.unwrap(), []);
        assert_eq!(gone(other, 5).await.unwrap(), []);
        store.delete_device(organization, stays, minutes(7)).await.unwrap();
        assert_eq!(gone(organization, 6).await.unwrap(), [stays]);

        let venue =
            store.create_venue(organization, &NewVenue::new("Shop", "UTC"), minutes(8)).await.unwrap().id;
        store.delete_venue(organization, venue, minutes(9)).await.unwrap();
        assert_eq!(store.venues_deleted_since(organization, minutes(9)).await.unwrap(), [venue]);
        assert_eq!(store.venues_deleted_since(other, minutes(9)).await.unwrap(), []);
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
        assert!(!store.set_device_pin(organization, device, Some(b"p"), NOON).await.unwrap());
        assert_eq!(store.try_device_pin(other, device, NOON).await.unwrap(), PinTry::NoPin);
        assert!(store.has_device_pin(organization, device).await.unwrap());
        assert!(!store.has_device_pin(other, device).await.unwrap());
        let counted = |is_last| PinTry::Counted { pin: b"p".to_vec(), is_last };
        for _ in 1..PIN_TRIES {
            assert_eq!(attempt(NOON).await.unwrap(), counted(false));
        }
        store.pin_was_right(organization, device).await.unwrap();
        for count in 1..=PIN_TRIES {
            assert_eq!(attempt(NOON).await.unwrap(), counted(count == PIN_TRIES), "a right one begins anew");
        }
        let until = NOON.plus(PIN_LOCKED_MS);
        assert_eq!(attempt(until.minus(1)).await.unwrap(), PinTry::Locked(until));
        assert_eq!(attempt(until).await.unwrap(), counted(false));
        assert!(store.set_device_pin(organization, device, None, NOON).await.unwrap(), "it had one");
        assert!(!store.has_device_pin(organization, device).await.unwrap());
        assert_eq!(attempt(NOON).await.unwrap(), PinTry::NoPin);
    })
    .await;
}
