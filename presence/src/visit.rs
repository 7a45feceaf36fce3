//! Runs of sightings: when one begins, goes on and ends, and what it is so far.
//!
//! Knows nothing of anchors and levels: per second a zone and two times go in, rows and movements come out.

use std::collections::BTreeMap;

use protocol::{Movement, MovementKind, Subject, Timestamp, VenueId, ZoneId, ZoneKind};

use crate::{Changes, Day, Settings, Stay, Visit, VisitClass, VisitSettings, row_id};

/// A row that goes on is shown again when it is this much longer than when it was last shown, in milliseconds; so a
/// checkpoint writes few rows.
const REFRESH_MS: i64 = 60_000;

/// An open run of sightings of one subject.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// The first time that cannot belong to it any more: the end of its day or its greatest age.
    pub(crate) until: Timestamp,
    /// The start of its day.
    pub(crate) day: Timestamp,
    pub(crate) touched: Touched,
    pub(crate) transient: bool,
    /// Whether nothing is told of it, as it was transient from its first second on.
    pub(crate) quiet: bool,
    pub(crate) class: VisitClass,
    /// Whether its beginning as a visit was told, so that its end is told too.
    pub(crate) announced: bool,
    /// `to` and class when its row was last shown; none before that.
    pub(crate) shown: Option<(Timestamp, VisitClass)>,
    pub(crate) stay: Option<OpenStay>,
}

/// The last stay of an open run; it reaches to the last sighting of the run, and goes on until the subject is seen elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OpenStay {
    pub(crate) zone: ZoneId,
    pub(crate) from: Timestamp,
    /// Whether nothing was heard for so long that the subject counts as gone until it is heard again.
    pub(crate) silent: bool,
    /// `to` when its row was last shown as open; none before that.
    pub(crate) shown: Option<Timestamp>,
}

/// The kinds of zones that a run has had a stay in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched(pub(crate) u8);

/// What a subject did in one second, or in the part of it that belongs to one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) transient: bool,
}

/// Where rows, movements and occupancy of one subject go.
pub(crate) struct Record<'a> {
    pub(crate) venue: VenueId,
    pub(crate) subject: Subject,
    pub(crate) changes: &'a mut Changes,
    pub(crate) occupied: &'a mut BTreeMap<ZoneId, u32>,
}

impl Run {
    /// A run that begins at `at`, in `day`.
    pub(crate) fn begin(at: Timestamp, day: Day, settings: &VisitSettings) -> Self {
        Self {
            from: at,
            to: at,
            until: day.to.min(at.plus(settings.longest_ms)),
            day: day.from,
            touched: Touched::default(),
            transient: false,
            quiet: false,
            class: VisitClass::PasserBy,
            announced: false,
            shown: None,
            stay: None,
        }
    }

    /// The last millisecond at which a sighting still belongs to this run.
    pub(crate) fn ends(&self, settings: &VisitSettings) -> Timestamp {
        self.to.plus(settings.gap_ms).min(self.until.minus(1))
    }

    /// The last millisecond at which a sighting still belongs to the open stay, or else to the run.
    pub(crate) fn next_end(&self, settings: &Settings) -> Timestamp {
        let ends = self.ends(&settings.visit);
        if self.present().is_some() { ends.min(self.stay_ends(settings)) } else { ends }
    }

    /// The zone that the subject counts as being in.
    pub(crate) fn present(&self) -> Option<ZoneId> {
        self.stay.as_ref().filter(|stay| !stay.silent).map(|stay| stay.zone)
    }

    /// The last millisecond at which a sighting still belongs to the open stay, as far as silence goes.
    pub(crate) fn stay_ends(&self, settings: &Settings) -> Timestamp {
        self.to.plus(settings.zone.exit_after_ms)
    }

    /// The subject was heard, and is in `zone`, which is of `kind` now.
    pub(crate) fn see(
        &mut self,
        heard: Heard,
        zone: ZoneId,
        kind: ZoneKind,
        settings: &VisitSettings,
        record: &mut Record<'_>,
    ) {
        self.transient |= heard.transient;
        if self.shown.is_none() {
            self.quiet = self.transient;
        }
        if self.stay.as_ref().is_none_or(|stay| stay.zone != zone) {
            self.leave(heard.first, record);
            self.stay = Some(OpenStay { zone, from: heard.first, silent: true, shown: None });
        }
        if let Some(stay) = self.stay.as_mut().filter(|stay| stay.silent) {
            stay.silent = false;
            *record.occupied.entry(zone).or_default() += 1;
        }
        self.to = heard.last;
        self.touched.add(kind);
        self.class = self.class_by(settings);
        if self.shown.is_none_or(|(to, class)| class != self.class || self.to.since(to) >= REFRESH_MS) {
            self.show(true, record);
        }
        let shown = self.stay.as_ref().and_then(|stay| stay.shown);
        if shown.is_none_or(|to| self.to.since(to) >= REFRESH_MS) {
            self.show_stay(true, record);
        }
        if shown.is_none() {
            self.tell(MovementKind::Entered, heard.first, record);
        }
        if self.class == VisitClass::Visit && !self.announced {
            self.announced = true;
            self.tell(MovementKind::VisitStarted, self.to, record);
        }
    }

    /// The subject was not heard for so long that it counts as gone from the zone of its stay, if it has one. Heard there
    /// again in the same run, it never left.
    pub(crate) fn fall_silent(&mut self, record: &mut Record<'_>) {
        let Some(zone) = self.present() else { return };
        if let Some(count) = record.occupied.get_mut(&zone) {
            *count -= 1;
            if *count == 0 {
                record.occupied.remove(&zone);
            }
        }
        self.show_stay(false, record);
        self.tell(MovementKind::Left, self.to, record);
        if let Some(stay) = &mut self.stay {
            (stay.silent, stay.shown) = (true, None);
        }
    }

    /// The stay, if there is one, ends as the subject is seen elsewhere at `until`: so long it was where it was seen last.
    fn leave(&mut self, until: Timestamp, record: &mut Record<'_>) {
        self.fall_silent(record);
        let Some(stay) = self.stay.take() else { return };
        record.changes.stays.push(Stay { to: until, open: false, ..self.row(&stay, record) });
    }

    /// The run is over.
    pub(crate) fn close(mut self, record: &mut Record<'_>) {
        self.fall_silent(record);
        self.show(false, record);
        if self.announced {
            self.tell(MovementKind::VisitEnded, self.to, record);
        }
    }

    /// Shows the rows of this open run as they are now.
    pub(crate) fn show_open(&mut self, record: &mut Record<'_>) {
        self.show(true, record);
        if self.present().is_some() {
            self.show_stay(true, record);
        }
    }

    fn class_by(&self, settings: &VisitSettings) -> VisitClass {
        if self.transient {
            VisitClass::Transient
        } else if self.touched.has(ZoneKind::Interior) {
            let long = self.to.since(self.from) >= settings.shortest_ms;
            if long { VisitClass::Visit } else { VisitClass::Bounce }
        } else if self.touched.has(ZoneKind::Entrance) || self.touched.has(ZoneKind::Outside) {
            VisitClass::PasserBy
        } else {
            VisitClass::Staff
        }
    }

    fn show(&mut self, open: bool, record: &mut Record<'_>) {
        let Self { from, to, class, day, .. } = *self;
        let id = row_id::visit(record.venue, record.subject, from);
        record.changes.visits.push(Visit { id, subject: record.subject, from, to, class, open, day });
        self.shown = Some((to, class));
    }

    fn show_stay(&mut self, open: bool, record: &mut Record<'_>) {
        let Some(stay) = &mut self.stay else { return };
        stay.shown = Some(self.to);
        if let Some(stay) = &self.stay {
            record.changes.stays.push(Stay { open, ..self.row(stay, record) });
        }
    }

    /// The row of a stay, as long as it lasts.
    fn row(&self, stay: &OpenStay, record: &Record<'_>) -> Stay {
        Stay {
            id: row_id::stay(record.venue, record.subject, stay.from),
            visit: row_id::visit(record.venue, record.subject, self.from),
            subject: record.subject,
            zone: stay.zone,
            from: stay.from,
            to: self.to,
            open: true,
        }
    }

    fn tell(&self, kind: MovementKind, at: Timestamp, record: &mut Record<'_>) {
        if self.quiet {
            return;
        }
        let of_stay = matches!(kind, MovementKind::Entered | MovementKind::Left);
        let stay = self.stay.as_ref().filter(|_| of_stay);
        record.changes.movements.push(Movement {
            kind,
            at,
            venue: record.venue,
            zone: stay.map(|stay| stay.zone),
            subject: record.subject,
            visit: row_id::visit(record.venue, record.subject, self.from),
            stay: stay.map(|stay| row_id::stay(record.venue, record.subject, stay.from)),
        });
    }
}

impl Touched {
    fn add(&mut self, kind: ZoneKind) {
        self.0 |= Self::bit(kind);
    }

    fn has(self, kind: ZoneKind) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    fn bit(kind: ZoneKind) -> u8 {
        match kind {
            ZoneKind::Entrance => 1,
            ZoneKind::Interior => 2,
            ZoneKind::Outside => 4,
            ZoneKind::Staff => 8,
        }
    }
}
