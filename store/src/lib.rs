//! Rows, live state and the ingest log: the only crate that knows SQL.
//!
//! [`Store`] is what must survive, on `SQLite` or `PostgreSQL`; [`Orders`] writes what of it comes in great numbers, commands and
//! twins, in groups; [`Live`] is what may be lost at any moment. Everything in
//! between (who may do what, what a ping means) belongs to the crates that call this one.

#[macro_use]
mod engine;
#[macro_use]
mod word;

mod account;
mod admission;
mod analytics;
mod assistant_link;
mod audit;
mod beacon_watch;
mod browser_session;
mod certificate;
mod claim;
mod claim_key;
mod client;
mod clock;
mod code;
mod columns;
mod command;
mod consent;
mod derived;
mod device;
mod device_grant;
mod device_pin;
mod document;
mod enrolment;
mod erasure;
mod error;
mod expired;
mod facts;
mod grant;
mod history;
mod home_assistant;
mod idempotency;
mod ingest;
mod invitation;
mod key;
mod live;
mod loss;
mod membership;
mod orders;
mod organization;
mod page;
mod phone;
mod placement;
mod polling;
mod pseudonym;
mod pseudonym_key;
mod random;
mod refresh;
mod refresh_standing;
mod registry;
mod role;
mod rollup;
mod scope;
mod secret;
pub mod segment;
mod sequence;
mod session;
mod signing_key;
mod subject_visit;
mod text;
mod timeline;
mod twin;
mod typed;
mod upstream;
mod venue;
mod zone;

pub use account::{Account, Link, LinkPurpose, NewAccount, NewPasskey, Passkey, Totp};
pub use admission::{Admission, AdmissionError};
pub use analytics::{AnalyticsState, Seen, StayRow, VisitRow};
pub use assistant_link::{Assistant, AssistantLink, LinkState};
pub use audit::{AuditEntry, NewAuditEntry};
pub use browser_session::{BrowserSession, NewBrowserSession};
pub use certificate::{Certificate, MAX_CERTIFICATES, NewCertificate, Replayed};
pub use claim::{Claim, Tenure};
pub use claim_key::{
    ClaimApproval, ClaimKey, ClaimKeyPatch, ClaimRefusal, LastRefusal, MAX_QUOTA, NewClaimKey,
};
pub use client::{Client, ClientKind, ClientSettings, GrantType, Party};
pub use clock::Clock;
pub use code::{Code, CodeExchange};
pub use command::{
    Author, BULK_REFUSALS, BulkCommand, BulkRefusal, Command, CommandFilter, NewBulkCommand, NewCommand,
};
pub use consent::{Consent, PRESENCE};
pub use derived::{Checkpoint, SavedTracker};
pub use device::{
    Device, DeviceFilter, DevicePatch, ImportFault, ImportField, Imported, MAX_IMPORT, NewDevice,
    NewEphemeral, Owner, SealedKey,
};
pub use device_grant::{DeviceCodes, DevicePoll, DeviceRequest};
pub use device_pin::{PIN_LOCKED_MS, PIN_TRIES, PinTry};
pub use engine::{Postgres, Sqlite, Store};
pub use enrolment::{
    Approval, Collectable, Enrolment, EnrolmentCodes, EnrolmentName, EnrolmentPoll, EnrolmentStatus,
    MAX_STRANGERS, NewEnrolment,
};
pub use erasure::Unlinked;
pub use error::{Result, StoreError};
pub use grant::{Grant, GrantStanding, NewGrant, RevokedWhy};
pub use home_assistant::HomeAssistant;
pub use idempotency::{Begin, IDEMPOTENCY_KEPT_MS};
pub use ingest::{Append, BootMarks, BootRow, HashChunk, NewSegment, Numbers, StoredSegment};
pub use invitation::{Invitation, NewInvitation};
pub use key::ApiKey;
pub use live::{Change, Following, Listener, Live, Memory, TwinNotice};
pub use loss::Loss;
pub use membership::{Member, Membership};
pub use orders::{
    ANSWER_GRACE_MS, Answered, Claimed, CommandClaim, Giving, Handled, Heard, Hearing, MAX_OPEN,
    MAX_UNDER_WAY, Noting, Orders, Said,
};
pub use organization::Organization;
pub use page::{Listed, Page};
pub use phone::{MAX_PHONES, PHONES_AT_ONCE};
pub use placement::Placement;
pub use pseudonym::{KeyEpoch, Pseudonyms};
pub use pseudonym_key::{PseudonymEpoch, StoredKey};
pub use refresh::Refresh;
pub use registry::{Admits, Registered};
pub use role::{BuiltInRole, CustomRole, Role};
pub use rollup::Question;
pub use scope::{Scope, ScopeError, ScopeSet};
pub use secret::Secret;
pub use sequence::SequenceSet;
pub use session::{
    Holder, SavedEntry, SavedMessage, SavedRetained, SavedSession, SavedState, SavedSubscription, SavedWill,
    SessionChanges,
};
pub use signing_key::{Algorithm, NewSigningKey, SigningKey};
pub use subject_visit::SubjectVisit;
pub use timeline::Configuration;
pub use twin::{Side, Twin, TwinChange, TwinSide};
pub use typed::TypedCode;
pub use upstream::{Identity, NewIdentity, UpstreamFlow};
pub use venue::{NewVenue, Venue, VenuePatch};
pub use word::WordError;
pub use zone::{NewZone, Zone, ZonePatch};
