//! One second of all subjects: signal, then zone, then visit.

use protocol::Timestamp;

use super::pending::Entry;
use super::{InForce, Tracker};
use crate::Changes;
use crate::signal::{Reading, median};
use crate::tracker::subjects::UNSET;
use crate::visit::{Heard, Record, Run};

impl Tracker {
    /// Processes the first unprocessed second: first what was heard in it, then what its end brings.
    pub(super) fn process_second(&mut self, changes: &mut Changes) {
        if !self.in_force.holds(self.base) {
            self.in_force = InForce::at(&self.timeline, self.base, self.anchors.devices());
            // Silence may have other limits now.
            self.set_all_timers();
        }
        let mut bucket = self.pending.take(self.base);
        bucket.sort_unstable();
        for entries in bucket.chunk_by(|one, other| one.slot() == other.slot()) {
            self.hear(entries, changes);
        }
        self.pending.recycle(bucket);
        for slot in self.timers.fire() {
            self.look(slot, changes);
        }
        self.timers.turn();
        self.base += 1;
    }

    /// Sets the timer of every open run anew.
    pub(super) fn set_all_timers(&mut self) {
        self.timers.clear();
        for (slot, follow) in self.subjects.followed() {
            follow.timer = UNSET;
            if let Some(run) = &follow.run {
                let end = run.next_end(&self.in_force.settings).second();
                follow.timer = self.timers.set(self.base, end, slot);
            }
        }
    }

    /// Takes in all entries of one subject in this second, in order.
    fn hear(&mut self, entries: &[Entry], changes: &mut Changes) {
        let slot = entries[0].slot();
        let Some(heard) = self.read(entries) else {
            self.subjects.release(slot, self.base + 1);
            return;
        };
        let follow = self.subjects.get(slot);
        if let Some(run) = &follow.run
            && heard.first < run.until
            && heard.last >= run.until
        {
            // The run grows too old inside this second: each part of the second belongs to a run of its own.
            let ms = run.until.0 - self.base * 1_000;
            let (before, after): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.ms() < ms);
            self.hear(&before, changes);
            self.hear(&after, changes);
            return;
        }
        let settings = &self.in_force.settings;
        let record =
            &mut Record { venue: self.venue, subject: follow.subject, changes, occupied: &mut self.occupied };
        match &mut follow.run {
            Some(run) if heard.first <= run.ends(&settings.visit) => {
                if heard.first > run.stay_ends(settings) {
                    run.fall_silent(record);
                    follow.chooser.reset();
                }
            }
            ended => {
                if let Some(run) = ended.take() {
                    run.close(record);
                }
                follow.signals.reset();
                follow.chooser.reset();
                if !self.today.contains(heard.first) {
                    self.today = self.timeline.day(heard.first);
                }
                *ended = Some(Run::begin(heard.first, self.today, &settings.visit));
            }
        }
        follow.signals.hear(self.base, &self.readings, &settings.signal);
        let place = |anchor| self.in_force.place(anchor);
        let levels = follow.signals.levels(self.base, &settings.signal);
        let levels = levels.filter_map(|(anchor, dbm)| place(anchor).map(|(zone, _)| (zone, dbm)));
        let Some(zone) = follow.chooser.choose(self.base, levels, &settings.zone) else { return };
        let mut levels = follow.signals.levels(self.base, &settings.signal);
        let kind = levels.find_map(|(anchor, _)| place(anchor).filter(|(of, _)| *of == zone));
        let (Some(run), Some((_, kind))) = (&mut follow.run, kind) else { return };
        run.see(heard, zone, kind, &settings.visit, record);
        let end = run.next_end(settings).second();
        if follow.timer > end {
            follow.timer = self.timers.set(self.base, end, slot);
        }
    }

    /// Puts the readings of one subject's second into `self.readings`; none if no placed anchor has any.
    fn read(&mut self, entries: &[Entry]) -> Option<Heard> {
        self.readings.clear();
        let (mut first, mut last, mut transient) = (i64::MAX, i64::MIN, false);
        for of_anchor in entries.chunk_by(|one, other| one.anchor() == other.anchor()) {
            let anchor = of_anchor[0].anchor();
            if self.in_force.place(anchor).is_none() {
                continue;
            }
            self.values.clear();
            let mut before: Option<Entry> = None;
            for entry in of_anchor {
                transient |= entry.transient();
                if before.is_none_or(|before| !before.repeats(*entry)) {
                    self.values.push(entry.rssi());
                }
                before = Some(*entry);
            }
            first = first.min(of_anchor[0].ms());
            last = last.max(of_anchor[of_anchor.len() - 1].ms());
            self.readings.push(Reading { anchor, dbm: median(&mut self.values) });
        }
        let at = |ms| Timestamp(self.base * 1_000 + ms);
        (!self.readings.is_empty()).then(|| Heard { first: at(first), last: at(last), transient })
    }

    /// Looks at a subject whose timer has fired at the end of this second.
    fn look(&mut self, slot: u32, changes: &mut Changes) {
        let follow = self.subjects.get(slot);
        if follow.timer != self.base {
            return;
        }
        follow.timer = UNSET;
        let Some(run) = &mut follow.run else { return };
        let settings = &self.in_force.settings;
        let record =
            &mut Record { venue: self.venue, subject: follow.subject, changes, occupied: &mut self.occupied };
        if run.ends(&settings.visit).second() <= self.base {
            if let Some(run) = follow.run.take() {
                run.close(record);
            }
            self.subjects.release(slot, self.base + 1);
            return;
        }
        if run.present().is_some() && run.stay_ends(settings).second() <= self.base {
            run.fall_silent(record);
            follow.chooser.reset();
        }
        let end = run.next_end(settings).second();
        follow.timer = self.timers.set(self.base, end, slot);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::sync::Arc;

    use protocol::{DeviceId, Subject, VenueId, ZoneId, ZoneKind};
    use uuid::Uuid;

    use super::*;
    use crate::{Calendar, Layout, PackedSighting, Settings, Timeline};

    #[test]
    fn slots_and_timers_do_not_pile_up() {
        let (zone, device) = (ZoneId::from_uuid(Uuid::from_u128(1)), DeviceId::from_uuid(Uuid::from_u128(2)));
        let layout = Layout {
            calendar: Calendar::new("Europe/Berlin", 0).expect("a time zone"),
            settings: Settings::default(),
            zones: BTreeMap::from([(zone, ZoneKind::Interior)]),
            anchors: HashMap::from([(device, zone)]),
        };
        let timeline = Timeline::new(vec![(Timestamp(0), layout)]).expect("a timeline");
        let mut tracker = Tracker::new(VenueId::from_uuid(Uuid::from_u128(3)), Arc::new(timeline));
        let placed = tracker.anchor(device);
        let unplaced = tracker.anchor(DeviceId::from_uuid(Uuid::from_u128(4)));
        let mut changes = Changes::default();
        // One subject comes back every 40 s; others are heard once, half of them nowhere.
        for round in 0..200_u32 {
            let at = Timestamp(1_790_000_000_000 + i64::from(round) * 40_000);
            for (subject, anchor) in
                [(0, placed), (round + 1, if round % 2 == 0 { placed } else { unplaced })]
            {
                let subject = Subject(subject.into());
                tracker.push(&PackedSighting { at, subject, anchor, rssi: -60, transient: false });
            }
            tracker.advance(at.plus(1_000), &mut changes);
            // A stay that begins again leaves one stale timer behind, which fires within about a minute.
            let open = tracker.subjects.open().count();
            assert!(tracker.timers.count() <= open + 2, "{} timers for {open} runs", tracker.timers.count());
            // Those of the last 15 minutes, every other one of them.
            assert!(open <= 13 && tracker.subjects.used() == open, "{open} runs");
        }
        let day = tracker.timeline.day(tracker.watermark());
        let nobody = tracker.recompute(day, None, []);
        assert!(tracker.adopt(&nobody));
        assert_eq!(tracker.subjects.used(), 0);
    }
}
