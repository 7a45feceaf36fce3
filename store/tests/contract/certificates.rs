use protocol::DeviceId;
use store::{Certificate, NewCertificate, StoreError};
use uuid::Uuid;

use crate::engines::each_engine;
use crate::shop::{DAY, HOUR, NOON, Shop};

fn new(number: u8) -> NewCertificate {
    NewCertificate {
        fingerprint: [number; 32],
        serial: format!("00:{number:02x}"),
        not_before: NOON.minus(HOUR),
        not_after: NOON.plus(365 * DAY),
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
        let again = store.issue_certificate(organization, shop.shelf, &new(1), NOON).await;
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
