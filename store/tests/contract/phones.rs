use protocol::{DeviceId, DeviceKind};
use store::{MAX_PHONES, Owner, PRESENCE, Store, StoreError};

use crate::engines::each_engine;
use crate::people::{Town, minutes};
use crate::shop::NOON;

/// Ada, with the application on her phone.
fn owner(town: &Town) -> Owner {
    Owner { account: town.ada, client: town.phone }
}

async fn agreed(store: &Store, phone: DeviceId) -> Option<String> {
    store.registered(phone).await.unwrap().unwrap().agreed_to_presence
}

#[tokio::test]
async fn a_phone_belongs_to_its_person() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let phone = store.register_phone(town.organization, owner(&town), "Pixel", NOON).await.unwrap();
        assert_eq!((phone.kind, phone.owner), (DeviceKind::Phone, Some(owner(&town))));
        assert_eq!(phone.organization, town.organization);
        assert_eq!(store.phones(town.ada).await.unwrap(), std::slice::from_ref(&phone));
        assert_eq!(store.phone(town.ada, phone.id).await.unwrap(), phone);
        assert_eq!(store.phones(town.ben).await.unwrap(), []);
        let of_another = store.phone(town.ben, phone.id).await;
        assert!(matches!(of_another, Err(StoreError::NotFound)));
        assert_eq!(
            store.device(town.organization, phone.id).await.unwrap(),
            phone,
            "the organization sees it"
        );
        store.delete_device(town.organization, phone.id, NOON).await.unwrap();
        assert_eq!(store.phones(town.ada).await.unwrap(), []);
        let of_another = store.register_phone(town.other, owner(&town), "Pixel", NOON).await;
        assert!(matches!(of_another, Err(StoreError::NotFound)), "the application is none of theirs");
        let nameless = store.register_phone(town.organization, owner(&town), "", NOON).await;
        assert!(matches!(nameless, Err(StoreError::Invalid(_))));
    })
    .await;
}

#[tokio::test]
async fn a_person_has_so_many_phones() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        for number in 0..MAX_PHONES {
            store.register_phone(town.organization, owner(&town), &format!("{number}"), NOON).await.unwrap();
        }
        let one_more = store.register_phone(town.organization, owner(&town), "Phone", NOON).await;
        assert!(matches!(one_more, Err(StoreError::Conflict("phones"))));
        let phones = store.phones(town.ada).await.unwrap();
        store.delete_device(phones[0].organization, phones[0].id, NOON).await.unwrap();
        store.register_phone(town.organization, owner(&town), "Phone", NOON).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_its_person_agreed_to_is_known_of_a_phone() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let phone = store.register_phone(town.organization, owner(&town), "Pixel", NOON).await.unwrap().id;
        assert_eq!(agreed(&store, phone).await, None);
        store.give_consent(town.organization, town.ada, "marketing", "7", NOON).await.unwrap();
        store.give_consent(town.organization, town.ben, PRESENCE, "1", NOON).await.unwrap();
        store.give_consent(town.other, town.ada, PRESENCE, "1", NOON).await.unwrap();
        assert_eq!(agreed(&store, phone).await, None, "to something else, by and to somebody else");
        store.give_consent(town.organization, town.ada, PRESENCE, "2", minutes(1)).await.unwrap();
        store.give_consent(town.organization, town.ada, PRESENCE, "1", minutes(2)).await.unwrap();
        assert_eq!(agreed(&store, phone).await, Some("1".into()), "the last one");
        let changed = store.devices_changed_since(minutes(2)).await.unwrap();
        assert_eq!(changed[0].0, phone, "pollers see it");
        store.withdraw_consent(town.organization, town.ada, PRESENCE, minutes(3)).await.unwrap();
        assert_eq!(agreed(&store, phone).await, None);
        assert_eq!(store.devices_changed_since(minutes(3)).await.unwrap().len(), 1);
    })
    .await;
}
