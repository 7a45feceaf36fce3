use protocol::{AccountId, Timestamp};
use store::{NewBrowserSession, StoreError};
use uuid::Uuid;

use crate::engines::each_engine;
use crate::people::{minutes, person};
use crate::shop::{DAY, NOON};

pub(crate) fn new(account: AccountId) -> NewBrowserSession {
    NewBrowserSession {
        account,
        methods: "pwd".into(),
        address: [192, 0, 2, 7].into(),
        agent: "Browser".into(),
        expires_at: NOON.plus(DAY),
    }
}

#[tokio::test]
async fn a_session_holds_until_it_is_over() {
    each_engine(async |store| {
        let ada = person(&store, "ada@example.org").await.id;
        let (mut session, secret) = store.begin_browser_session(&new(ada), NOON).await.unwrap();
        let text = secret.text();
        assert!(text.starts_with("bs_"));
        assert_eq!((session.address.as_str(), session.methods.as_str()), ("192.0.2.7", "pwd"));
        let sign_in =
            async |at: Timestamp| store.sign_in_browser(&text, at.minus(2 * DAY), at).await.unwrap();
        // Not every request writes.
        assert_eq!(sign_in(NOON.plus(59_999)).await, Some(session.clone()));
        session.seen_at = minutes(1);
        assert_eq!(sign_in(minutes(1)).await, Some(session.clone()));
        assert_eq!(store.browser_sessions(ada, minutes(1)).await.unwrap(), [session]);
        let idle = store.sign_in_browser(&text, minutes(1), minutes(2)).await.unwrap();
        assert_eq!(idle, None, "it was not seen since");
        assert_eq!(sign_in(NOON.plus(DAY)).await, None);
        assert_eq!(store.browser_sessions(ada, NOON.plus(DAY)).await.unwrap(), []);
        assert_eq!(store.sign_in_browser("bs_", NOON.minus(DAY), NOON).await.unwrap(), None);
        store.disable_account(ada, NOON).await.unwrap();
        assert_eq!(sign_in(NOON).await, None);
        store.enable_account(ada).await.unwrap();
        assert_eq!(sign_in(NOON).await, None, "a disabled account's sessions are over");
        store.disable_account(ada, NOON).await.unwrap();
        let disabled = store.begin_browser_session(&new(ada), NOON).await;
        assert!(matches!(disabled, Err(StoreError::Conflict("account"))), "{disabled:?}");
        let nobody = store.begin_browser_session(&new(AccountId::from_uuid(Uuid::nil())), NOON).await;
        assert!(matches!(nobody, Err(StoreError::NotFound)));
    })
    .await;
}

#[tokio::test]
async fn a_person_ends_sessions() {
    each_engine(async |store| {
        let ada = person(&store, "ada@example.org").await.id;
        let ben = person(&store, "ben@example.org").await.id;
        let mut sessions = Vec::new();
        for number in 0..4 {
            sessions.push(store.begin_browser_session(&new(ada), NOON.plus(number)).await.unwrap());
        }
        let (of_ben, _) = store.begin_browser_session(&new(ben), NOON).await.unwrap();
        let foreign = store.revoke_browser_session(ben, sessions[0].0.id, NOON).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        store.revoke_browser_session(ada, sessions[0].0.id, NOON).await.unwrap();
        store.revoke_browser_session(ada, sessions[0].0.id, NOON).await.unwrap();
        assert_eq!(store.sign_in_browser(&sessions[0].1.text(), NOON.minus(DAY), NOON).await.unwrap(), None);
        let kept = sessions[1].0.id;
        assert_eq!(store.revoke_browser_sessions(ada, Some(kept), NOON).await.unwrap(), 2);
        let left = store.browser_sessions(ada, NOON).await.unwrap();
        assert_eq!(left.iter().map(|session| session.id).collect::<Vec<_>>(), [kept]);
        assert_eq!(store.revoke_browser_sessions(ada, None, NOON).await.unwrap(), 1);
        assert_eq!(store.browser_sessions(ben, NOON).await.unwrap(), [of_ben]);
    })
    .await;
}

#[tokio::test]
async fn a_renewed_session_has_a_new_secret() {
    each_engine(async |store| {
        let ada = person(&store, "ada@example.org").await.id;
        let ben = person(&store, "ben@example.org").await.id;
        let (session, old) = store.begin_browser_session(&new(ada), NOON).await.unwrap();
        let foreign = store.renew_browser_session(ben, session.id, "pwd", NOON).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        let secret = store.renew_browser_session(ada, session.id, "pwd otp", minutes(5)).await.unwrap();
        assert_eq!(store.sign_in_browser(&old.text(), NOON.minus(DAY), minutes(5)).await.unwrap(), None);
        let renewed =
            store.sign_in_browser(&secret.text(), NOON.minus(DAY), minutes(5)).await.unwrap().unwrap();
        assert_eq!((renewed.id, renewed.methods.as_str()), (session.id, "pwd otp"));
        assert_eq!((renewed.created_at, renewed.authenticated_at), (NOON, minutes(5)));
        store.revoke_browser_session(ada, session.id, NOON).await.unwrap();
        let revoked = store.renew_browser_session(ada, session.id, "pwd", NOON).await;
        assert!(matches!(revoked, Err(StoreError::NotFound)));
    })
    .await;
}
