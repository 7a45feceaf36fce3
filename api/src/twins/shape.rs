//! What a twin looks like from outside.

use protocol::DeviceId;
use protocol::twin::delta;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::Side;
use utoipa::ToSchema;

use crate::instant::Instant;

/// What a device should be and says it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Twin {
    #[schema(value_type = String, format = "uuid")]
    device: DeviceId,
    /// What it should be.
    desired: TwinSide,
    /// What it says it is.
    reported: TwinSide,
    /// What of the desired state is not so in the reported one, as a merge patch of it; empty when all is.
    #[schema(value_type = Object)]
    delta: Map<String, Value>,
}

/// One side of a twin.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TwinSide {
    /// Grows with every change; 0 before the first.
    version: u64,
    /// The whole of it.
    #[schema(value_type = Object, example = json!({"on_off": {"on": true}}))]
    state: Map<String, Value>,
    /// When it changed last; null before the first change.
    #[schema(value_type = Option<String>, format = DateTime)]
    changed_at: Option<Instant>,
}

/// What a device should be from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TwinToDesire {
    /// A merge patch of the desired state.
    #[schema(value_type = Object, example = json!({"brightness": {"percent": 40}}))]
    pub(super) desired: Map<String, Value>,
}

/// Changes of one side of a twin.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TwinChanges {
    /// The changes, newest first.
    pub(super) items: Vec<TwinChange>,
    /// Pass it as `before` for older ones; null when there are none.
    pub(super) next_before: Option<u64>,
}

/// A change of one side of a twin.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TwinChange {
    /// `desired` or `reported`.
    #[schema(value_type = String, example = "desired")]
    side: &'static str,
    /// The version that it made.
    pub(super) version: u64,
    /// The merge patch (RFC 7396).
    #[schema(value_type = Object)]
    patch: Map<String, Value>,
    /// Who made it: `device`, or `key:`, `account:` or `client:` and an id.
    #[schema(example = "device")]
    author: String,
    #[schema(value_type = String, format = DateTime)]
    at: Instant,
}

impl Twin {
    pub(super) fn desired_version(&self) -> u64 {
        self.desired.version
    }
}

impl From<store::Twin> for Twin {
    fn from(twin: store::Twin) -> Twin {
        let delta = delta(&twin.reported.state, &twin.desired.state);
        Twin { device: twin.device, desired: twin.desired.into(), reported: twin.reported.into(), delta }
    }
}

impl From<store::TwinSide> for TwinSide {
    fn from(side: store::TwinSide) -> TwinSide {
        TwinSide { version: side.version, state: side.state, changed_at: side.changed_at.map(Instant) }
    }
}

impl From<store::TwinChange> for TwinChange {
    fn from(change: store::TwinChange) -> TwinChange {
        let store::TwinChange { side, version, patch, author, at } = change;
        TwinChange { side: Side::as_str(side), version, patch, author: author.to_string(), at: at.into() }
    }
}
