use protocol::DeviceId;
use store::{Certificate, MAX_CERTIFICATES, NewCertificate, Replayed, StoreError};
use uuid::Uuid;

use crate::engines::each_engine;
use crate::shop::{DAY, HOUR, NOON, Shop};

fn new(number: u8) -> NewCertificate {
    NewCertificate {
        fingerprint: [number; 32],
        serial: format!("00:{number:02x}"),
        not_before: NOON.minus(HOUR),
        not_after: NOON.plus(365 * DAY),
        key: [number; 32],
        renewed_with: None,
    }
}

#[tokio::test]
async fn a_device_has_the_certificates_issued_to_it() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, door) = (shop.organization, shop.door);
        let second = store.issue_certificate(organization, door, &new(2), NOON.plus(1)).await.unwrap();
        let first = store.issue_certificate(organization, door, &new(9), NOON).await.unwrap();
        let expected = Certificate {
            fingerprint: [9; 32],
            organization,
            device: door,
            serial: "00:09".into(),
            not_before: NOON.minus(HOUR),
            not_after: NOON.plus(365 * DAY),
            issued_at: NOON,
            revoked_at: None,
            renewed_with: None,
            replayed: None,
        };
        assert_eq!(first, expected);
        assert_eq!(store.certificates(organization, door).await.unwrap(), [first.clone(), second]);
        assert_eq!(store.certificate(&[9; 32]).await.unwrap(), Some(first));
        assert_eq!(store.certificate(&[1; 32]).await.unwrap(), None);
        assert_eq!(store.certificates(organization, shop.shelf).await.unwrap(), []);
        assert_eq!(store.certificates(shop.other, door).await.unwrap(), []);
        // Whoever asks what changed hears of it.
        assert_eq!(store.device(organization, door).await.unwrap().updated_at, NOON);
    })
    .await;
}

#[tokio::test]
async fn a_certificate_is_issued_once_and_to_a_device_of_ones_own() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, door) = (shop.organization, shop.door);
        store.issue_certificate(organization, door, &new(1), NOON).await.unwrap();
        let other_key = NewCertificate { key: [9; 32], ..new(1) };
        let again = store.issue_certificate(organization, shop.shelf, &other_key, NOON).await;
        assert!(matches!(again, Err(StoreError::Conflict("fingerprint"))), "{again:?}");
        let foreign = store.issue_certificate(shop.other, door, &new(2), NOON).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        let nobody = DeviceId::from_uuid(Uuid::nil());
        let unknown = store.issue_certificate(organization, nobody, &new(2), NOON).await;
        assert!(matches!(unknown, Err(StoreError::NotFound)));
        store.delete_device(organization, shop.shelf, NOON).await.unwrap();
        let deleted = store.issue_certificate(organization, shop.shelf, &new(2), NOON).await;
        assert!(matches!(deleted, Err(StoreError::NotFound)));
        for bad in [
            NewCertificate { serial: String::new(), ..new(2) },
            NewCertificate { serial: "x".repeat(101), ..new(2) },
            NewCertificate { serial: "a\0".into(), ..new(2) },
            NewCertificate { not_after: NOON.minus(HOUR + 1), ..new(2) },
        ] {
            let issued = store.issue_certificate(organization, door, &bad, NOON).await;
            assert!(matches!(issued, Err(StoreError::Invalid(_))), "{bad:?}");
        }
        assert_eq!(store.certificate(&[2; 32]).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_revoked_certificate_stays_revoked() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, door) = (shop.organization, shop.door);
        let kept = store.issue_certificate(organization, door, &new(1), NOON).await.unwrap();
        let revoked = store.issue_certificate(organization, door, &new(2), NOON).await.unwrap();
        let fingerprint = &revoked.fingerprint;
        for (organization, device, fingerprint) in [
            (shop.other, door, fingerprint),
            (organization, shop.shelf, fingerprint),
            (organization, door, &[3; 32]),
        ] {
            let revoked = store.revoke_certificate(organization, device, fingerprint, NOON).await;
            assert!(matches!(revoked, Err(StoreError::NotFound)));
        }
        let when = NOON.plus(HOUR);
        store.revoke_certificate(organization, door, fingerprint, when).await.unwrap();
        let changed = store.devices_changed_since(when).await.unwrap();
        assert_eq!(changed.iter().map(|(device, _)| *device).collect::<Vec<_>>(), [door]);
        store.revoke_certificate(organization, door, fingerprint, when.plus(1)).await.unwrap();
        let expected = Certificate { revoked_at: Some(when), ..revoked.clone() };
        assert_eq!(store.certificate(fingerprint).await.unwrap(), Some(expected.clone()));
        assert_eq!(store.certificates(organization, door).await.unwrap(), [kept, expected]);
    })
    .await;
}

#[tokio::test]
async fn deleting_a_device_revokes_its_certificates() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, door) = (shop.organization, shop.door);
        for number in [1, 2] {
            store.issue_certificate(organization, door, &new(number), NOON).await.unwrap();
        }
        store.issue_certificate(organization, shop.shelf, &new(3), NOON).await.unwrap();
        let (early, late) = (NOON.plus(HOUR), NOON.plus(2 * HOUR));
        store.revoke_certificate(organization, door, &[1; 32], early).await.unwrap();
        store.delete_device(organization, door, late).await.unwrap();
        let mut revoked = Vec::new();
        for number in [1, 2, 3] {
            revoked.push(store.certificate(&[number; 32]).await.unwrap().unwrap().revoked_at);
        }
        assert_eq!(revoked, [Some(early), Some(late), None]);
        store.revoke_certificate(organization, door, &[2; 32], late.plus(1)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_device_has_a_limited_number_of_certificates_at_a_time() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, door) = (shop.organization, shop.door);
        let (first, over) = (new(0), NewCertificate { not_after: NOON, ..new(200) });
        let issue =
            async |new: &NewCertificate, at| store.issue_certificate(organization, door, new, at).await;
        issue(&over, NOON).await.unwrap();
        for number in 0..MAX_CERTIFICATES as u8 - 1 {
            issue(&new(number), NOON).await.unwrap();
        }
        // One that ends now is still valid, one that ended is not.
        let next = new(201);
        let refused = issue(&next, NOON).await;
        assert!(matches!(refused, Err(StoreError::Conflict("certificates"))), "{refused:?}");
        assert_eq!(store.certificate(&next.fingerprint).await.unwrap(), None);
        store.issue_certificate(organization, shop.shelf, &new(202), NOON).await.unwrap();
        let later = NOON.plus(1);
        issue(&next, later).await.unwrap();
        assert!(matches!(issue(&new(203), later).await, Err(StoreError::Conflict("certificates"))));
        store.revoke_certificate(organization, door, &first.fingerprint, later).await.unwrap();
        issue(&new(203), later).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_key_is_one_devices_and_whoever_shows_it_again_is_noted() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, door) = (shop.organization, shop.door);
        let first = store.issue_certificate(organization, door, &new(1), NOON).await.unwrap();
        let copied = NewCertificate { key: [1; 32], ..new(2) };
        let refused = store.issue_certificate(organization, shop.shelf, &copied, NOON).await;
        assert!(matches!(refused, Err(StoreError::Conflict("key"))), "{refused:?}");
        // Its own device may keep a key that it cannot change.
        store.issue_certificate(organization, door, &copied, NOON).await.unwrap();

        assert!(!store.note_replay(&[7; 32], None, NOON).await.unwrap());
        assert!(store.note_replay(&[1; 32], None, NOON).await.unwrap());
        let later = NOON.plus(HOUR);
        assert!(store.note_replay(&[1; 32], Some("192.0.2.1"), later).await.unwrap());
        let replayed = Replayed { count: 2, last_at: later, last_from: Some("192.0.2.1".into()) };
        assert_eq!(store.certificate(&first.fingerprint).await.unwrap().unwrap().replayed, Some(replayed));
        // A key that signs nobody in any more is free.
        assert!(!store.note_replay(&[1; 32], None, first.not_after.plus(1)).await.unwrap());
        for number in [1, 2] {
            store.revoke_certificate(organization, door, &[number; 32], later).await.unwrap();
        }
        assert!(!store.note_replay(&[1; 32], None, later).await.unwrap());
        let free = NewCertificate { key: [1; 32], ..new(3) };
        store.issue_certificate(organization, shop.shelf, &free, later).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_was_renewed_with_a_certificate_ends_with_it() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, door) = (shop.organization, shop.door);
        let renewed = |number, with| NewCertificate { renewed_with: Some([with; 32]), ..new(number) };
        for new in [new(1), renewed(2, 1), renewed(3, 2), new(4), renewed(5, 4)] {
            let kept = store.issue_certificate(organization, door, &new, NOON).await.unwrap();
            assert_eq!(kept.renewed_with, new.renewed_with);
        }
        store.revoke_certificate(organization, door, &[2; 32], NOON).await.unwrap();
        let mut revoked = Vec::new();
        for number in 1..=5 {
            revoked.push(store.certificate(&[number; 32]).await.unwrap().unwrap().revoked_at.is_some());
        }
        assert_eq!(revoked, [false, true, true, false, false]);

        // Only what signs in is renewed with: not what is revoked, over, or another's.
        let over = new(4).not_after.plus(1);
        for (device, with, at) in [(door, 2, NOON), (door, 4, over), (shop.shelf, 4, NOON), (door, 99, NOON)]
        {
            let refused = store.issue_certificate(organization, device, &renewed(9, with), at).await;
            assert!(matches!(refused, Err(StoreError::NotFound)), "{device} {with}: {refused:?}");
        }
    })
    .await;
}
