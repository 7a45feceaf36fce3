use std::collections::BTreeMap;

use presence::Occupancy;
use protocol::{DeviceId, Movement, MovementKind, OrganizationId, Subject, Timestamp, VenueId, VisitId};
use store::{Change, Live};
use uuid::Uuid;

fn organization(number: u128) -> OrganizationId {
    OrganizationId::from_uuid(Uuid::from_u128(number))
}

const VENUE: VenueId = VenueId::from_uuid(Uuid::from_u128(3));
const DEVICE: DeviceId = DeviceId::from_uuid(Uuid::from_u128(4));

fn movement(at: i64) -> Movement {
    Movement {
        kind: MovementKind::VisitStarted,
        at: Timestamp(at),
        venue: VENUE,
        zone: None,
        subject: Subject(5),
        visit: VisitId::from_uuid(Uuid::from_u128(6)),
        stay: None,
    }
}

#[test]
fn occupancy_is_seen_by_its_organization() {
    let live = Live::memory();
    assert_eq!(live.presence(organization(1), VENUE), None);
    let mut occupancy = Occupancy { at: Timestamp(1), total: 0, zones: BTreeMap::new() };
    live.see(organization(1), VENUE, occupancy.clone());
    occupancy.total = 2;
    live.clone().see(organization(1), VENUE, occupancy.clone());
    assert_eq!(live.presence(organization(1), VENUE), Some(occupancy));
    assert_eq!(live.presence(organization(2), VENUE), None);
}

#[tokio::test]
async fn movements_reach_those_who_listen_to_the_venue() {
    let live = Live::memory();
    live.publish(organization(1), &movement(0));
    let (mut one, mut two) = (live.movements(organization(1), VENUE), live.movements(organization(1), VENUE));
    let mut foreign = live.movements(organization(2), VENUE);
    let mut elsewhere = live.movements(organization(1), VenueId::from_uuid(Uuid::nil()));
    live.publish(organization(1), &movement(1));
    assert_eq!((one.next().await, two.next().await), (Some(movement(1)), Some(movement(1))));
    assert_eq!((foreign.try_next(), elsewhere.try_next(), one.try_next()), (None, None, None));
    // When the last listener has gone and another comes, it hears what happens from then on.
    drop((one, two));
    live.publish(organization(1), &movement(2));
    let mut late = live.movements(organization(1), VENUE);
    live.publish(organization(1), &movement(3));
    assert_eq!((late.try_next(), late.try_next()), (Some(movement(3)), None));
}

#[tokio::test]
async fn who_listens_too_slowly_misses_the_oldest() {
    let live = Live::memory();
    let mut slow = live.movements(organization(1), VENUE);
    for at in 0..5_000 {
        live.publish(organization(1), &movement(at));
    }
    let first = slow.next().await.unwrap();
    assert!(first.at > Timestamp(0));
    let mut last = first;
    while let Some(movement) = slow.try_next() {
        assert_eq!(movement.at, last.at.plus(1));
        last = movement;
    }
    assert_eq!(last.at, Timestamp(4_999));
}

#[tokio::test]
async fn changes_reach_everybody() {
    let live = Live::default();
    live.changed(Change::Venue(VENUE));
    let mut changes = live.changes();
    live.changed(Change::Device(DEVICE));
    assert_eq!(changes.next().await, Some(Change::Device(DEVICE)));
    drop(live);
    assert_eq!(changes.next().await, None);
}

#[test]
fn a_connection_is_known_while_it_lasts() {
    let live = Live::memory();
    assert_eq!(live.connection(DEVICE), None);
    let mut connections = live.connections();
    live.connected(DEVICE, Timestamp(1));
    live.connected(DEVICE, Timestamp(2));
    assert_eq!(live.connection(DEVICE), Some(Timestamp(2)));
    live.disconnected(DEVICE);
    assert_eq!(live.connection(DEVICE), None);
    let told = std::iter::from_fn(|| connections.try_next()).collect::<Vec<_>>();
    assert_eq!(told, [(DEVICE, true), (DEVICE, true), (DEVICE, false)]);
}
