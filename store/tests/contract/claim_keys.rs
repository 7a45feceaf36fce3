use protocol::DeviceKind::{Gateway, Kiosk};
use protocol::Timestamp;
use store::{
    Approval, ClaimApproval, ClaimKey, ClaimKeyPatch, ClaimRefusal, EnrolmentName, EnrolmentPoll,
    EnrolmentStatus, LastRefusal, MAX_QUOTA, MAX_STRANGERS, NewClaimKey, NewEnrolment, Page, StoreError,
};

use crate::engines::each_engine;
use crate::enrolments::asks;
use crate::people::minutes;
use crate::shop::{NOON, Shop};

fn new(approval: ClaimApproval, quota: u32) -> NewClaimKey {
    NewClaimKey {
        name: "Spring".into(),
        kind: Gateway,
        venue: None,
        approval,
        quota,
        expires_at: Some(minutes(60)),
    }
}

fn refusal(why: ClaimRefusal, at: Timestamp) -> LastRefusal {
    LastRefusal { why, at, address: Some("192.0.2.1".into()) }
}

fn serial(serial: &str) -> NewEnrolment {
    NewEnrolment { serial: Some(serial.into()), ..asks(Gateway) }
}

#[tokio::test]
async fn a_fleet_comes_in_by_itself() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let organization = shop.organization;
        let made = NewClaimKey { venue: Some(shop.venue), ..new(ClaimApproval::Automatic, 3) };
        let (key, secret) = store.create_claim_key(organization, &made, NOON).await.unwrap();
        let secret = secret.text();
        assert!(secret.starts_with("ck_"), "{secret}");
        let expected = ClaimKey {
            id: key.id,
            organization,
            name: "Spring".into(),
            kind: Gateway,
            venue: Some(shop.venue),
            approval: ClaimApproval::Automatic,
            quota: 3,
            used: 0,
            refused: 0,
            last_refusal: None,
            created_at: NOON,
            expires_at: Some(minutes(60)),
            revoked_at: None,
        };
        assert_eq!(key, expected);

        let codes = store.claim_enrolment(&secret, &serial("A"), NOON).await.unwrap().unwrap();
        assert_eq!(codes.enrolment.status, EnrolmentStatus::Approved);
        assert_eq!(
            (codes.enrolment.organization, codes.enrolment.claim_key),
            (Some(organization), Some(key.id))
        );
        let first_code = codes.device_code.text();
        let poll = store.poll_enrolment(&first_code, NOON).await.unwrap();
        let EnrolmentPoll::Approved(collectable) = poll else { panic!("{poll:?}") };
        let device = store.device(organization, collectable.device).await.unwrap();
        assert_eq!((device.name.as_str(), device.placement.unwrap().venue), ("A", shop.venue));
        let nameless = NewEnrolment { serial: None, ..asks(Gateway) };
        let codes = store.claim_enrolment(&secret, &nameless, NOON).await.unwrap().unwrap();
        let device = store.device(organization, codes.enrolment.device.unwrap()).await.unwrap();
        assert_eq!(device.name, format!("gateway {}", codes.user_code.text()));

        // Switched off before it fetched anything: it is the same device.
        let again = store.claim_enrolment(&secret, &serial("A"), NOON).await.unwrap().unwrap();
        assert_eq!(again.enrolment.device, Some(collectable.device));
        let poll = store.poll_enrolment(&first_code, NOON).await.unwrap();
        assert_eq!(poll, EnrolmentPoll::Denied);

        // A fleet comes all at once; there is room for one more.
        let all = (0..4).map(|number| {
            let (store, secret) = (store.clone(), secret.clone());
            tokio::spawn(async move {
                store.claim_enrolment(&secret, &serial(&number.to_string()), minutes(1)).await.unwrap()
            })
        });
        let mut refused = Vec::new();
        for one in all.collect::<Vec<_>>() {
            refused.extend(one.await.unwrap().err());
        }
        assert_eq!(refused, [ClaimRefusal::UsedUp; 3]);
        let listed = store.claim_keys(organization, Page::first(9)).await.unwrap().items;
        let last_refusal = Some(refusal(ClaimRefusal::UsedUp, minutes(1)));
        assert_eq!(listed, [ClaimKey { used: 3, refused: 3, last_refusal, ..expected }]);
        assert!(store.claim_keys(shop.other, Page::first(9)).await.unwrap().items.is_empty());
        let waiting = store.enrolments(organization, Page::first(9), NOON).await.unwrap().items;
        assert_eq!(waiting.len(), 3, "they have not fetched their credentials");

        // It is the same device even when the last place is taken, until it has fetched its credentials.
        let again = store.claim_enrolment(&secret, &serial("A"), NOON).await.unwrap().unwrap();
        assert_eq!(again.enrolment.device, Some(collectable.device));
        store.collect_secret(&again.device_code.text(), organization, NOON).await.unwrap().unwrap();
        let stolen = store.claim_enrolment(&secret, &serial("A"), NOON).await.unwrap();
        assert_eq!(stolen.err(), Some(ClaimRefusal::UsedUp), "a serial number is no secret");

        // Where it stood is gone: the next fleet comes in all the same.
        let (_, secret) = store.create_claim_key(organization, &made, NOON).await.unwrap();
        store.delete_venue(organization, shop.venue, NOON).await.unwrap();
        let codes = store.claim_enrolment(&secret.text(), &serial("B"), NOON).await.unwrap().unwrap();
        let device = store.device(organization, codes.enrolment.device.unwrap()).await.unwrap();
        assert_eq!(device.placement, None);
    })
    .await;
}

#[tokio::test]
async fn a_fleet_waits_for_a_person() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let organization = shop.organization;
        let made = NewClaimKey { venue: Some(shop.venue), ..new(ClaimApproval::Manual, 1) };
        let (key, secret) = store.create_claim_key(organization, &made, NOON).await.unwrap();
        let secret = secret.text();
        let claim =
            async |name: &str, at| store.claim_enrolment(&secret, &serial(name), at).await.unwrap().unwrap();
        let first = claim("A", NOON).await;
        assert_eq!(first.enrolment.status, EnrolmentStatus::Pending);
        let again = claim("A", NOON).await;
        let other = claim("B", NOON.plus(1)).await;
        let poll = store.poll_enrolment(&first.device_code.text(), NOON).await.unwrap();
        assert_eq!(poll, EnrolmentPoll::Denied, "it was switched off and on, and asks anew");
        let waiting = store.enrolments(organization, Page::first(9), NOON).await.unwrap().items;
        assert_eq!(waiting, [again.enrolment.clone(), other.enrolment.clone()]);

        let id = EnrolmentName::Id(again.enrolment.id);
        let code = again.user_code.text();
        for (organization, name) in [(shop.other, id), (shop.other, EnrolmentName::Code(&code))] {
            let foreign = store.enrolment(organization, name, NOON).await;
            assert!(matches!(foreign, Err(StoreError::NotFound)), "{foreign:?}");
            let foreign = store.approve_enrolment(organization, name, &Approval::default(), NOON).await;
            assert!(matches!(foreign, Err(StoreError::NotFound)), "{foreign:?}");
        }
        let (_, device) =
            store.approve_enrolment(organization, id, &Approval::default(), NOON).await.unwrap();
        assert_eq!((device.name.as_str(), device.placement.unwrap().venue), ("A", shop.venue));
        let late = store.claim_enrolment(&secret, &serial("A"), NOON).await.unwrap();
        assert_eq!(
            late.err(),
            Some(ClaimRefusal::UsedUp),
            "nobody approved whoever says the same serial number"
        );
        let poll = store.poll_enrolment(&again.device_code.text(), NOON).await.unwrap();
        assert!(
            matches!(poll, EnrolmentPoll::Approved(_)),
            "nor does it end the one that somebody did: {poll:?}"
        );
        let id = EnrolmentName::Id(other.enrolment.id);
        let full = store.approve_enrolment(organization, id, &Approval::default(), NOON).await;
        assert!(matches!(full, Err(StoreError::Conflict("quota"))), "{full:?}");
        let still = store.enrolment(organization, id, NOON).await.unwrap();
        assert_eq!((still.status, still.device), (EnrolmentStatus::Pending, None));

        let revoked = store.revoke_claim_key(organization, key.id, minutes(1)).await.unwrap();
        assert_eq!((revoked.used, revoked.revoked_at), (1, Some(minutes(1))));
        let poll = store.poll_enrolment(&other.device_code.text(), minutes(1)).await.unwrap();
        assert_eq!(poll, EnrolmentPoll::Denied);
        let fetched =
            store.collect_secret(&again.device_code.text(), organization, minutes(1)).await.unwrap();
        assert!(fetched.is_some(), "what was approved before stays so");
    })
    .await;
}

#[tokio::test]
async fn a_key_that_does_not_let_in_says_why_and_counts() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let organization = shop.organization;
        let make = async |at| {
            store.create_claim_key(organization, &new(ClaimApproval::Manual, 1), at).await.unwrap()
        };
        let (good, secret) = make(NOON).await;
        let (bad, revoked) = make(NOON.plus(1)).await;
        store.revoke_claim_key(organization, bad.id, NOON).await.unwrap();
        let again = store.revoke_claim_key(organization, bad.id, NOON).await;
        assert!(matches!(again, Err(StoreError::NotFound)));
        let foreign = store.revoke_claim_key(shop.other, good.id, NOON).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        let (secret, revoked) = (secret.text(), revoked.text());
        let changed = if &secret[9..10] == "A" { "B" } else { "A" };
        let unknown = format!("{}{changed}{}", &secret[..9], &secret[10..]);
        for (presented, kind, at, why) in [
            (unknown.as_str(), Gateway, NOON, ClaimRefusal::Unknown),
            ("", Gateway, NOON, ClaimRefusal::Unknown),
            (&revoked, Gateway, NOON, ClaimRefusal::Revoked),
            (&secret, Kiosk, NOON, ClaimRefusal::WrongKind),
            (&secret, Gateway, minutes(60), ClaimRefusal::Expired),
        ] {
            let claimed = store.claim_enrolment(presented, &asks(kind), at).await.unwrap();
            assert_eq!(claimed.err(), Some(why));
        }
        let keys = store.claim_keys(organization, Page::first(9)).await.unwrap().items;
        let counted: Vec<_> = keys.iter().map(|key| (key.refused, key.last_refusal.clone())).collect();
        let expired = Some(refusal(ClaimRefusal::Expired, minutes(60)));
        assert_eq!(counted, [(2, expired), (1, Some(refusal(ClaimRefusal::Revoked, NOON)))]);
        assert!(store.enrolments(organization, Page::first(9), NOON).await.unwrap().items.is_empty());

        let elsewhere = NewClaimKey { venue: Some(shop.venue), ..new(ClaimApproval::Manual, 1) };
        let foreign = store.create_claim_key(shop.other, &elsewhere, NOON).await;
        assert!(matches!(foreign, Err(StoreError::Invalid(_))));
        for bad in [
            new(ClaimApproval::Manual, 0),
            new(ClaimApproval::Manual, MAX_QUOTA + 1),
            NewClaimKey { name: String::new(), ..new(ClaimApproval::Manual, 1) },
        ] {
            let refused = store.create_claim_key(organization, &bad, NOON).await;
            assert!(matches!(refused, Err(StoreError::Invalid(_))), "{bad:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn strangers_fill_their_own_room_and_not_that_of_a_fleet() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        for _ in 0..MAX_STRANGERS {
            store.begin_enrolment(&asks(Gateway), NOON).await.unwrap();
        }
        let full = store.begin_enrolment(&asks(Gateway), NOON).await;
        assert!(matches!(full, Err(StoreError::Full("enrolments"))), "{full:?}");
        let key = new(ClaimApproval::Manual, 1);
        let (_, secret) = store.create_claim_key(shop.organization, &key, NOON).await.unwrap();
        assert!(store.claim_enrolment(&secret.text(), &serial("A"), NOON).await.unwrap().is_ok());
        store.begin_enrolment(&asks(Gateway), minutes(10)).await.expect("what is over takes no room");
    })
    .await;
}

#[tokio::test]
async fn a_foreign_organization_with_a_code_is_told_of() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, from) = (shop.organization, Some("192.0.2.1"));
        let (key, secret) =
            store.create_claim_key(organization, &new(ClaimApproval::Manual, 1), NOON).await.unwrap();
        let codes = store.claim_enrolment(&secret.text(), &serial("A"), NOON).await.unwrap().unwrap();
        let strangers = store.begin_enrolment(&asks(Gateway), NOON).await.unwrap().user_code.text();
        let code = codes.user_code.text();
        let over = codes.enrolment.expires_at;
        for (who, typed, at, is_noted) in [
            (shop.other, code.as_str(), minutes(1), true),
            (organization, &code, NOON, false),
            (shop.other, &strangers, NOON, false),
            (shop.other, "no code", NOON, false),
            (shop.other, &code, over, false),
        ] {
            let noted = store.note_foreign_organization(who, typed, from, at).await.unwrap();
            assert_eq!(noted, is_noted, "{typed} at {at:?}");
        }
        let key = store.claim_key(organization, key.id).await.unwrap();
        let told = refusal(ClaimRefusal::WrongOrganization, minutes(1));
        assert_eq!((key.refused, key.last_refusal), (1, Some(told)));
        let name = EnrolmentName::Code(&code);
        assert!(store.enrolment(organization, name, NOON).await.is_ok(), "the device waits on");
    })
    .await;
}

#[tokio::test]
async fn a_key_is_changed_until_it_is_taken_back() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let organization = shop.organization;
        let (key, secret) =
            store.create_claim_key(organization, &new(ClaimApproval::Automatic, 1), NOON).await.unwrap();
        let secret = secret.text();
        assert_eq!(store.claim_key(organization, key.id).await.unwrap(), key);
        assert_eq!(store.any_claim_key(key.id).await.unwrap(), Some(key.clone()));
        let foreign = store.claim_key(shop.other, key.id).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));

        let nothing = store.patch_claim_key(organization, key.id, &ClaimKeyPatch::default()).await.unwrap();
        assert_eq!(nothing, key);
        let patch = ClaimKeyPatch { name: Some("Kay".into()), quota: Some(2), expires_at: Some(None) };
        let changed = store.patch_claim_key(organization, key.id, &patch).await.unwrap();
        assert_eq!(changed, ClaimKey { name: "Kay".into(), quota: 2, expires_at: None, ..key.clone() });
        for name in ["A", "B"] {
            let late = NewEnrolment { expires_at: minutes(100), ..serial(name) };
            store.claim_enrolment(&secret, &late, minutes(90)).await.unwrap().unwrap();
        }
        let refused = store.claim_enrolment(&secret, &serial("C"), minutes(90)).await.unwrap();
        assert_eq!(refused.err(), Some(ClaimRefusal::UsedUp));

        for bad in [
            ClaimKeyPatch { quota: Some(0), ..ClaimKeyPatch::default() },
            ClaimKeyPatch { quota: Some(MAX_QUOTA + 1), ..ClaimKeyPatch::default() },
            ClaimKeyPatch { name: Some(String::new()), ..ClaimKeyPatch::default() },
        ] {
            let refused = store.patch_claim_key(organization, key.id, &bad).await;
            assert!(matches!(refused, Err(StoreError::Invalid(_))), "{bad:?}");
        }
        let foreign = store.patch_claim_key(shop.other, key.id, &patch).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        store.revoke_claim_key(organization, key.id, NOON).await.unwrap();
        let late = store.patch_claim_key(organization, key.id, &patch).await;
        assert!(matches!(late, Err(StoreError::NotFound)));
    })
    .await;
}
