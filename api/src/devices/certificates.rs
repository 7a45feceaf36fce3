//! The certificates that a device may sign in with.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::{DeviceId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::tell;
use crate::App;
use crate::caller::Caller;
use crate::fingerprint::Fingerprint;
use crate::instant::Instant;
use crate::paging::{self, Items};
use crate::path::Ids;
use crate::problem::Problem;
use crate::query::Query;
use crate::scopes;

/// A certificate of a device. The certificate itself is with the device.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Certificate {
    /// SHA-256 of its DER form, in hexadecimal.
    #[schema(value_type = String)]
    pub fingerprint: Fingerprint,
    /// Its serial number, in hexadecimal.
    pub serial: String,
    /// Whether it signs the device in now: `valid`, `early` (not yet), `expired` or `revoked`.
    #[schema(value_type = String, example = "valid")]
    pub state: CertificateState,
    /// From when it is valid.
    #[schema(value_type = String, format = DateTime)]
    pub not_before: Instant,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Instant,
    /// When it was signed.
    #[schema(value_type = String, format = DateTime)]
    pub issued_at: Instant,
    /// When it was revoked; null while it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Instant>,
    /// The certificate with which the device asked for this one; null where it did not. Revoking that one revokes this, too.
    #[schema(value_type = Option<String>)]
    pub renewed_with: Option<Fingerprint>,
    /// Requests to come in with its key, which were refused; null for none.
    pub replayed: Option<Replayed>,
}

/// Requests to come in with a key that a device signs in with.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Replayed {
    /// How many.
    pub count: u64,
    /// When the last one came.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Instant,
    /// From where.
    pub last_from: Option<String>,
}

/// Whether a certificate signs its device in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateState {
    /// It does.
    Valid,
    /// Not yet.
    Early,
    /// No longer.
    Expired,
    /// Never again.
    Revoked,
}

impl Certificate {
    /// As it stands at a time.
    pub(crate) fn at(now: Timestamp, certificate: store::Certificate) -> Certificate {
        let state = match certificate {
            store::Certificate { revoked_at: Some(_), .. } => CertificateState::Revoked,
            store::Certificate { not_after, .. } if now > not_after => CertificateState::Expired,
            store::Certificate { not_before, .. } if now < not_before => CertificateState::Early,
            _ => CertificateState::Valid,
        };
        Certificate {
            fingerprint: Fingerprint(certificate.fingerprint),
            serial: certificate.serial,
            state,
            not_before: certificate.not_before.into(),
            not_after: certificate.not_after.into(),
            issued_at: certificate.issued_at.into(),
            revoked_at: certificate.revoked_at.map(Instant),
            renewed_with: certificate.renewed_with.map(Fingerprint),
            replayed: certificate.replayed.map(|replayed| Replayed {
                count: replayed.count,
                last_at: replayed.last_at.into(),
                last_from: replayed.last_from,
            }),
        }
    }
}

/// Lists the certificates of a device in the order they were signed, those that expired or were revoked too.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device}/certificates",
    operation_id = "certificates",
    tag = "devices",
    summary = "List a device's certificates",
    security(("key" = ["devices:read"])),
    params(
        ("device" = String, Path, description = "The device's id"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of certificates", body = Items<Certificate>))
)]
pub(crate) async fn list(
    caller: Caller<scopes::DevicesRead>,
    State(app): State<Arc<App>>,
    Ids(device): Ids<DeviceId>,
    mut query: Query,
) -> Result<Json<Items<Certificate>>, Problem> {
    let cursor = paging::certificates_cursor(&mut query);
    let limit = paging::limit(&mut query) as usize;
    query.finish()?;
    app.store.device(caller.organization(), device).await?;
    // They are few: a device gets the next one before the last one runs out.
    let mut all = app.store.certificates(caller.organization(), device).await?;
    let seen =
        cursor.and_then(|cursor| all.iter().position(|certificate| certificate.fingerprint == cursor.0));
    let mut rest = all.split_off(seen.map_or(0, |index| index + 1));
    let more = rest.len() > limit;
    rest.truncate(limit);
    let next = rest.last().filter(|_| more).map(|certificate| Fingerprint(certificate.fingerprint));
    let now = app.clock.now();
    let items = rest.into_iter().map(|certificate| Certificate::at(now, certificate)).collect();
    Ok(Json(Items::of_certificates(items, next)))
}

/// Revokes a certificate, for good, and all that were renewed with it: they sign nobody in any more, and the connections that they
/// signed in end.
#[utoipa::path(
    delete,
    path = "/api/v1/devices/{device}/certificates/{fingerprint}",
    operation_id = "revoke",
    tag = "devices",
    summary = "Revoke a certificate",
    security(("key" = ["devices:write"])),
    params(
        ("device" = String, Path, description = "The device's id"),
        ("fingerprint" = String, Path, description = "SHA-256 of the certificate's DER form, in hexadecimal")
    ),
    responses((status = 204, description = "It is revoked"))
)]
pub(crate) async fn revoke(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    Ids((device, fingerprint)): Ids<(DeviceId, Fingerprint)>,
) -> Result<StatusCode, Problem> {
    let (organization, now) = (caller.organization(), app.clock.now());
    app.store.revoke_certificate(organization, device, &fingerprint.0, now).await?;
    tell(&app, device, [None, None]);
    Ok(StatusCode::NO_CONTENT)
}
