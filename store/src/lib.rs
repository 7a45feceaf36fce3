//! Rows, live state and the ingest log: the only crate that knows SQL.
//!
//! [`Store`] is what must survive, on `SQLite` or `PostgreSQL`; [`Live`] is what may be lost at any moment. Everything in
//! between (who may do what, what a ping means) belongs to the crates that call this one.

#[macro_use]
mod engine;

mod admission;
mod analytics;
mod certificate;
mod claim;
mod clock;
mod columns;
mod derived;
mod device;
mod error;
mod facts;
mod history;
mod idempotency;
mod ingest;
mod key;
mod live;
mod loss;
mod organization;
mod page;
mod placement;
mod random;
mod registry;
mod scope;
mod secret;
pub mod segment;
mod sequence;
mod session;
mod timeline;
mod venue;
mod zone;

pub use admission::{Admission, AdmissionError};
pub use analytics::{AnalyticsState, StayRow, VisitRow};
pub use certificate::{Certificate, MAX_CERTIFICATES, NewCertificate};
pub use claim::{Claim, Tenure};
pub use clock::Clock;
pub use derived::{Checkpoint, SavedTracker};
pub use device::{Device, DeviceFilter, DevicePatch, NewDevice};
pub use engine::{Postgres, Sqlite, Store};
pub use error::{Result, StoreError};
pub use idempotency::Begin;
pub use ingest::{Append, BootMarks, BootRow, HashChunk, NewSegment, Numbers, StoredSegment};
pub use key::ApiKey;
pub use live::{Change, Listener, Live, Memory};
pub use loss::Loss;
pub use organization::{KeyEpoch, Organization};
pub use page::{Listed, Page};
pub use placement::Placement;
pub use registry::{Admits, Registered};
pub use scope::{Scope, ScopeError, ScopeSet};
pub use secret::Secret;
pub use sequence::SequenceSet;
pub use session::{
    Holder, SavedEntry, SavedMessage, SavedRetained, SavedSession, SavedState, SavedSubscription, SavedWill,
    SessionChanges,
};
pub use timeline::Configuration;
pub use venue::{NewVenue, Venue, VenuePatch};
pub use zone::{NewZone, Zone, ZonePatch};
