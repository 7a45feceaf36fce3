//! The configuration version in force, laid out for the hot path.

use protocol::{DeviceId, ZoneId, ZoneKind};

use crate::{AnchorKey, Settings, Timeline};

#[derive(Clone, Debug)]
pub(super) struct InForce {
    /// The whole seconds it is in force for, half-open.
    from: i64,
    to: i64,
    pub(super) settings: Settings,
    places: Vec<Option<(ZoneId, ZoneKind)>>,
}

impl InForce {
    /// In force for no second at all.
    pub(super) fn none(timeline: &Timeline) -> Self {
        let settings = timeline.at_second(i64::MIN / 1_000).0.settings.clone();
        Self { from: 0, to: 0, settings, places: Vec::new() }
    }

    /// What is in force in `second`.
    pub(super) fn at(timeline: &Timeline, second: i64, anchors: &[DeviceId]) -> Self {
        let (layout, from, to) = timeline.at_second(second);
        let mut in_force = Self { from, to, settings: layout.settings.clone(), places: Vec::new() };
        in_force.extend(timeline, anchors);
        in_force
    }

    pub(super) fn holds(&self, second: i64) -> bool {
        self.from <= second && second < self.to
    }

    /// Lays out anchors that were added since.
    pub(super) fn extend(&mut self, timeline: &Timeline, anchors: &[DeviceId]) {
        if self.from == self.to || self.places.len() == anchors.len() {
            return;
        }
        let (layout, ..) = timeline.at_second(self.from);
        for device in &anchors[self.places.len()..] {
            let zone = layout.anchors.get(device);
            self.places.push(zone.and_then(|zone| layout.zones.get(zone).map(|kind| (*zone, *kind))));
        }
    }

    /// The zone of an anchor, if it is placed in one.
    pub(super) fn place(&self, anchor: AnchorKey) -> Option<(ZoneId, ZoneKind)> {
        self.places.get(usize::from(anchor.0)).copied().flatten()
    }
}
