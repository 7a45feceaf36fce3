use protocol::{DeviceId, DeviceKind, EnrolmentId};
use store::{
    Approval, Collectable, Enrolment, EnrolmentName, EnrolmentPoll, EnrolmentStatus, NewCertificate,
    NewEnrolment, Page, Store, StoreError,
};
use uuid::Uuid;

use crate::engines::each_engine;
use crate::people::minutes;
use crate::shop::{DAY, MINUTE, NOON, Shop};

pub(crate) fn asks(kind: DeviceKind) -> NewEnrolment {
    NewEnrolment {
        kind,
        serial: Some("SN-1".into()),
        model: Some("Box 2".into()),
        csr: None,
        address: Some("192.0.2.1".into()),
        expires_at: minutes(10),
        interval_s: 5,
    }
}

fn named(name: &str) -> Approval {
    Approval { name: Some(name.into()), ..Approval::default() }
}

fn certificate(number: u8) -> NewCertificate {
    let (not_before, not_after) = (NOON, NOON.plus(30 * DAY));
    let (fingerprint, key) = ([number; 32], [number; 32]);
    NewCertificate { fingerprint, serial: "40".into(), not_before, not_after, key, renewed_with: None }
}

#[tokio::test]
async fn a_device_waits_and_comes_in_once() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let organization = shop.organization;
        let codes = store.begin_enrolment(&asks(DeviceKind::Gateway), NOON).await.unwrap();
        let (device_code, user_code) = (codes.device_code.text(), codes.user_code.text());
        assert!(device_code.starts_with("ec_") && user_code.len() == 9, "{user_code}");
        let expected = Enrolment {
            id: codes.enrolment.id,
            organization: None,
            claim_key: None,
            kind: DeviceKind::Gateway,
            serial: Some("SN-1".into()),
            model: Some("Box 2".into()),
            wants_certificate: false,
            address: Some("192.0.2.1".into()),
            status: EnrolmentStatus::Pending,
            device: None,
            created_at: NOON,
            expires_at: minutes(10),
        };
        assert_eq!(codes.enrolment, expected);
        let poll = async |at| store.poll_enrolment(&device_code, at).await.unwrap();
        assert_eq!(poll(NOON).await, EnrolmentPoll::Pending);
        assert_eq!(poll(NOON.plus(4_999)).await, EnrolmentPoll::SlowDown);
        assert_eq!(poll(NOON.plus(14_998)).await, EnrolmentPoll::SlowDown, "ten seconds from then on");
        assert_eq!(poll(NOON.plus(29_998)).await, EnrolmentPoll::Pending);

        let typed = user_code.to_lowercase().replace('-', "");
        let code = EnrolmentName::Code(&typed);
        assert_eq!(store.enrolment(organization, code, NOON).await.unwrap(), expected);
        assert_eq!(store.enrolment(shop.other, code, NOON).await.unwrap(), expected, "it is nobody's yet");
        let by_id = EnrolmentName::Id(codes.enrolment.id);
        let listed = store.enrolments(organization, Page::first(9), NOON).await.unwrap();
        assert_eq!(listed.items, [], "and in nobody's list");
        for (name, at) in [(by_id, NOON), (EnrolmentName::Code("BCDF-GHJK"), NOON), (code, minutes(10))] {
            let found = store.enrolment(organization, name, at).await;
            assert!(matches!(found, Err(StoreError::NotFound)), "{found:?}");
        }

        let place =
            Approval { zone: Some(shop.entrance), position: Some([1.0, 2.0, 3.0]), ..named("Door 2") };
        let late = store.approve_enrolment(organization, code, &place, minutes(10)).await;
        assert!(matches!(late, Err(StoreError::NotFound)));
        let at = minutes(9);
        let (one, two) = tokio::join!(
            store.approve_enrolment(organization, code, &place, at),
            store.deny_enrolment(shop.other, code, at)
        );
        assert_ne!(one.is_ok(), two.is_ok(), "it is decided once: {one:?} {two:?}");
        if two.is_ok() {
            return assert_eq!(poll(at).await, EnrolmentPoll::Denied);
        }
        let (enrolment, device) = one.unwrap();
        let expected = Enrolment {
            organization: Some(organization),
            status: EnrolmentStatus::Approved,
            device: Some(device.id),
            expires_at: minutes(19),
            ..expected
        };
        assert_eq!(enrolment, expected, "there is time to fetch its credentials");
        let placement = device.placement.as_ref().unwrap();
        assert_eq!((placement.venue, placement.zone), (shop.venue, Some(shop.entrance)));
        assert_eq!((device.name.as_str(), device.kind), ("Door 2", DeviceKind::Gateway));
        assert_eq!(store.enrolment(organization, by_id, at).await.unwrap(), expected);
        let listed = store.enrolments(organization, Page::first(9), at).await.unwrap();
        assert_eq!(listed.items, [expected]);
        assert!(store.enrolments(shop.other, Page::first(9), at).await.unwrap().items.is_empty());

        let collectable = Collectable { device: device.id, organization, csr: None };
        assert_eq!(poll(at).await, EnrolmentPoll::Approved(collectable));
        let collect = || store.collect_secret(&device_code, organization, at);
        let (one, two) = tokio::join!(collect(), collect());
        let mut fetched = [one.unwrap(), two.unwrap()];
        fetched.sort_by_key(Option::is_none);
        let [Some((fetched, secret)), None] = &fetched else { panic!("{fetched:?}") };
        assert_eq!(*fetched, device.id);
        assert!(secret.text().len() == 43, "a device's secret");
        assert_eq!(poll(at).await, EnrolmentPoll::Unknown);
        assert!(store.enrolments(organization, Page::first(9), at).await.unwrap().items.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_device_with_a_key_of_its_own_gets_a_certificate() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let organization = shop.organization;
        let new = NewEnrolment { csr: Some("PEM".into()), ..asks(DeviceKind::Kiosk) };
        let codes = store.begin_enrolment(&new, NOON).await.unwrap();
        let (device_code, user_code) = (codes.device_code.text(), codes.user_code.text());
        let (enrolment, device) = approve(&store, &shop, &user_code, &Approval::default()).await;
        assert!(enrolment.wants_certificate);
        assert_eq!(device.name, "SN-1", "its serial number is its name unless somebody says");
        let collectable = Collectable { device: device.id, organization, csr: Some("PEM".into()) };
        let poll = store.poll_enrolment(&device_code, NOON).await.unwrap();
        assert_eq!(poll, EnrolmentPoll::Approved(collectable));
        let other = store.collect_certificate(&device_code, shop.other, &certificate(1), NOON).await.unwrap();
        assert_eq!(other, None);
        let kept =
            store.collect_certificate(&device_code, organization, &certificate(1), NOON).await.unwrap();
        assert_eq!(kept, Some(device.id));
        assert_eq!(store.certificates(organization, device.id).await.unwrap().len(), 1);
        let again =
            store.collect_certificate(&device_code, organization, &certificate(2), NOON).await.unwrap();
        assert_eq!((again, store.certificate(&[2; 32]).await.unwrap()), (None, None));
    })
    .await;
}

#[tokio::test]
async fn a_refused_or_forgotten_device_stays_outside() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let begin = async || store.begin_enrolment(&asks(DeviceKind::Gateway), NOON).await.unwrap();
        let denied = begin().await;
        let code = denied.user_code.text();
        let code = EnrolmentName::Code(&code);
        let refused = store.deny_enrolment(shop.organization, code, NOON).await.unwrap();
        assert_eq!(refused.status, EnrolmentStatus::Denied);
        let again = store.deny_enrolment(shop.organization, code, NOON).await;
        assert!(matches!(again, Err(StoreError::NotFound)));
        let poll = store.poll_enrolment(&denied.device_code.text(), NOON).await.unwrap();
        assert_eq!(poll, EnrolmentPoll::Denied);

        // Approved, and nobody fetched what it was given.
        let late = begin().await;
        let (device_code, user_code) = (late.device_code.text(), late.user_code.text());
        let (_, device) = approve(&store, &shop, &user_code, &named("A")).await;
        let over = store.poll_enrolment(&device_code, minutes(10)).await.unwrap();
        assert_eq!(over, EnrolmentPoll::Expired);
        assert!(store.collect_secret(&device_code, shop.organization, minutes(10)).await.unwrap().is_none());

        // Deleted before it came.
        let gone = begin().await;
        let (device_code, user_code) = (gone.device_code.text(), gone.user_code.text());
        let (_, deleted) = approve(&store, &shop, &user_code, &named("B")).await;
        store.delete_device(shop.organization, deleted.id, NOON).await.unwrap();
        assert!(store.collect_secret(&device_code, shop.organization, NOON).await.unwrap().is_none());

        for unknown in ["", "ec_", "dc_AAAA", &device.id.to_string()] {
            assert_eq!(store.poll_enrolment(unknown, NOON).await.unwrap(), EnrolmentPoll::Unknown);
        }
        for bad in [
            NewEnrolment { serial: Some(String::new()), ..asks(DeviceKind::Tag) },
            NewEnrolment { model: Some("x".repeat(101)), ..asks(DeviceKind::Tag) },
            NewEnrolment { serial: Some("a\0".into()), ..asks(DeviceKind::Tag) },
            NewEnrolment { csr: Some("x".repeat(16_385)), ..asks(DeviceKind::Tag) },
        ] {
            let refused = store.begin_enrolment(&bad, NOON).await;
            assert!(matches!(refused, Err(StoreError::Invalid(_))), "{bad:?}");
        }
        let nameless = NewEnrolment { serial: None, ..asks(DeviceKind::Tag) };
        let nameless = store.begin_enrolment(&nameless, NOON).await.unwrap().user_code.text();
        let name = EnrolmentName::Code(&nameless);
        let approved = store.approve_enrolment(shop.organization, name, &Approval::default(), NOON).await;
        assert!(matches!(approved, Err(StoreError::Invalid(_))));
        let waiting = store.enrolment(shop.organization, name, NOON).await.unwrap();
        assert_eq!(waiting.status, EnrolmentStatus::Pending, "a mistake decides nothing");

        assert_eq!(store.forget_expired(minutes(10)).await.unwrap(), 0);
        assert_eq!(store.forget_expired(minutes(10).plus(DAY)).await.unwrap(), 4);
    })
    .await;
}

#[tokio::test]
async fn new_hardware_takes_the_place_of_the_old_one() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, door) = (shop.organization, shop.door);
        store.issue_certificate(organization, door, &certificate(1), NOON).await.unwrap();
        let secret = store.rotate_secret(organization, door, NOON).await.unwrap();
        let before = store.device(organization, door).await.unwrap();
        let replaces = |name: Option<&str>| Approval {
            name: name.map(Into::into),
            replaces: Some(door),
            ..Approval::default()
        };
        let begin = async |kind| store.begin_enrolment(&asks(kind), NOON).await.unwrap();
        let first = begin(DeviceKind::Gateway).await;
        let at = NOON.plus(MINUTE);
        let code = first.user_code.text();
        let code = EnrolmentName::Code(&code);
        let approved = store.approve_enrolment(organization, code, &replaces(None), at).await.unwrap();
        let (enrolment, device) = approved;
        assert_eq!(enrolment.device, Some(door));
        assert_eq!(
            device,
            store::Device { updated_at: at, ..before.clone() },
            "all but the hardware is as it was"
        );
        let registered = store.registered(door).await.unwrap().unwrap();
        let accepts = registered.accepts(&secret.text(), store.installation_key());
        assert!(!accepts, "the old secret is void at once");
        assert_eq!(store.certificate(&[1; 32]).await.unwrap().unwrap().revoked_at, Some(at));

        // Other hardware is to be it after all: what waits for its credentials gets none.
        let second = begin(DeviceKind::Gateway).await;
        let code = second.user_code.text();
        let code = EnrolmentName::Code(&code);
        let (_, renamed) =
            store.approve_enrolment(organization, code, &replaces(Some("Gate")), at).await.unwrap();
        assert_eq!(renamed.name, "Gate");
        let poll = store.poll_enrolment(&first.device_code.text(), at).await.unwrap();
        assert_eq!(poll, EnrolmentPoll::Denied);
        let fetched = store.collect_secret(&second.device_code.text(), organization, at).await.unwrap();
        let (device, fresh) = fetched.unwrap();
        let registered = store.registered(door).await.unwrap().unwrap();
        assert!(device == door && registered.accepts(&fresh.text(), store.installation_key()));

        let kiosk = begin(DeviceKind::Kiosk).await.user_code.text();
        let kiosk = EnrolmentName::Code(&kiosk);
        let wrong = store.approve_enrolment(organization, kiosk, &replaces(None), at).await;
        assert!(matches!(wrong, Err(StoreError::Conflict("hardware"))), "{wrong:?}");
        let nobody = Approval { replaces: Some(DeviceId::from_uuid(Uuid::nil())), ..Approval::default() };
        let wrong = store.approve_enrolment(organization, kiosk, &nobody, at).await;
        assert!(matches!(wrong, Err(StoreError::Invalid(_))), "{wrong:?}");
        let foreign = store.approve_enrolment(shop.other, kiosk, &replaces(None), at).await;
        assert!(matches!(foreign, Err(StoreError::Invalid(_))), "{foreign:?}");
        let waiting = store.enrolment(organization, kiosk, at).await.unwrap();
        assert_eq!((waiting.status, waiting.organization), (EnrolmentStatus::Pending, None));
        let unknown = EnrolmentName::Id(EnrolmentId::from_uuid(Uuid::nil()));
        let unknown = store.approve_enrolment(organization, unknown, &named("X"), at).await;
        assert!(matches!(unknown, Err(StoreError::NotFound)));
    })
    .await;
}

async fn approve(
    store: &Store,
    shop: &Shop,
    user_code: &str,
    approval: &Approval,
) -> (Enrolment, store::Device) {
    let code = EnrolmentName::Code(user_code);
    store.approve_enrolment(shop.organization, code, approval, NOON).await.unwrap()
}
