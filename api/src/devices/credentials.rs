//! What a device signs in with: a secret, or a certificate.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use protocol::{DeviceId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::tell;
use crate::App;
use crate::authority::{self, AuthorityError, DEFAULT_DAYS, Days, Issued, MAX_DAYS};
use crate::body::Optional;
use crate::caller::Caller;
use crate::fields::Mistakes;
use crate::fingerprint::Fingerprint;
use crate::instant::Instant;
use crate::path::Ids;
use crate::problem::{Kind, Mistake, Problem};
use crate::scopes;

/// Which credentials to make; nothing at all asks for a new secret.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CredentialsToMake {
    /// `secret`, which voids the secret before, unless given; `certificate` leaves the secret and other certificates as they
    /// are.
    #[schema(inline)]
    kind: Option<CredentialKind>,
    /// For a certificate: the request to sign, as PEM (PKCS #10). Its key is ECDSA on P-256 or P-384, Ed25519, or RSA of 2,048
    /// bits or more; its subject and its wishes are not looked at. Without one a key is made.
    csr: Option<String>,
    /// For a certificate: the days that it is valid, 1 to 3,650; 365 unless given.
    days: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CredentialKind {
    #[default]
    Secret,
    Certificate,
}

/// New credentials of a device.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum NewCredentials {
    Secret(Credentials),
    Certificate(SignedCertificate),
}

/// A new secret of a device.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Credentials {
    /// The device, which is its user name.
    #[schema(value_type = String, format = "uuid")]
    id: DeviceId,
    /// The password it signs in with. It is shown here once; a repeated answer has null.
    #[schema(value_type = Option<String>)]
    secret: String,
}

/// A new certificate of a device, which signs in with it and without a password.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignedCertificate {
    /// The certificate as PEM.
    certificate: String,
    /// The certificate of the authority that signed it, as PEM. It also tells whether a server's certificate is the
    /// authority's.
    authority: String,
    /// The private key as PEM (PKCS #8), unless a request was signed. It is shown here once; a repeated answer has null.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// SHA-256 of the certificate's DER form, in hexadecimal: what it is listed and revoked by.
    #[schema(value_type = String)]
    fingerprint: Fingerprint,
    /// Its serial number, in hexadecimal.
    serial: String,
    /// Until when it is valid.
    #[schema(value_type = String, format = DateTime)]
    not_after: Instant,
}

/// Gives a device a new secret, and the old one is void at once; or another certificate to sign in with.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device}/credentials",
    tag = "devices",
    summary = "Give a device a new secret, or a certificate",
    security(("key" = ["devices:write"])),
    params(("device" = String, Path, description = "The device's id")),
    request_body = Option<CredentialsToMake>,
    responses((status = 200, description = "The new secret or certificate", body = NewCredentials))
)]
pub(crate) async fn rotate(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    Ids(device): Ids<DeviceId>,
    Optional(body): Optional<CredentialsToMake>,
) -> Result<Json<NewCredentials>, Problem> {
    if app.store.device(caller.organization(), device).await?.owner.is_some() {
        let detail = "it is a person's phone, which signs in with access tokens of its person";
        return Err(Problem::new(Kind::Conflict, detail));
    }
    let made = match body.kind.unwrap_or_default() {
        CredentialKind::Secret => {
            body.has_nothing_of_certificates()?;
            let secret = app.store.rotate_secret(caller.organization(), device, app.clock.now()).await?;
            NewCredentials::Secret(Credentials { id: device, secret: secret.text() })
        }
        CredentialKind::Certificate => {
            NewCredentials::Certificate(sign(&app, caller.organization(), device, body).await?)
        }
    };
    tell(&app, device, [None, None]);
    Ok(Json(made))
}

impl CredentialsToMake {
    fn has_nothing_of_certificates(&self) -> Result<(), Problem> {
        let mut mistakes = Mistakes::default();
        for (pointer, given) in [("/csr", self.csr.is_some()), ("/days", self.days.is_some())] {
            if given {
                mistakes.push(pointer, "is for `\"kind\": \"certificate\"`");
            }
        }
        mistakes.finish()
    }
}

/// Signs a certificate and enters it in the registry: one that is not there signs nobody in.
async fn sign(
    app: &Arc<App>,
    organization: OrganizationId,
    device: DeviceId,
    body: CredentialsToMake,
) -> Result<SignedCertificate, Problem> {
    if body.days.is_some_and(|days| !(1..=MAX_DAYS).contains(&days)) {
        let detail = format!("must be a number from 1 to {MAX_DAYS}");
        return Err(Problem::invalid_body(vec![Mistake::at("/days", detail)]));
    }
    app.store.device(organization, device).await?;
    let days = body.days.map_or(Days::AtMost(DEFAULT_DAYS), Days::Exactly);
    let (issued, authority) = issue(app, device, days, body.csr).await?;
    app.store.issue_certificate(organization, device, &issued.kept(None), app.clock.now()).await?;
    let Issued { certificate, key, fingerprint, serial, not_after, .. } = issued;
    Ok(SignedCertificate { certificate, authority, key, fingerprint, serial, not_after: not_after.into() })
}

/// Signs a certificate, which nobody knows yet; gives the authority's beside it.
pub(crate) async fn issue(
    app: &App,
    device: DeviceId,
    days: Days,
    csr: Option<String>,
) -> Result<(Issued, String), Problem> {
    let signed = authority::sign(app.authority.clone(), device, days, csr, app.clock.now()).await?;
    signed.ok_or_else(no_authority)
}

/// There is nothing to sign with.
pub(crate) fn no_authority() -> Problem {
    let detail = "this server has no certificate authority; `promenade ca init` makes one";
    Problem::new(Kind::NoAuthority, detail)
}

impl From<AuthorityError> for Problem {
    fn from(error: AuthorityError) -> Problem {
        match error {
            AuthorityError::Request(detail) => Problem::invalid_body(vec![Mistake::at("/csr", detail)]),
            AuthorityError::Outlives(end) => {
                let detail = format!("must end before {}, as the authority does", Instant(end));
                Problem::invalid_body(vec![Mistake::at("/days", detail)])
            }
            AuthorityError::Ended(end) => {
                let detail = format!(
                    "the certificate authority ended on {}; remove its files and make another with `promenade ca init`",
                    Instant(end)
                );
                Problem::new(Kind::NoAuthority, detail)
            }
            other => Problem::internal(&other),
        }
    }
}
