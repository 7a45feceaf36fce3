//! What a request to come in looks like from outside.

use protocol::{ClaimKeyId, DeviceId, DeviceKind, EnrolmentId, VenueId, ZoneId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::instant::Instant;

/// A device that asks to come in. What it says of itself nobody has checked: compare the code, or the serial number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Enrolment {
    #[schema(value_type = String, format = "uuid")]
    id: EnrolmentId,
    /// `pending` waits for somebody; `approved` waits for the device to fetch its credentials; `denied` was refused.
    #[schema(example = "pending")]
    status: &'static str,
    /// What it says that it is.
    #[schema(value_type = String, example = "gateway")]
    kind: DeviceKind,
    /// Its serial number.
    serial: Option<String>,
    /// What it is sold as.
    model: Option<String>,
    /// What it will get: `secret`, or `certificate` where it sent a request to sign.
    #[schema(example = "secret")]
    credential: &'static str,
    /// The claim key that it came with.
    #[schema(value_type = Option<String>, format = "uuid")]
    claim_key: Option<ClaimKeyId>,
    /// Where it asked from.
    address: Option<String>,
    /// What it became; null while nobody has approved.
    #[schema(value_type = Option<String>, format = "uuid")]
    device: Option<DeviceId>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    /// From when on it is over.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Instant,
}

/// What a device is let in as.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnrolmentApproval {
    /// 1 to 200 characters. May be left out where the device told its serial number, and where it replaces another.
    pub(super) name: Option<String>,
    /// Where it stands; the venue of its claim key unless given.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(super) venue: Option<VenueId>,
    /// The zone it stands in; brings its venue.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(super) zone: Option<ZoneId>,
    /// `[x, y]` or `[x, y, z]` in metres in the venue's own coordinates.
    pub(super) position: Option<Vec<f64>>,
    /// The device whose hardware it is from now on: it gets its id, its place, its history and its twin, and the secret and
    /// certificates of the hardware before are void at once.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub(super) replaces: Option<DeviceId>,
}

/// A request to come in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnrolmentToBegin {
    /// `beacon`, `gateway`, `kiosk`, `phone`, `tag` or `appliance`.
    #[schema(value_type = String, example = "gateway")]
    pub(super) kind: DeviceKind,
    /// Its serial number: 1 to 100 characters.
    pub(super) serial: Option<String>,
    /// What it is sold as: 1 to 100 characters.
    pub(super) model: Option<String>,
    /// A certificate signing request as PEM (PKCS #10), as for `POST /devices/{device}/credentials`: the device gets a certificate
    /// for its key, and no secret.
    pub(super) csr: Option<String>,
    /// The key in the image of a fleet.
    #[schema(example = "ck_…")]
    pub(super) claim_key: Option<String>,
}

/// How a device waits until it may come in, in the words of RFC 8628 section 3.2.
#[derive(Serialize, ToSchema)]
pub(crate) struct EnrolmentCodes {
    /// What it polls with. It is shown here once, and nobody else gets to see it.
    pub(super) device_code: String,
    /// What it shows: 8 letters that are hard to confuse.
    #[schema(example = "BCDF-GHJK")]
    pub(super) user_code: String,
    /// A page that says what to do with the code.
    #[schema(example = "https://id.example.org/enrol")]
    pub(super) verification_uri: String,
    /// The same with the code, for a QR code.
    #[schema(example = "https://id.example.org/enrol?user_code=BCDF-GHJK")]
    pub(super) verification_uri_complete: String,
    /// Seconds until it is over.
    pub(super) expires_in: i64,
    /// Seconds between two polls.
    pub(super) interval: u32,
}

/// What a device polls with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnrolmentToPoll {
    /// From the answer to its request.
    pub(super) device_code: String,
}

/// What a device signs in with from now on. It is shown once.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum EnrolledCredentials {
    /// For a device that sent no request to sign.
    Secret {
        /// The device, which is its user name.
        #[schema(value_type = String, format = "uuid")]
        device: DeviceId,
        /// Its password.
        secret: String,
    },
    /// For a device that sent one.
    Certificate {
        /// The device.
        #[schema(value_type = String, format = "uuid")]
        device: DeviceId,
        /// Its certificate as PEM.
        certificate: String,
        /// The certificate of the authority that signed it, as PEM.
        authority: String,
        /// Until when it is valid.
        #[schema(value_type = String, format = DateTime)]
        not_after: Instant,
    },
}

impl From<store::Enrolment> for Enrolment {
    fn from(enrolment: store::Enrolment) -> Enrolment {
        Enrolment {
            id: enrolment.id,
            status: enrolment.status.as_str(),
            kind: enrolment.kind,
            serial: enrolment.serial,
            model: enrolment.model,
            credential: if enrolment.wants_certificate { "certificate" } else { "secret" },
            claim_key: enrolment.claim_key,
            address: enrolment.address,
            device: enrolment.device,
            created_at: enrolment.created_at.into(),
            expires_at: enrolment.expires_at.into(),
        }
    }
}
