use store::{Code, CodeExchange, Refresh, RevokedWhy, Secret, Store, StoreError};

use crate::engines::each_engine;
use crate::people::{Town, code, minutes};
use crate::shop::{DAY, NOON};

#[tokio::test]
async fn a_code_is_exchanged_once() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let grant = town.grant(&store, town.phone).await;
        let issued = code(town.phone, grant);
        let text = store.issue_code(town.organization, &issued, NOON).await.unwrap().text();
        assert!(text.starts_with("ac_"));
        // Another client neither exchanges it nor uses it up, and neither does who comes too late.
        for (client, at) in [(town.server, NOON), (town.phone, minutes(1))] {
            let exchange = store.exchange_code(client, &text, at).await.unwrap();
            assert_eq!(exchange, CodeExchange::Unknown);
        }
        let fresh = store.exchange_code(town.phone, &text, NOON).await.unwrap();
        let expected = store.grant(town.organization, grant).await.unwrap();
        assert_eq!(fresh, CodeExchange::Fresh { code: Box::new(issued), grant: Box::new(expected) });
        let refresh = store.issue_refresh_token(grant, None, NOON).await.unwrap().text();
        // A replay ends what the first exchange began, however late it comes.
        assert_eq!(store.exchange_code(town.server, &text, NOON).await.unwrap(), CodeExchange::Unknown);
        let replay = store.exchange_code(town.phone, &text, minutes(5)).await.unwrap();
        assert_eq!(replay, CodeExchange::Replayed(grant));
        let revoked = store.grant(town.organization, grant).await.unwrap().revoked;
        assert_eq!(revoked, Some((minutes(5), RevokedWhy::CodeReplayed)));
        let refused = store.refresh(town.phone, &refresh, None, minutes(5)).await.unwrap();
        assert!(matches!(refused, Refresh::Unknown));
        let late = store.issue_refresh_token(grant, None, NOON).await;
        assert!(matches!(late, Err(StoreError::Conflict("grant"))));
        let unknown = store.exchange_code(town.phone, "ac_", NOON).await.unwrap();
        assert_eq!(unknown, CodeExchange::Unknown);
    })
    .await;
}

#[tokio::test]
async fn of_concurrent_exchanges_one_is_fresh() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        for _ in 0..5 {
            let grant = town.grant(&store, town.phone).await;
            let issued = code(town.phone, grant);
            let text = store.issue_code(town.organization, &issued, NOON).await.unwrap().text();
            let exchange = || store.exchange_code(town.phone, &text, NOON);
            let (one, two, three) = tokio::join!(exchange(), exchange(), exchange());
            let answers = [one.unwrap(), two.unwrap(), three.unwrap()];
            let fresh = answers.iter().filter(|answer| matches!(answer, CodeExchange::Fresh { .. })).count();
            let replayed = answers.iter().filter(|answer| **answer == CodeExchange::Replayed(grant)).count();
            assert_eq!((fresh, replayed), (1, 2), "{answers:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_code_is_issued_for_a_grant_that_counts() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let grant = town.grant(&store, town.phone).await;
        let good = code(town.phone, grant);
        let foreign = store.issue_code(town.other, &good, NOON).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        let wrong = Code { client: town.server, ..good.clone() };
        let wrong = store.issue_code(town.organization, &wrong, NOON).await;
        assert!(matches!(wrong, Err(StoreError::NotFound)));
        let text = store.issue_code(town.organization, &good, NOON).await.unwrap().text();
        store.unlink(town.ada, grant, NOON).await.unwrap();
        assert_eq!(store.exchange_code(town.phone, &text, NOON).await.unwrap(), CodeExchange::Unknown);
        let dead = store.issue_code(town.organization, &good, NOON).await;
        assert!(matches!(dead, Err(StoreError::NotFound)));
    })
    .await;
}

async fn rotate(store: &Store, town: &Town, token: &Secret) -> Secret {
    match store.refresh(town.phone, &token.text(), None, NOON).await.unwrap() {
        Refresh::Rotated { token, .. } => token,
        other => panic!("{other:?}"),
    }
}

async fn is_unknown(store: &Store, town: &Town, token: &Secret) -> bool {
    matches!(store.refresh(town.phone, &token.text(), None, NOON).await.unwrap(), Refresh::Unknown)
}

async fn is_reused(store: &Store, town: &Town, token: &Secret) -> bool {
    matches!(store.refresh(town.phone, &token.text(), None, NOON).await.unwrap(), Refresh::Reused(_))
}

#[tokio::test]
async fn a_lost_answer_may_be_asked_for_again() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let (grant, first) = town.refresh_token(&store, town.phone).await;
        assert!(first.text().starts_with("rt_"));
        rotate(&store, &town, &first).await; // lost
        let second = rotate(&store, &town, &first).await;
        // The old one is good until the new one was used, also for other questions.
        let standing = store.find_refresh_token(town.phone, &first.text(), NOON).await.unwrap().unwrap();
        assert_eq!(standing.grant.id, grant);
        let third = rotate(&store, &town, &second).await;
        assert_eq!(store.find_refresh_token(town.phone, &first.text(), NOON).await.unwrap(), None);
        assert!(store.find_refresh_token(town.phone, &third.text(), NOON).await.unwrap().is_some());
        assert_eq!(store.find_refresh_token(town.server, &third.text(), NOON).await.unwrap(), None);
        // Another client cannot use it, nor end the grant with it.
        for token in [&first, &third] {
            let foreign = store.refresh(town.server, &token.text(), None, NOON).await.unwrap();
            assert!(matches!(foreign, Refresh::Unknown));
        }
        let fourth = rotate(&store, &town, &third).await;
        rotate(&store, &town, &fourth).await;
        let last_used_at = store.grant(town.organization, grant).await.unwrap().last_used_at;
        assert_eq!(last_used_at, Some(NOON));
    })
    .await;
}

#[tokio::test]
async fn who_comes_second_with_a_successor_is_found_out() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let (grant, first) = town.refresh_token(&store, town.phone).await;
        // The phone has its answer; then somebody who copied the old token asks, and is the first to use what they got.
        let of_the_phone = rotate(&store, &town, &first).await;
        let of_the_thief = rotate(&store, &town, &first).await;
        let next = rotate(&store, &town, &of_the_thief).await;
        assert!(is_reused(&store, &town, &of_the_phone).await);
        assert!(is_unknown(&store, &town, &next).await, "nothing of the family is left");
        let revoked = store.grant(town.organization, grant).await.unwrap().revoked;
        assert_eq!(revoked, Some((NOON, RevokedWhy::RefreshReused)));
    })
    .await;
}

#[tokio::test]
async fn asking_on_and_on_fills_nothing() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let (_, first) = town.refresh_token(&store, town.phone).await;
        let mut alive = Vec::new();
        for minute in 0..12 {
            let asked = store.refresh(town.phone, &first.text(), None, minutes(minute)).await.unwrap();
            let Refresh::Rotated { token, .. } = asked else { panic!("{asked:?}") };
            alive.push(token);
        }
        for (index, token) in alive.iter().enumerate() {
            let found = store.find_refresh_token(town.phone, &token.text(), minutes(12)).await.unwrap();
            assert_eq!(found.is_some(), index >= 4, "the newest eight are kept: {index}");
        }
    })
    .await;
}

#[tokio::test]
async fn reuse_ends_the_grant() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let (grant, first) = town.refresh_token(&store, town.phone).await;
        let second = rotate(&store, &town, &first).await;
        let third = rotate(&store, &town, &second).await;
        let reused = store.refresh(town.phone, &first.text(), None, minutes(1)).await.unwrap();
        assert!(matches!(reused, Refresh::Reused(id) if id == grant), "{reused:?}");
        for token in [&first, &second, &third] {
            assert!(is_unknown(&store, &town, token).await);
        }
        let revoked = store.grant(town.organization, grant).await.unwrap().revoked;
        assert_eq!(revoked, Some((minutes(1), RevokedWhy::RefreshReused)));
    })
    .await;
}

#[tokio::test]
async fn of_concurrent_rotations_one_successor_goes_on() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let (_, first) = town.refresh_token(&store, town.phone).await;
        let (one, two, three) = tokio::join!(
            rotate(&store, &town, &first),
            rotate(&store, &town, &first),
            rotate(&store, &town, &first)
        );
        rotate(&store, &town, &two).await;
        for other in [one, three] {
            let found = store.find_refresh_token(town.phone, &other.text(), NOON).await.unwrap();
            assert_eq!(found, None, "what was answered beside it is over");
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_and_its_successor_at_once_are_one_after_the_other() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        for _ in 0..5 {
            let (grant, first) = town.refresh_token(&store, town.phone).await;
            let second = rotate(&store, &town, &first).await;
            let refresh = async |text: String| store.refresh(town.phone, &text, None, NOON).await.unwrap();
            let answers = tokio::join!(refresh(first.text()), refresh(second.text()));
            let is_revoked = store.grant(town.organization, grant).await.unwrap().revoked.is_some();
            match answers {
                // The first one came first: it got another successor, and then this one was used.
                (Refresh::Rotated { .. }, Refresh::Rotated { .. }) => assert!(!is_revoked),
                // Its successor came first.
                (Refresh::Reused(_), Refresh::Rotated { .. }) => assert!(is_revoked),
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_token_of_a_server_stays() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let (grant, token) = town.refresh_token(&store, town.server).await;
        let text = token.text();
        let refreshes = (0..20).map(|_| {
            let (store, text) = (store.clone(), text.clone());
            tokio::spawn(async move { store.refresh(town.server, &text, None, minutes(9)).await })
        });
        for refresh in refreshes.collect::<Vec<_>>() {
            let refresh = refresh.await.unwrap().unwrap();
            assert!(
                matches!(&refresh, Refresh::Stable { standing } if standing.grant.id == grant),
                "{refresh:?}"
            );
        }
        // For years.
        let later = NOON.plus(3_000 * DAY);
        while store.forget_expired(later).await.unwrap() > 0 {}
        let refresh = store.refresh(town.server, &text, None, later).await.unwrap();
        assert!(matches!(refresh, Refresh::Stable { .. }));
        store.unlink(town.ada, grant, NOON).await.unwrap();
        let refresh = store.refresh(town.server, &text, None, NOON).await.unwrap();
        assert!(matches!(refresh, Refresh::Unknown));
    })
    .await;
}

#[tokio::test]
async fn a_token_is_worth_nothing_when_it_is_over_or_its_people_are_disabled() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let grant = town.grant(&store, town.phone).await;
        let until = Some(NOON.plus(DAY));
        for client in [town.phone, town.server] {
            let grant = town.grant(&store, client).await;
            let token = store.issue_refresh_token(grant, until, NOON).await.unwrap().text();
            let over = store.refresh(client, &token, None, NOON.plus(DAY)).await.unwrap();
            assert!(matches!(over, Refresh::Unknown));
            assert_eq!(store.find_refresh_token(client, &token, NOON.plus(DAY)).await.unwrap(), None);
        }
        let token = store.issue_refresh_token(grant, None, NOON).await.unwrap();
        store.disable_account(town.ada, NOON).await.unwrap();
        assert!(is_unknown(&store, &town, &token).await);
        store.enable_account(town.ada).await.unwrap();
        store.disable_client(town.organization, town.phone, NOON).await.unwrap();
        assert!(is_unknown(&store, &town, &token).await);
        store.enable_client(town.organization, town.phone).await.unwrap();
        let next = rotate(&store, &town, &token).await;
        assert_eq!(store.revoke_refresh_token(town.server, &next.text(), NOON).await.unwrap(), None);
        // Also by the token that was replaced.
        let revoked = store.revoke_refresh_token(town.phone, &token.text(), NOON).await.unwrap();
        assert_eq!(revoked, Some(grant));
        assert!(is_unknown(&store, &town, &next).await);
        assert_eq!(store.revoke_refresh_token(town.phone, "rt_", NOON).await.unwrap(), None);
        let why = store.grant(town.organization, grant).await.unwrap().revoked.unwrap().1;
        assert_eq!(why, RevokedWhy::TokenRevoked);
    })
    .await;
}

#[tokio::test]
async fn a_link_has_a_token_to_go_on_with_or_not() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let grant = town.grant(&store, town.phone).await;
        let other = town.grant(&store, town.phone).await;
        let lives = async |at| store.has_living_refresh_token(grant, at).await.unwrap();
        assert!(!lives(NOON).await, "none was made");
        let token = store.issue_refresh_token(grant, Some(minutes(2)), NOON).await.unwrap();
        assert!(lives(minutes(1)).await && !lives(minutes(2)).await);
        assert!(!store.has_living_refresh_token(other, NOON).await.unwrap());
        // Of several, one is enough.
        let Refresh::Rotated { token, .. } =
            store.refresh(town.phone, &token.text(), Some(minutes(4)), minutes(1)).await.unwrap()
        else {
            panic!("that of a public client rotates")
        };
        assert!(lives(minutes(3)).await);
        store.refresh(town.phone, &token.text(), Some(minutes(5)), minutes(3)).await.unwrap();
        assert!(lives(minutes(4)).await && !lives(minutes(5)).await);
    })
    .await;
}
