//! What devices and servers agree on: ids, topics, ping batches, receipts, commands, twins, capabilities and beacon
//! frames.
//!
//! Nothing here does I/O or reads a clock. Every decoder takes bytes from strangers, so each of them returns an error
//! instead of panicking, bounds what it allocates and never recurses on its input.

pub mod batch;
pub mod beacon;
pub mod boot;
pub mod capability;
pub mod command;
mod hex;
pub mod id;
pub mod identifier;
pub mod kind;
pub mod movement;
pub mod occupancy;
pub mod profile;
pub mod reason;
pub mod receipt;
pub mod renewal;
pub mod reporter;
pub mod status;
pub mod subject;
pub mod telemetry;
mod text;
pub mod time;
pub mod topic;
pub mod twin;
mod words;

pub use batch::{Batch, BatchError, Decoded, MAX_BATCH_BYTES, MAX_PINGS, MAX_SEQ, Ping};
pub use boot::{Boot, BootError};
pub use capability::{Capabilities, Fault, Order};
pub use command::{
    Ack, AckStatus, Command, CommandReason, CommandStatus, ForwardedAck, MAX_ARGS_BYTES, MAX_COMMAND_NAME,
    ServiceOrder, SignedOrder,
};
pub use id::{
    AccountId, AuditId, BrowserSessionId, BulkCommandId, ClaimKeyId, ClientId, CommandId, DeviceId,
    EnrolmentId, GrantId, IdError, InvitationId, KeyId, OrganizationId, PasskeyId, RoleId, StayId, VenueId,
    VisitId, ZoneId,
};
pub use identifier::{Identifier, IdentifierError};
pub use kind::{DeviceKind, KindError, ZoneKind};
pub use movement::{Movement, MovementKind};
pub use occupancy::Occupancy;
pub use profile::{ApplianceType, Confirmation, Profile};
pub use reason::{Limit, Reason, ReasonError};
pub use receipt::{Receipt, Refused};
pub use renewal::{Renewal, RenewalRefusal, RenewalRequest};
pub use reporter::{Report, Reporter};
pub use status::Status;
pub use subject::{Subject, SubjectError};
pub use telemetry::{BeaconTelemetry, MAX_BEACONS, Telemetry};
pub use time::Timestamp;
pub use topic::{Topic, TopicError};
pub use twin::{Desired, MAX_TWIN_BYTES, MAX_TWIN_DEPTH, Reported};
pub use words::plain_words;
