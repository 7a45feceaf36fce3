use proptest::prelude::*;
use protocol::{OrganizationId, VenueId};
use uuid::Uuid;

use super::*;
use crate::NewSegment;

fn device(number: u8) -> DeviceId {
    DeviceId::from_uuid(Uuid::from_u128(u128::from(number) << 64 | 7))
}

fn head(seq: u64) -> BatchHead {
    BatchHead {
        device: device(1),
        boot: "k3v9".parse().unwrap(),
        seq,
        hash: seq.wrapping_mul(0x9e37_79b9_7f4a_7c15),
    }
}

fn ping(at: i64, subject: u128) -> PackedPing {
    PackedPing {
        at: Timestamp(at),
        subject: Subject(subject),
        anchor: device(1),
        rssi: -67,
        transient: false,
        tx: None,
        max: None,
        n: None,
    }
}

type Content = Vec<(BatchHead, Vec<PackedPing>)>;

fn pack(builder: &mut SegmentBuilder, content: &Content) -> NewSegment {
    for (head, pings) in content {
        builder.push_batch(head);
        for ping in pings {
            builder.push_ping(ping);
        }
    }
    let nil = Uuid::nil();
    builder.finish(OrganizationId::from_uuid(nil), VenueId::from_uuid(nil), 3, Timestamp(99))
}

fn unpack(body: &[u8]) -> Result<Content, SegmentError> {
    let reader = SegmentReader::new(body)?;
    let devices: Vec<DeviceId> = reader.devices().collect();
    let ping = |ping: Result<StoredPing, SegmentError>| {
        let StoredPing { at, subject, anchor, rssi, transient, tx, max, n } = ping?;
        Ok(PackedPing { at, subject, anchor: devices[anchor as usize], rssi, transient, tx, max, n })
    };
    let batch = |batch: Result<PackedBatch<'_>, SegmentError>| {
        let batch = batch?;
        Ok((batch.head, batch.pings().map(ping).collect::<Result<Vec<_>, SegmentError>>()?))
    };
    reader.batches().map(batch).collect()
}

#[test]
fn the_bytes_are_the_ones_that_are_described() {
    let content =
        vec![(head(2), vec![ping(1_000, 0xab), PackedPing { n: Some(9), tx: Some(-59), ..ping(998, 0xab) }])];
    let body = pack(&mut SegmentBuilder::new(), &content).body;
    let mut expected = vec![1, 0xd0, 0x0f, 1, 1, 1];
    expected.extend([0, 4, b'k', b'3', b'v', b'9', 2]);
    expected.extend(head(2).hash.to_le_bytes());
    expected.extend([2, 12]);
    expected.extend(0xab_u128.to_be_bytes());
    expected.extend(*device(1).as_uuid().as_bytes());
    expected.extend([0, (-67_i8) as u8, 0, 0, 0]);
    expected.extend([flag::TX | flag::N, (-67_i8) as u8, 0, 0, 3, (-59_i8) as u8, 9]);
    assert_eq!(body, expected);
}

#[test]
fn a_segment_tells_its_times_and_counts() {
    let mut builder = SegmentBuilder::new();
    let content =
        vec![(head(0), vec![ping(50, 1), ping(20, 2)]), (head(1), vec![]), (head(2), vec![ping(70, 1)])];
    let segment = pack(&mut builder, &content);
    assert_eq!(
        (segment.from_at, segment.to_at, segment.received_at),
        (Timestamp(20), Timestamp(70), Timestamp(99))
    );
    assert_eq!((segment.batches, segment.pings, segment.position), (3, 3, 3));
    // The builder begins anew: the next segment knows nothing of this one.
    let empty = pack(&mut builder, &vec![(head(3), vec![])]);
    assert_eq!(
        (empty.from_at, empty.to_at, empty.batches, empty.pings),
        (Timestamp(99), Timestamp(99), 1, 0)
    );
    assert_eq!(unpack(&empty.body), Ok(vec![(head(3), vec![])]));
}

#[test]
fn a_segment_of_nothing_reads_as_nothing() {
    let body = pack(&mut SegmentBuilder::new(), &Vec::new()).body;
    assert_eq!(unpack(&body), Ok(Vec::new()));
}

#[test]
fn another_version_is_named() {
    assert_eq!(SegmentReader::new(&[2, 0, 0]).map(drop), Err(SegmentError::Version(2)));
    assert_eq!(SegmentReader::new(&[]).map(drop), Err(SegmentError::Damaged));
}

#[test]
fn every_cut_is_damage() {
    let content = vec![(head(2), vec![ping(1_000, 1), ping(1_001, 2)]), (head(3), vec![ping(7, 3)])];
    let body = pack(&mut SegmentBuilder::new(), &content).body;
    for end in 0..body.len() {
        assert_eq!(unpack(&body[..end]), Err(SegmentError::Damaged), "cut at {end}");
    }
}

fn pings() -> impl Strategy<Value = PackedPing> {
    let fields = (any::<i64>(), 0_u128..20, 0_u8..5, any::<i8>(), any::<bool>());
    let optional = (any::<Option<i8>>(), any::<Option<i8>>(), any::<Option<u16>>());
    (fields, optional).prop_map(|((at, subject, anchor, rssi, transient), (tx, max, n))| PackedPing {
        at: Timestamp(at),
        subject: Subject(subject.wrapping_mul(u128::MAX / 7)),
        anchor: device(anchor),
        rssi,
        transient,
        tx,
        max,
        n,
    })
}

fn contents() -> impl Strategy<Value = Content> {
    let head =
        (0_u8..5, "[A-Za-z0-9_-]{1,16}", any::<u64>(), any::<u64>()).prop_map(|(number, boot, seq, hash)| {
            BatchHead { device: device(number), boot: boot.parse().unwrap(), seq, hash }
        });
    prop::collection::vec((head, prop::collection::vec(pings(), 0..20)), 0..6)
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked(first in contents(), second in contents()) {
        let mut builder = SegmentBuilder::new();
        for content in [first, second] {
            prop_assert_eq!(unpack(&pack(&mut builder, &content).body), Ok(content));
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = unpack(&bytes);
        bytes.insert(0, VERSION);
        let _ = unpack(&bytes);
    }

    #[test]
    fn damage_is_read_without_panic(content in contents(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = pack(&mut SegmentBuilder::new(), &content).body;
        let at = at.index(body.len());
        body[at] = byte;
        let _ = unpack(&body);
    }
}
