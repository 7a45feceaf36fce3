//! What a device looks like from outside.

use protocol::{DeviceId, DeviceKind, Identifier, OrganizationId, Profile, VenueId, ZoneId};
use serde::{Deserialize, Serialize};
use store::{Live, Secret};
use utoipa::ToSchema;

use crate::body::nullable;
use crate::devices::ephemeral::{Ephemeral, EphemeralToKeep};
use crate::instant::Instant;

/// Anything with an identity here.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Device {
    #[schema(value_type = String, format = "uuid")]
    id: DeviceId,
    #[schema(value_type = String, format = "uuid")]
    organization: OrganizationId,
    /// `beacon`, `gateway`, `kiosk`, `phone`, `tag` or `appliance`.
    #[schema(value_type = String, example = "gateway")]
    kind: DeviceKind,
    /// A name for people.
    name: String,
    /// What its radio calls itself; unique in the whole installation.
    #[schema(value_type = Option<String>, example = "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7")]
    identifier: Option<Identifier>,
    /// How its identifier changes, where it does and its key is known here; the key is never shown.
    ephemeral: Option<Ephemeral>,
    /// What it is to people and assistants, and what it can do: `docs/commands.md` has its shape. `reporter` in it is the format
    /// of a gateway or kiosk that does not report in batches of pings: `docs/reporters.md`. Null until somebody says.
    #[schema(value_type = Option<Object>, example = json!({"type": "light", "capabilities": {"on_off": {}, "brightness": {}}, "voice": true}))]
    profile: Option<Profile>,
    /// Where it stands; null for nowhere.
    #[schema(value_type = Option<String>, format = "uuid")]
    venue: Option<VenueId>,
    /// The zone it stands in.
    #[schema(value_type = Option<String>, format = "uuid")]
    zone: Option<ZoneId>,
    /// `[x, y, z]` in metres in the venue's own coordinates.
    position: Option<[f64; 3]>,
    /// From when its newest placement holds; null for the first, which holds for all earlier time too.
    #[schema(value_type = Option<String>, format = DateTime)]
    effective_from: Option<Instant>,
    /// Whether it is connected now.
    connected: bool,
    /// Since when it has been connected; null when it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    connected_since: Option<Instant>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Instant,
}

/// A new device, with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewlyMade {
    /// The password it signs in with. It is shown here once; a repeated answer has null.
    #[schema(value_type = Option<String>)]
    secret: String,
    #[serde(flatten)]
    device: Device,
}

/// A device to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceToCreate {
    /// `beacon`, `gateway`, `kiosk`, `phone`, `tag` or `appliance`.
    #[schema(value_type = String, example = "gateway")]
    pub(super) kind: DeviceKind,
    /// 1 to 200 characters.
    pub(super) name: String,
    /// Where it stands.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(super) venue: Option<VenueId>,
    /// The zone it stands in; brings its venue.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(super) zone: Option<ZoneId>,
    /// `[x, y]` or `[x, y, z]` in metres in the venue's own coordinates.
    pub(super) position: Option<Vec<f64>>,
    /// What its radio calls itself.
    #[schema(example = "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7")]
    pub(super) identifier: Option<String>,
    /// The key that its identifier changes with: Eddystone-EID.
    pub(super) ephemeral: Option<EphemeralToKeep>,
    /// What it is to people and assistants, what it can do, and the format it reports in.
    #[schema(value_type = Option<Object>, example = json!({"type": "light", "capabilities": {"on_off": {}, "brightness": {}}, "voice": true}))]
    pub(super) profile: Option<Profile>,
}

/// What to change of a device; what is left out stays as it is, null clears.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
pub(crate) struct DeviceChange {
    pub(super) name: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub(super) identifier: Option<Option<String>>,
    /// The whole of it; null takes it away.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<EphemeralToKeep>)]
    pub(super) ephemeral: Option<Option<EphemeralToKeep>>,
    /// The whole of it; null takes it away.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Object>)]
    pub(super) profile: Option<Option<Profile>>,
    /// Another venue takes zone and position away unless they are given too; null takes it out of every venue.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(super) venue: Option<Option<VenueId>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(super) zone: Option<Option<ZoneId>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Vec<f64>>)]
    pub(super) position: Option<Option<Vec<f64>>>,
    /// From when the new place holds; now unless given. A time in the past recalculates what it touches.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) effective_from: Option<Instant>,
}

impl NewlyMade {
    pub(super) fn new(secret: &Secret, device: Device) -> NewlyMade {
        NewlyMade { secret: secret.text(), device }
    }
}

/// A device as it is stored, and what is known of its connection.
pub(super) fn device(live: &Live, device: store::Device) -> Device {
    let connection = live.connection(device.id);
    let placement = device.placement.as_ref();
    Device {
        id: device.id,
        organization: device.organization,
        kind: device.kind,
        name: device.name,
        venue: placement.map(|placement| placement.venue),
        zone: placement.and_then(|placement| placement.zone),
        position: placement.and_then(|placement| placement.position),
        effective_from: placement.and_then(|placement| Instant::unless_ever(placement.effective_from)),
        identifier: device.identifier,
        ephemeral: device.ephemeral.map(Ephemeral::from),
        profile: device.profile,
        connected: connection.is_some(),
        connected_since: connection.map(Instant),
        created_at: device.created_at.into(),
        updated_at: device.updated_at.into(),
    }
}
