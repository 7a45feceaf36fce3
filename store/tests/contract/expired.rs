use serde_json::json;
use store::{
    Algorithm, CodeExchange, DevicePoll, DeviceRequest, Link, LinkPurpose, NewInvitation, NewSigningKey,
    Page, Refresh, UpstreamFlow,
};

use crate::engines::each_engine;
use crate::people::{ANALYST, Town, code, minutes};
use crate::shop::{DAY, NOON};

#[tokio::test]
async fn what_is_over_is_forgotten_in_time() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let organization = town.organization;
        let until = minutes(1);
        let grant = town.grant(&store, town.phone).await;
        let used = store.issue_code(organization, &code(town.phone, grant), NOON).await.unwrap().text();
        let fresh = store.exchange_code(town.phone, &used, NOON).await.unwrap();
        assert!(matches!(fresh, CodeExchange::Fresh { .. }));
        let request = DeviceRequest {
            client: town.phone,
            organization,
            scopes: String::new(),
            resource: None,
            expires_at: until,
        };
        let device = store.begin_device_request(&request, 5, NOON).await.unwrap().device_code.text();
        let flow = UpstreamFlow {
            provider: "x".into(),
            browser: [0; 32],
            nonce: "n".into(),
            verifier: vec![],
            return_to: String::new(),
            account: None,
            expires_at: until,
        };
        store.begin_upstream(&flow, NOON).await.unwrap();
        let link =
            Link { purpose: LinkPurpose::SetUp, account: None, email: String::new(), expires_at: until };
        store.create_link(&link, NOON).await.unwrap();
        let session = crate::browser_sessions::new(town.ada);
        store.begin_browser_session(&session, NOON).await.unwrap();
        let invitation = NewInvitation {
            email: "x@example.org".into(),
            role: ANALYST,
            invited_by: None,
            expires_at: until,
        };
        store.invite(organization, &invitation, NOON).await.unwrap();
        let key = NewSigningKey {
            id: "k".into(),
            algorithm: Algorithm::EdDsa,
            public: json!({}),
            private: vec![1],
            signs_from: NOON,
        };
        store.add_signing_key(None, &key, NOON).await.unwrap();
        store.retire_signing_key("k", until).await.unwrap();
        // A token that is over, one that was replaced, and the one that replaced it.
        let (_, first) = town.refresh_token(&store, town.phone).await;
        store.issue_refresh_token(grant, Some(until), NOON).await.unwrap();
        let rotate = async |token: &str| match store.refresh(town.phone, token, None, until).await.unwrap() {
            Refresh::Rotated { token, .. } => token.text(),
            other => panic!("{other:?}"),
        };
        let second = rotate(&first.text()).await;
        let third = rotate(&second).await;

        assert_eq!(store.forget_expired(NOON).await.unwrap(), 0);
        // The sign-in that was begun goes at once.
        assert_eq!(store.forget_expired(until).await.unwrap(), 1);
        let poll = store.poll_device_request(town.phone, &device, until).await.unwrap();
        assert_eq!(poll, DevicePoll::Expired);
        // After a day the code, the device's request and the link.
        assert_eq!(store.forget_expired(until.plus(DAY)).await.unwrap(), 3);
        assert_eq!(store.exchange_code(town.phone, &used, NOON).await.unwrap(), CodeExchange::Unknown);
        // After a month two tokens, the session a day later, the invitation and the key.
        assert_eq!(store.forget_expired(until.plus(30 * DAY)).await.unwrap(), 4);
        assert_eq!(store.forget_expired(NOON.plus(31 * DAY)).await.unwrap(), 1);
        assert_eq!(store.forget_expired(NOON.plus(900 * DAY)).await.unwrap(), 0);
        let gone = store.refresh(town.phone, &first.text(), None, until).await.unwrap();
        assert!(matches!(gone, Refresh::Unknown));
        rotate(&third).await;
        assert!(store.invitations(organization, Page::first(9), NOON).await.unwrap().items.is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_is_over_goes_in_portions() {
    each_engine(async |store| {
        let link =
            Link { purpose: LinkPurpose::SetUp, account: None, email: String::new(), expires_at: minutes(1) };
        for _ in 0..501 {
            store.create_link(&link, NOON).await.unwrap();
        }
        let later = NOON.plus(2 * DAY);
        let mut deleted = Vec::new();
        for _ in 0..3 {
            deleted.push(store.forget_expired(later).await.unwrap());
        }
        assert_eq!(deleted, [500, 1, 0]);
    })
    .await;
}
