//! Pings in, stays and visits out: a pure function of what was heard and of the configuration in force.
//!
//! The crate reads no clock and does no I/O. A [`Tracker`] follows one venue in *event time*: sightings may arrive in
//! any order, in any chunks and more than once; they wait in a buffer of whole seconds until the watermark has passed
//! their second and are then processed second by second. What comes later than the watermark only marks its day and
//! subject, and [`Tracker::recompute`] makes that day anew from all its sightings.
//!
//! One second of one subject goes through three parts, each behind a narrow border so that it can be replaced:
//! `signal` (how strongly is each anchor heard), `zone` (which zone is that) and `visit` (which run of sightings does
//! it belong to, and what is that run so far).

mod calendar;
mod changes;
mod layout;
mod metrics;
mod occupancy;
mod row_id;
mod settings;
mod sighting;
mod signal;
mod snapshot;
mod timeline;
mod tracker;
mod visit;
mod zone;

pub use calendar::{Bucket, Calendar, CalendarError, Day};
pub use changes::{Changes, Stay, Visit, VisitClass};
pub use layout::Layout;
pub use metrics::{DWELL_BOUNDS_MS, Dwell, Observed, ObservedRun, ObservedStay, Paths, Tally, Uniques};
pub use occupancy::Occupancy;
pub use settings::{Settings, SettingsError, SignalSettings, VisitSettings, ZoneSettings};
pub use sighting::{AnchorKey, PackedSighting, Sighting};
pub use snapshot::SnapshotError;
pub use timeline::{Timeline, TimelineError};
pub use tracker::{Pushed, Recomputation, Recomputed, Tracker, Window};
