use serde_json::json;
use store::{Algorithm, NewSigningKey, StoreError};

use crate::engines::each_engine;
use crate::people::minutes;
use crate::shop::NOON;

fn new(id: &str, algorithm: Algorithm, minute: i64) -> NewSigningKey {
    NewSigningKey {
        id: id.into(),
        algorithm,
        public: json!({"kid": id}),
        private: b"sealed".to_vec(),
        signs_from: minutes(minute),
    }
}

#[tokio::test]
async fn one_key_follows_another() {
    each_engine(async |store| {
        let (first, same) = (new("a", Algorithm::Es256, 0), new("b", Algorithm::Es256, 0));
        let (one, two) =
            tokio::join!(store.add_signing_key(None, &first, NOON), store.add_signing_key(None, &same, NOON));
        let refused: Vec<_> = [one, two].into_iter().filter_map(Result::err).collect();
        assert!(matches!(refused[..], [StoreError::Conflict("signing key")]), "{refused:?}");
        let keys = store.signing_keys().await.unwrap();
        assert_eq!(keys.len(), 1);
        let key = keys[0].clone();
        assert_eq!((key.algorithm, key.private.as_slice()), (Algorithm::Es256, b"sealed".as_slice()));
        assert_eq!((key.signs_from, key.signs_until, key.retired_at), (NOON, None, None));
        assert!(!format!("{key:?}").contains("private"));

        store.add_signing_key(None, &new("rsa", Algorithm::Rs256, 1), NOON).await.unwrap();
        let next = new("next", Algorithm::Es256, 60);
        let wrong = store.add_signing_key(Some("rsa"), &next, NOON).await;
        assert!(matches!(wrong, Err(StoreError::Conflict("signing key"))));
        store.add_signing_key(Some(&key.id), &next, NOON).await.unwrap();
        let taken = store.add_signing_key(Some("next"), &new(&key.id, Algorithm::Es256, 90), NOON).await;
        assert!(matches!(taken, Err(StoreError::Conflict("signing key"))));
        let keys = store.signing_keys().await.unwrap();
        let ids: Vec<_> = keys.iter().map(|key| (key.id.as_str(), key.signs_until)).collect();
        assert_eq!(ids, [(&*key.id, Some(minutes(60))), ("rsa", None), ("next", None)]);

        store.retire_signing_key(&key.id, minutes(90)).await.unwrap();
        assert!(matches!(store.retire_signing_key(&key.id, NOON).await, Err(StoreError::NotFound)));
        let left: Vec<_> = store.signing_keys().await.unwrap().into_iter().map(|key| key.id).collect();
        assert_eq!(left, ["rsa", "next"]);
        // Without a key that signs the next one is the first again.
        store.retire_signing_key("next", minutes(90)).await.unwrap();
        store.add_signing_key(None, &new("again", Algorithm::Es256, 90), NOON).await.unwrap();
        let words: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
        assert_eq!(words, ["RS256", "ES256", "EdDSA"]);
    })
    .await;
}
