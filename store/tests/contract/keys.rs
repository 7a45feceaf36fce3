use protocol::KeyId;
use store::{Page, Scope, ScopeSet, StoreError};
use uuid::Uuid;

use crate::engines::each_engine;
use crate::shop::{DAY, NOON};

fn scopes(text: &str) -> ScopeSet {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_key_signs_in_until_it_expires() {
    each_engine(async |store| {
        let organization = store.default_organization(NOON).await.unwrap().id;
        let granted = scopes("venues:read mqtt:publish:a/#");
        let until = NOON.plus(30 * DAY);
        let (key, secret) =
            store.create_key(organization, "till", &granted, Some(until), NOON).await.unwrap();
        assert_eq!((key.organization, key.name.as_str(), &key.scopes), (organization, "till", &granted));
        assert!(key.scopes.allows(&Scope::VenuesRead));
        let text = secret.text();
        assert!(text.starts_with("pk_") && text.len() == 46, "{text}");
        assert_eq!(store.sign_in_key(&text, until.minus(1)).await.unwrap(), Some(key));
        assert_eq!(store.sign_in_key(&text, until).await.unwrap(), None);
        for wrong in ["", "pk_", &text[3..], &text.replace("pk_", "pk-"), &format!("{text}A")] {
            assert_eq!(store.sign_in_key(wrong, NOON).await.unwrap(), None, "{wrong}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_deleted_key_is_void() {
    each_engine(async |store| {
        let organization = store.default_organization(NOON).await.unwrap().id;
        let other = store.create_organization("other", NOON).await.unwrap().id;
        let (key, secret) = store.create_key(organization, "x", &scopes("*"), None, NOON).await.unwrap();
        assert!(matches!(store.delete_key(other, key.id).await, Err(StoreError::NotFound)));
        assert!(store.sign_in_key(&secret.text(), NOON).await.unwrap().is_some());
        assert_eq!(store.key(organization, key.id).await.unwrap(), key);
        assert!(matches!(store.key(other, key.id).await, Err(StoreError::NotFound)));
        store.delete_key(organization, key.id).await.unwrap();
        assert!(matches!(store.key(organization, key.id).await, Err(StoreError::NotFound)));
        assert_eq!(store.sign_in_key(&secret.text(), NOON).await.unwrap(), None);
        assert!(matches!(store.delete_key(organization, key.id).await, Err(StoreError::NotFound)));
    })
    .await;
}

#[tokio::test]
async fn it_is_told_which_keys_there_still_are() {
    each_engine(async |store| {
        let organization = store.default_organization(NOON).await.unwrap().id;
        let make =
            async || store.create_key(organization, "key", &scopes("admin"), None, NOON).await.unwrap().0.id;
        let (kept, deleted) = (make().await, make().await);
        store.delete_key(organization, deleted).await.unwrap();
        assert_eq!(store.known_keys(&[kept, deleted]).await.unwrap(), [kept]);
        assert!(store.known_keys(&[]).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn keys_are_listed_page_by_page() {
    each_engine(async |store| {
        let organization = store.default_organization(NOON).await.unwrap().id;
        let other = store.create_organization("other", NOON).await.unwrap().id;
        let mut made: Vec<KeyId> = Vec::new();
        for number in 0..5 {
            let name = format!("key {number}");
            made.push(
                store
                    .create_key(organization, &name, &scopes("admin"), None, NOON.plus(number))
                    .await
                    .unwrap()
                    .0
                    .id,
            );
        }
        let (mut listed, mut cursor) = (Vec::new(), None);
        loop {
            let page = store.keys(organization, Page { cursor, limit: 2 }).await.unwrap();
            listed.extend(page.items.into_iter().map(|key| key.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(listed, made);
        let exactly = store.keys(organization, Page::first(5)).await.unwrap();
        assert_eq!((exactly.items.len(), exactly.next), (5, None));
        assert!(store.keys(other, Page::first(9)).await.unwrap().items.is_empty());
        let nobody = protocol::OrganizationId::from_uuid(Uuid::nil());
        let made = store.create_key(nobody, "x", &scopes("*"), None, NOON).await;
        assert!(matches!(made, Err(StoreError::NotFound)));
    })
    .await;
}
