//! Identifiers that change (Eddystone-EID): the key comes in and never goes out.

use protocol::OrganizationId;
use protocol::beacon::{IdentityKey, MAX_ROTATION_EXPONENT, Rotation};
use serde::{Deserialize, Serialize};
use store::NewEphemeral;
use utoipa::ToSchema;

use crate::App;
use crate::fields::Mistakes;
use crate::instant::Instant;
use crate::problem::Problem;

/// How the identifier of a device changes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ephemeral {
    /// It changes every 2^this seconds.
    #[schema(example = 10)]
    rotation_exponent: u8,
    /// When the key and the counter were given.
    #[schema(value_type = String, format = DateTime)]
    registered_at: Instant,
}

/// What the changing identifier of a device is computed from (Eddystone-EID).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EphemeralToKeep {
    /// The identity key: 32 hexadecimal digits. It is kept sealed and never shown.
    #[schema(example = "0102030405060708090a111213141516", pattern = "^[0-9A-Fa-f]{32}$")]
    identity_key: String,
    /// The identifier changes every 2^this seconds: 0 to 15.
    #[schema(example = 10, maximum = 15)]
    rotation_exponent: u8,
    /// The time counter of the device, in seconds, as it stands at the time of this request.
    #[schema(value_type = u64, maximum = 4_294_967_295_u32)]
    counter: u32,
}

impl From<Rotation> for Ephemeral {
    fn from(rotation: Rotation) -> Ephemeral {
        Ephemeral { rotation_exponent: rotation.exponent(), registered_at: rotation.at().into() }
    }
}

/// What was given, sealed; none where nothing was, or it is wrong.
pub(super) fn check(
    mistakes: &mut Mistakes,
    app: &App,
    organization: OrganizationId,
    given: Option<EphemeralToKeep>,
) -> Result<Option<NewEphemeral>, Problem> {
    let Some(EphemeralToKeep { identity_key, rotation_exponent, counter }) = given else { return Ok(None) };
    let key = identity_key.parse::<IdentityKey>().map_err(|error| format!("must be {error}"));
    let key = mistakes.check("/ephemeral/identity_key", key);
    if rotation_exponent > MAX_ROTATION_EXPONENT {
        mistakes.push(
            "/ephemeral/rotation_exponent",
            format!("must be a number from 0 to {MAX_ROTATION_EXPONENT}"),
        );
    }
    let Some(key) = key else { return Ok(None) };
    let sealed = app.identity.seal_beacon_key(organization, &key)?;
    let (sealed, fingerprint) = (sealed.sealed, sealed.fingerprint);
    Ok(Some(NewEphemeral { sealed, fingerprint, rotation_exponent, counter }))
}
