use store::{Begin, StoreError};

use crate::engines::each_engine;
use crate::shop::{DAY, MINUTE, NOON};

#[tokio::test]
async fn a_repeat_gets_the_first_answer() {
    each_engine(async |store| {
        let organization = store.default_organization(NOON).await.unwrap().id;
        let other = store.create_organization("other", NOON).await.unwrap().id;
        let (hash, another) = ([1; 32], [2; 32]);
        assert_eq!(store.idempotency_begin(organization, "k", &hash, NOON).await.unwrap(), Begin::Fresh);
        assert_eq!(store.idempotency_begin(organization, "k", &hash, NOON).await.unwrap(), Begin::InProgress);
        assert_eq!(
            store.idempotency_begin(organization, "k", &another, NOON).await.unwrap(),
            Begin::Mismatch
        );
        assert_eq!(store.idempotency_begin(other, "k", &another, NOON).await.unwrap(), Begin::Fresh);
        store.idempotency_finish(organization, "k", 201, b"{}").await.unwrap();
        let replay = Begin::Replay { status: 201, body: b"{}".to_vec() };
        let later = NOON.plus(DAY - 1);
        assert_eq!(store.idempotency_begin(organization, "k", &hash, later).await.unwrap(), replay);
        assert_eq!(
            store.idempotency_begin(organization, "k", &another, later).await.unwrap(),
            Begin::Mismatch
        );
        // A second answer does not replace the first.
        let finished = store.idempotency_finish(organization, "k", 500, b"").await;
        assert!(matches!(finished, Err(StoreError::NotFound)));
        assert_eq!(
            store.idempotency_begin(organization, "k", &hash, NOON.plus(DAY)).await.unwrap(),
            Begin::Fresh
        );
    })
    .await;
}

#[tokio::test]
async fn an_abandoned_key_is_free_again() {
    each_engine(async |store| {
        let organization = store.default_organization(NOON).await.unwrap().id;
        let hash = [1; 32];
        assert_eq!(store.idempotency_begin(organization, "a", &hash, NOON).await.unwrap(), Begin::Fresh);
        store.idempotency_abandon(organization, "a").await.unwrap();
        assert_eq!(store.idempotency_begin(organization, "a", &hash, NOON).await.unwrap(), Begin::Fresh);
        let almost = NOON.plus(15 * MINUTE - 1);
        assert_eq!(
            store.idempotency_begin(organization, "a", &hash, almost).await.unwrap(),
            Begin::InProgress
        );
        // Whoever worked on it will not come back.
        let later = NOON.plus(15 * MINUTE);
        assert_eq!(store.idempotency_begin(organization, "a", &[3; 32], later).await.unwrap(), Begin::Fresh);
        // Its program died, and another has the database now.
        assert_eq!(store.idempotency_release().await.unwrap(), 1);
        assert_eq!(store.idempotency_begin(organization, "a", &[3; 32], later).await.unwrap(), Begin::Fresh);
        store.idempotency_finish(organization, "a", 204, b"").await.unwrap();
        store.idempotency_abandon(organization, "a").await.unwrap();
        let replay = Begin::Replay { status: 204, body: vec![] };
        assert_eq!(store.idempotency_begin(organization, "a", &[3; 32], later).await.unwrap(), replay);
        assert_eq!(store.idempotency_release().await.unwrap(), 0, "what was answered stays");
    })
    .await;
}

#[tokio::test]
async fn old_answers_are_deleted() {
    each_engine(async |store| {
        let organization = store.default_organization(NOON).await.unwrap().id;
        for (key, at) in [("a", NOON), ("b", NOON.plus(1)), ("c", NOON.plus(MINUTE))] {
            store.idempotency_begin(organization, key, &[1; 32], at).await.unwrap();
        }
        assert_eq!(store.idempotency_expire(NOON.plus(DAY + 1)).await.unwrap(), 2);
        assert_eq!(store.idempotency_expire(NOON.plus(DAY + 1)).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn of_two_at_once_one_is_fresh() {
    each_engine(async |store| {
        let organization = store.default_organization(NOON).await.unwrap().id;
        let (one, two) = tokio::join!(
            store.idempotency_begin(organization, "k", &[1; 32], NOON),
            store.idempotency_begin(organization, "k", &[1; 32], NOON)
        );
        let answers = [one.unwrap(), two.unwrap()];
        assert!(answers.contains(&Begin::Fresh) && answers.contains(&Begin::InProgress), "{answers:?}");
    })
    .await;
}
