//! What is printed or encoded parses to the same value, for every value; and what parses prints as the same text.

#[path = "generate/batches.rs"]
mod generate;

use generate::{batch, boot, identifier, timestamp};
use proptest::array::uniform;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use protocol::beacon::{AltBeacon, Eid, Frame, IBeacon, Tlm, Uid, Url};
use protocol::{
    Batch, Boot, CommandId, Decoded, DeviceId, Identifier, KeyId, OrganizationId, Reason, Receipt, Refused,
    StayId, Subject, Timestamp, Topic, VenueId, VisitId, ZoneId,
};

fn device() -> impl Strategy<Value = DeviceId> {
    (timestamp(), any::<[u8; 10]>()).prop_map(|(at, random)| DeviceId::new(at, random))
}

fn command() -> impl Strategy<Value = CommandId> {
    (timestamp(), any::<[u8; 10]>()).prop_map(|(at, random)| CommandId::new(at, random))
}

fn organization() -> impl Strategy<Value = OrganizationId> {
    (timestamp(), any::<[u8; 10]>()).prop_map(|(at, random)| OrganizationId::new(at, random))
}

fn venue() -> impl Strategy<Value = VenueId> {
    (timestamp(), any::<[u8; 10]>()).prop_map(|(at, random)| VenueId::new(at, random))
}

fn topic() -> impl Strategy<Value = Topic> {
    prop_oneof![
        device().prop_map(Topic::Pings),
        device().prop_map(Topic::Receipts),
        device().prop_map(Topic::Telemetry),
        device().prop_map(Topic::CertificateRequest),
        device().prop_map(Topic::Certificate),
        device().prop_map(Topic::TwinReported),
        device().prop_map(Topic::TwinDesired),
        (device(), command()).prop_map(|(device, command)| Topic::Command { device, command }),
        (device(), command()).prop_map(|(device, command)| Topic::CommandAck { device, command }),
        (organization(), device()).prop_map(|(organization, device)| Topic::Status { organization, device }),
        (organization(), device())
            .prop_map(|(organization, device)| Topic::Reported { organization, device }),
        (organization(), device()).prop_map(|(organization, device)| Topic::Acks { organization, device }),
        (organization(), device()).prop_map(|(organization, device)| Topic::Orders { organization, device }),
        (organization(), venue()).prop_map(|(organization, venue)| Topic::Movements { organization, venue }),
        (organization(), venue()).prop_map(|(organization, venue)| Topic::Occupancy { organization, venue }),
    ]
}

fn receipt() -> impl Strategy<Value = Receipt> {
    let reason = || prop::sample::select(Reason::ALL);
    let refused =
        prop_oneof![
            (any::<u64>(), any::<u64>(), reason()).prop_map(|(a, b, reason)| Refused::Batches {
                from: a.min(b),
                to: a.max(b),
                reason
            }),
            (any::<u64>(), vec(any::<u32>(), 0..5), reason())
                .prop_map(|(seq, pings, reason)| Refused::Pings { seq, pings, reason }),
            reason().prop_map(|reason| Refused::Whole { reason }),
        ];
    (option::of(boot()), option::of(any::<u64>()), vec(refused, 0..5))
        .prop_map(|(boot, through, refused)| Receipt { boot, through, refused })
}

fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        (any::<[u8; 16]>(), any::<u16>(), any::<u16>(), any::<i8>())
            .prop_map(|(uuid, major, minor, power)| Frame::IBeacon(IBeacon { uuid, major, minor, power })),
        (any::<i8>(), uniform::<_, 10>(any::<u8>()), any::<[u8; 6]>())
            .prop_map(|(power, namespace, instance)| Frame::Uid(Uid { power, namespace, instance })),
        (any::<i8>(), any::<[u8; 8]>()).prop_map(|(power, eid)| Frame::Eid(Eid { power, eid })),
        (any::<i8>(), "https?://(www[.])?[a-z]{1,5}[.](com|org|info|gov)/?[!-~]{0,4}")
            .prop_map(|(power, url)| Frame::Url(Url::new(power, &url).expect("short enough"))),
        (option::of(1..=u16::MAX), option::of(i16::MIN + 1..=i16::MAX), any::<u32>(), any::<u32>()).prop_map(
            |(battery_mv, temperature, advertisements, uptime_ds)| {
                Frame::Tlm(Tlm { battery_mv, temperature, advertisements, uptime_ds })
            }
        ),
        (any::<u16>(), uniform::<_, 20>(any::<u8>()), -127_i8..=0, any::<u8>()).prop_map(
            |(company, id, power, reserved)| Frame::AltBeacon(AltBeacon { company, id, power, reserved })
        ),
    ]
}

macro_rules! assert_id {
    ($type:ty, $at:expr, $random:expr) => {{
        let id = <$type>::new($at, $random);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        prop_assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        prop_assert_eq!(<$type>::from_uuid(id.as_uuid()), id);
        prop_assert_eq!(id.as_uuid().get_version_num(), 7);
        let json = serde_json::to_string(&id).unwrap();
        prop_assert_eq!(&json, &format!("\"{id}\""));
        prop_assert_eq!(serde_json::from_str::<$type>(&json).unwrap(), id);
    }};
}

proptest! {
    #[test]
    fn ids(at in timestamp(), random in any::<[u8; 10]>()) {
        assert_id!(OrganizationId, at, random);
        assert_id!(VenueId, at, random);
        assert_id!(ZoneId, at, random);
        assert_id!(DeviceId, at, random);
        assert_id!(CommandId, at, random);
        assert_id!(KeyId, at, random);
        assert_id!(StayId, at, random);
        assert_id!(VisitId, at, random);
    }

    #[test]
    fn ids_order_by_time(
        a in 0..1_i64 << 48, b in 0..1_i64 << 48, random_a in any::<[u8; 10]>(), random_b in any::<[u8; 10]>(),
    ) {
        prop_assume!(a != b);
        let (first, second) = (DeviceId::new(Timestamp(a), random_a), DeviceId::new(Timestamp(b), random_b));
        prop_assert_eq!(first < second, a < b);
    }

    #[test]
    fn subjects_and_boots(subject in any::<u128>().prop_map(Subject), boot in boot()) {
        prop_assert_eq!(subject.to_string().parse(), Ok(subject));
        prop_assert_eq!(boot.to_string().parse::<Boot>(), Ok(boot));
        let json = serde_json::to_string(&(subject, boot)).unwrap();
        prop_assert_eq!(serde_json::from_str::<(Subject, Boot)>(&json).unwrap(), (subject, boot));
    }

    #[test]
    fn topics(topic in topic()) {
        let text = topic.to_string();
        prop_assert_eq!(text.parse(), Ok(topic));
        prop_assert!(text.starts_with(Topic::PREFIX));
        prop_assert!(text.to_uppercase().parse::<Topic>().is_err());
        let own = topic.device().map(|device| text.starts_with(&format!("v1/{device}/")));
        prop_assert_eq!(own.is_none(), text.starts_with("v1/organizations/"));
        prop_assert_ne!(own, Some(false));
    }

    /// Topics close to right ones, so that some of them parse.
    #[test]
    fn a_topic_that_parses_prints_as_the_same_text(topic in topic(), at in any::<prop::sample::Index>(), byte in "[ -~]") {
        let mut text = topic.to_string();
        let at = at.index(text.len());
        text.replace_range(at..=at, &byte);
        if let Ok(topic) = text.parse::<Topic>() {
            prop_assert_eq!(topic.to_string(), text);
        }
    }

    #[test]
    fn identifiers(identifier in identifier()) {
        let text = identifier.to_string();
        prop_assert_eq!(text.parse(), Ok(identifier.clone()));
        if !matches!(identifier, Identifier::App(_)) {
            let (kind, rest) = text.split_once(':').unwrap();
            prop_assert_eq!(format!("{kind}:{}", rest.to_uppercase()).parse(), Ok(identifier.clone()));
        }
        let mut buf = [0; Identifier::MAX_LEN];
        let canonical = identifier.canonical(&mut buf);
        prop_assert_eq!(Identifier::from_canonical(canonical), Ok(identifier.clone()));
        let json = serde_json::to_string(&identifier).unwrap();
        prop_assert_eq!(serde_json::from_str::<Identifier>(&json).unwrap(), identifier);
    }

    #[test]
    fn canonical_bytes_are_of_one_identifier_only(bytes in vec(any::<u8>(), 0..70), kind in 0_u8..9) {
        let bytes = [&[kind], &bytes[..]].concat();
        if let Ok(identifier) = Identifier::from_canonical(&bytes) {
            let mut buf = [0; Identifier::MAX_LEN];
            prop_assert_eq!(identifier.canonical(&mut buf), bytes);
        }
    }

    #[test]
    fn batches(batch in batch()) {
        let decoded = Decoded { batch: batch.clone(), refused: vec![] };
        let (json, cbor) = (batch.to_json(), batch.to_cbor());
        prop_assert_eq!(Batch::decode(&json, None), Ok(decoded.clone()));
        prop_assert_eq!(Batch::decode(&cbor, None), Ok(decoded.clone()));
        prop_assert_eq!(Batch::decode(&json, Some("application/json; charset=utf-8")), Ok(decoded.clone()));
        prop_assert_eq!(Batch::decode(&cbor, Some("Application/CBOR")), Ok(decoded));
    }

    #[test]
    fn receipts(receipt in receipt()) {
        let json = serde_json::to_vec(&receipt).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Receipt>(&json).unwrap(), receipt);
    }

    #[test]
    fn frames(frame in frame()) {
        let packet = frame.to_advertising();
        prop_assert!(packet.len() <= 31, "{} bytes", packet.len());
        prop_assert_eq!(Frame::from_advertising(&packet), Ok(frame));
    }
}
