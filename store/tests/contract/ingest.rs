use protocol::{Boot, DeviceId, OrganizationId, Timestamp, VenueId};
use store::{Append, BootMarks, BootRow, HashChunk, NewSegment, Numbers, Store, StoreError};
use uuid::Uuid;

use crate::engines::each_engine;
use crate::shop::{HOUR, MINUTE, NOON, Shop};

fn segment(shop: &Shop, position: i64, from_at: Timestamp, to_at: Timestamp) -> NewSegment {
    NewSegment {
        organization: shop.organization,
        venue: shop.venue,
        position,
        from_at,
        to_at,
        received_at: NOON,
        batches: 1,
        pings: 2,
        body: vec![position as u8; 5_000],
    }
}

fn boot_row(organization: OrganizationId, device: DeviceId, boot: &str, through: u64, chunk: u64) -> BootRow {
    let mut numbers = Numbers { base: Some(0), ..Numbers::default() };
    numbers.settled.insert_range(0, through);
    numbers.accepted.insert(0);
    let hashes = std::array::from_fn(|index| u64::MAX - chunk * 64 - index as u64);
    let chunks = vec![HashChunk { number: chunk, hashes }];
    BootRow { device, organization, boot: boot.parse().unwrap(), numbers, chunks, drop_chunks_below: None }
}

async fn append(store: &Store, segments: &[NewSegment], boots: &[BootRow]) -> store::Result<()> {
    store.append(&Append { segments, boots, losses: &[], now: NOON }).await
}

#[tokio::test]
async fn a_log_reads_back_in_order() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, venue) = (shop.organization, shop.venue);
        assert_eq!(store.positions().await.unwrap(), []);
        assert_eq!(store.newest_received().await.unwrap(), None);
        for position in 1..=5 {
            append(&store, &[segment(&shop, position, NOON, NOON.plus(position))], &[]).await.unwrap();
        }
        assert_eq!(store.positions().await.unwrap(), [(venue, 5)]);
        assert_eq!(store.newest_received().await.unwrap(), Some(NOON));
        let read = store.segments(organization, venue, 1, 3).await.unwrap();
        assert_eq!(read.iter().map(|segment| segment.position).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!((read[0].from_at, read[0].to_at, read[0].received_at), (NOON, NOON.plus(2), NOON));
        assert_eq!(read[0].body, vec![2; 5_000]);
        assert!(store.segments(shop.other, venue, 0, 9).await.unwrap().is_empty());
        assert!(
            store.segments(organization, VenueId::from_uuid(Uuid::nil()), 0, 9).await.unwrap().is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn a_taken_position_undoes_the_whole_group() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let boot: Boot = "b1".parse().unwrap();
        append(&store, &[segment(&shop, 1, NOON, NOON)], &[]).await.unwrap();
        let group = [segment(&shop, 2, NOON, NOON), segment(&shop, 1, NOON, NOON)];
        let marks = [boot_row(shop.organization, shop.door, "b1", 3, 0)];
        let appended = append(&store, &group, &marks).await;
        assert!(matches!(appended, Err(StoreError::Conflict("position"))), "{appended:?}");
        assert_eq!(store.positions().await.unwrap(), [(shop.venue, 1)]);
        assert_eq!(store.boot(shop.organization, shop.door, boot).await.unwrap(), None);
        // The connection is as good as before.
        append(&store, &group[..1], &marks).await.unwrap();
        assert_eq!(store.positions().await.unwrap(), [(shop.venue, 2)]);
    })
    .await;
}

#[tokio::test]
async fn marks_are_saved_with_the_log() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, door) = (shop.organization, shop.door);
        let (one, two): (Boot, Boot) = ("one".parse().unwrap(), "A_z-09".parse().unwrap());
        let rows = [
            boot_row(organization, door, "one", 70, 0),
            boot_row(organization, door, "A_z-09", 3, 0),
            boot_row(organization, shop.shelf, "one", 9, 0),
        ];
        append(&store, &[], &rows).await.unwrap();
        let expected = |row: &BootRow| BootMarks { numbers: row.numbers.clone(), chunks: row.chunks.clone() };
        assert_eq!(store.boot(organization, door, one).await.unwrap(), Some(expected(&rows[0])));
        assert_eq!(store.boot(organization, door, two).await.unwrap(), Some(expected(&rows[1])));
        assert_eq!(store.boot(organization, shop.shelf, two).await.unwrap(), None);
        assert_eq!(store.boot(shop.other, door, one).await.unwrap(), None);

        let mut again = boot_row(organization, door, "one", 130, 1);
        again.chunks.push(HashChunk { number: 2, hashes: [9; 64] });
        append(&store, &[], std::slice::from_ref(&again)).await.unwrap();
        let marks = store.boot(organization, door, one).await.unwrap().unwrap();
        assert_eq!(marks.numbers, again.numbers);
        assert_eq!(marks.chunks, [&rows[0].chunks[..], &again.chunks[..]].concat());

        let drop = BootRow { chunks: vec![], drop_chunks_below: Some(2), ..again.clone() };
        append(&store, &[], &[drop]).await.unwrap();
        assert_eq!(store.boot(organization, door, one).await.unwrap().unwrap().chunks, again.chunks[1..]);
        assert_eq!(store.boot(organization, door, two).await.unwrap(), Some(expected(&rows[1])));
    })
    .await;
}

#[tokio::test]
async fn marks_stay_in_their_organization() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        append(&store, &[], &[boot_row(shop.organization, shop.door, "b", 1, 0)]).await.unwrap();
        let appended = append(&store, &[], &[boot_row(shop.other, shop.door, "b", 9, 0)]).await;
        assert!(matches!(appended, Err(StoreError::Conflict("organization"))));
        let marks = store.boot(shop.organization, shop.door, "b".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(marks.numbers.settled.last(), Some(1));
    })
    .await;
}

#[tokio::test]
async fn a_range_of_event_time_finds_its_segments() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, venue) = (shop.organization, shop.venue);
        let times = [(0, 10), (5, 20), (20, 30), (-60, 40), (31, 31)];
        for (index, (from, to)) in times.into_iter().enumerate() {
            let segment = segment(&shop, index as i64 + 1, NOON.plus(from * MINUTE), NOON.plus(to * MINUTE));
            append(&store, &[segment], &[]).await.unwrap();
        }
        let find = async |from: i64, to: i64, through| -> Vec<i64> {
            let (from, to) = (NOON.plus(from * MINUTE), NOON.plus(to * MINUTE));
            let found =
                store.segments_overlapping(organization, venue, from, to, 0, through, 9).await.unwrap();
            found.into_iter().map(|segment| segment.position).collect()
        };
        assert_eq!(find(0, 5, 9).await, [1, 4]);
        assert_eq!(find(10, 21, 9).await, [1, 2, 3, 4]);
        assert_eq!(find(31, 32, 9).await, [4, 5]);
        assert_eq!(find(31, 32, 4).await, [4]);
        assert_eq!(find(41, 99, 9).await, [0_i64; 0]);
        let (from, to) = (NOON.minus(HOUR), NOON.plus(HOUR));
        assert!(store.segments_overlapping(shop.other, venue, from, to, 0, 9, 9).await.unwrap().is_empty());
        let page = store.segments_overlapping(organization, venue, from, to, 1, 9, 3).await.unwrap();
        assert_eq!(page.iter().map(|segment| segment.position).collect::<Vec<_>>(), [2, 3, 4]);
    })
    .await;
}
