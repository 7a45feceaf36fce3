//! Which zone one subject is in.
//!
//! Knows nothing of anchors and visits: levels by zone go in, one zone comes out.

use protocol::ZoneId;

use crate::ZoneSettings;

/// The zone of one subject, and which other zone is about to take over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chooser {
    pub(crate) current: Option<ZoneId>,
    pub(crate) rival: Option<Rival>,
}

/// A zone that leads the current one by the margin at every heard second since `since`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rival {
    pub(crate) zone: ZoneId,
    pub(crate) since: i64,
}

impl Chooser {
    /// The zone in a second in which the subject was heard, from the level of each anchor (any order, several for a
    /// zone; a zone is as strong as its strongest anchor). None only if there is no level at all.
    ///
    /// The strongest zone (of equal ones the one with the lower id) takes over at once if the current zone has no level.
    /// Otherwise it must lead by the margin in a heard second and, without a heard second between in which it did not,
    /// in another one that is at least the hold time later.
    pub(crate) fn choose(
        &mut self,
        second: i64,
        levels: impl Iterator<Item = (ZoneId, f32)>,
        settings: &ZoneSettings,
    ) -> Option<ZoneId> {
        let mut own: Option<f32> = None;
        let mut best: Option<(ZoneId, f32)> = None;
        for (zone, level) in levels {
            if Some(zone) == self.current {
                own = Some(own.map_or(level, |own| own.max(level)));
            } else if best.is_none_or(|(other, most)| level > most || (level >= most && zone < other)) {
                best = Some((zone, level));
            }
        }
        let Some((zone, level)) = best else {
            self.rival = None;
            return own.and(self.current);
        };
        let Some(own) = own else { return self.take_over(zone) };
        if level - own < settings.margin_db {
            self.rival = None;
            return self.current;
        }
        let since = match self.rival {
            Some(rival) if rival.zone == zone => rival.since,
            _ => second,
        };
        if second - since >= i64::from(settings.hold_s) {
            return self.take_over(zone);
        }
        self.rival = Some(Rival { zone, since });
        self.current
    }

    /// Forgets everything, as after the subject has left.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    fn take_over(&mut self, zone: ZoneId) -> Option<ZoneId> {
        *self = Self { current: Some(zone), rival: None };
        self.current
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const A: ZoneId = ZoneId::from_uuid(Uuid::from_u128(1));
    const B: ZoneId = ZoneId::from_uuid(Uuid::from_u128(2));
    const C: ZoneId = ZoneId::from_uuid(Uuid::from_u128(3));

    fn choose(chooser: &mut Chooser, second: i64, levels: &[(ZoneId, f32)]) -> Option<ZoneId> {
        chooser.choose(second, levels.iter().copied(), &ZoneSettings::default())
    }

    #[test]
    fn the_strongest_is_first_and_equals_go_by_id() {
        for levels in [[(A, -70.0), (B, -60.0), (C, -60.0)], [(C, -60.0), (B, -60.0), (A, -70.0)]] {
            assert_eq!(choose(&mut Chooser::default(), 0, &levels), Some(B));
        }
    }

    #[test]
    fn a_zone_is_as_strong_as_its_strongest_anchor() {
        let mut chooser = Chooser::default();
        choose(&mut chooser, 0, &[(A, -60.0)]);
        assert_eq!(choose(&mut chooser, 1, &[(B, -65.0), (A, -90.0), (A, -60.0), (B, -70.0)]), Some(A));
        assert_eq!(chooser.rival, None);
    }

    #[test]
    fn a_lead_of_exactly_the_margin_held_for_exactly_the_time_takes_over() {
        let mut chooser = Chooser::default();
        choose(&mut chooser, 0, &[(A, -60.0)]);
        assert_eq!(choose(&mut chooser, 1, &[(A, -60.0), (B, -59.0)]), Some(A));
        assert_eq!(choose(&mut chooser, 2, &[(A, -60.0), (B, -59.0)]), Some(B));
    }

    #[test]
    fn a_lead_below_the_margin_never_takes_over() {
        let mut chooser = Chooser::default();
        choose(&mut chooser, 0, &[(A, -60.0)]);
        for second in 1..9 {
            assert_eq!(choose(&mut chooser, second, &[(A, -60.0), (B, -59.1)]), Some(A));
        }
    }

    #[test]
    fn a_lost_lead_or_another_leader_starts_the_hold_anew() {
        let mut chooser = Chooser::default();
        choose(&mut chooser, 0, &[(A, -60.0)]);
        assert_eq!(choose(&mut chooser, 1, &[(A, -60.0), (B, -50.0)]), Some(A));
        assert_eq!(choose(&mut chooser, 2, &[(A, -60.0), (B, -60.0)]), Some(A));
        assert_eq!(choose(&mut chooser, 3, &[(A, -60.0), (B, -50.0)]), Some(A));
        assert_eq!(choose(&mut chooser, 4, &[(A, -60.0), (B, -50.0), (C, -49.0)]), Some(A));
        assert_eq!(choose(&mut chooser, 5, &[(A, -60.0), (C, -50.0)]), Some(C));
    }

    #[test]
    fn a_zone_without_any_level_is_left_at_once() {
        let mut chooser = Chooser::default();
        choose(&mut chooser, 0, &[(A, -60.0)]);
        assert_eq!(choose(&mut chooser, 1, &[(B, -95.0)]), Some(B));
    }
}
