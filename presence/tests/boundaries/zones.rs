//! When a zone is entered and left.

use presence::VisitClass;

use crate::hall::{INSIDE, SHOP, UNPLACED, plain, stays, visits};

#[test]
fn the_split_forgets_signal_and_zone() {
    let four_in_the_morning = 16 * 3_600_000;
    // Without the split, the shop would need a second longer than this to take over.
    let heard = [(four_in_the_morning - 900, INSIDE, -50), (four_in_the_morning, SHOP, -90)];
    assert_eq!(
        stays(&plain(), &heard),
        [(INSIDE, heard[0].0, heard[0].0), (SHOP, four_in_the_morning, four_in_the_morning)]
    );
}

#[test]
fn whoever_sleeps_is_where_they_were_seen_last_until_seen_elsewhere() {
    let at = |gap: i64, anchor: u8| stays(&plain(), &[(900, INSIDE, -60), (900 + gap, anchor, -60)]);
    for gap in [30_000, 30_001, 900_000] {
        assert_eq!(at(gap, INSIDE), [(INSIDE, 900, 900 + gap)]);
        assert_eq!(at(gap, SHOP), [(INSIDE, 900, 900 + gap), (SHOP, 900 + gap, 900 + gap)]);
    }
    // A new run knows nothing of the one before.
    assert_eq!(at(900_001, INSIDE), [(INSIDE, 900, 900), (INSIDE, 900_901, 900_901)]);
}

#[test]
fn after_a_silence_of_more_than_30_seconds_the_zone_is_chosen_anew() {
    // Without the silence, the shop would have to lead for a second, whether the inside is still heard or not.
    let at = |gap: i64| {
        let both = [(gap, INSIDE, -60), (gap, SHOP, -50)];
        stays(&plain(), &[&[(0, INSIDE, -60)], &both[..]].concat())
    };
    assert_eq!(at(30_000), [(INSIDE, 0, 30_000)]);
    assert_eq!(at(30_001), [(INSIDE, 0, 30_001), (SHOP, 30_001, 30_001)]);
}

#[test]
fn a_zone_takes_over_when_its_lead_has_held_for_a_second() {
    // Equal medians of one second each: the lead is exactly the margin.
    let led = |seconds: &[i64], by: i8| {
        let mut heard = vec![(0, INSIDE, -60)];
        heard
            .extend(seconds.iter().flat_map(|s| [(s * 1_000, INSIDE, -60), (s * 1_000 + 1, SHOP, -60 + by)]));
        stays(&plain(), &heard)
    };
    assert_eq!(led(&[1], 1), [(INSIDE, 0, 1_001)]);
    assert_eq!(led(&[1, 2], 1), [(INSIDE, 0, 2_000), (SHOP, 2_000, 2_001)]);
    assert_eq!(led(&[1, 2, 3], 0), [(INSIDE, 0, 3_001)]);
    // The next heard second is later than that.
    assert_eq!(led(&[1, 5], 1), [(INSIDE, 0, 5_000), (SHOP, 5_000, 5_001)]);
}

#[test]
fn an_anchor_is_gone_after_10_silent_seconds() {
    // The weak shop takes over in the first heard second in which the strong inside is gone.
    let at = |second: i64| stays(&plain(), &[(0, INSIDE, -40), (second * 1_000, SHOP, -90)]);
    assert_eq!(at(10), [(INSIDE, 0, 10_000)]);
    assert_eq!(at(11), [(INSIDE, 0, 11_000), (SHOP, 11_000, 11_000)]);
}

#[test]
fn an_anchor_without_a_zone_is_not_heard() {
    assert_eq!(visits(&[(0, UNPLACED, -40)]), []);
    // It neither lengthens a run nor bridges a gap.
    let heard =
        [(0, INSIDE, -60), (600_000, UNPLACED, -40), (900_001, INSIDE, -60), (900_200, UNPLACED, -40)];
    assert_eq!(visits(&heard), [(0, 0, VisitClass::Bounce), (900_001, 900_001, VisitClass::Bounce)]);
}
