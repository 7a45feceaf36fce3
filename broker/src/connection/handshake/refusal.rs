//! Why a client is not let in, and how it is told.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::access::{Access, Route};
use crate::codec::{self, Connect, DecodeError, Detail, Version, reason};
use crate::connection::wire::Wire;
use crate::registry::Registry;
use crate::reporters;
use crate::sign_in::Refusal;

/// The longest client id taken; the standard asks for 23 bytes at least and leaves the rest to the server.
const MAX_CLIENT_ID: usize = 256;
/// How long a refused peer may take to read why.
const PATIENCE: Duration = Duration::from_secs(5);

/// The version 5 code, the 3.1.1 code (0: just close) and the cause counted.
pub(in crate::connection) struct Refused {
    pub(super) v5: u8,
    pub(super) v4: u8,
    pub(super) cause: &'static str,
}

impl Refused {
    pub(super) fn new(v5: u8, v4: u8, cause: &'static str) -> Self {
        Self { v5, v4, cause }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::BadCredentials => Self::new(reason::BAD_CREDENTIALS, 4, "bad_credentials"),
            Refusal::CertificateRevoked => Self::new(reason::NOT_AUTHORIZED, 5, "certificate_revoked"),
            Refusal::NotAuthorized => Self::new(reason::NOT_AUTHORIZED, 5, "sign_in_missing"),
            Refusal::Unavailable => Self::new(reason::SERVER_UNAVAILABLE, 3, "store_unavailable"),
        }
    }
}

pub(super) fn check_client_id(connect: &Connect<'_>, version: Version) -> Result<(), Refused> {
    let id = connect.client_id;
    let refused = |cause| Err(Refused::new(reason::CLIENT_IDENTIFIER_NOT_VALID, 2, cause));
    if id.len() > MAX_CLIENT_ID {
        return refused("client_id_too_long");
    }
    // An empty client id in 3.1.1 is for clean sessions alone (MQTT-3.1.3-8).
    if version == Version::V4 && id.is_empty() && !connect.clean {
        return refused("client_id_missing");
    }
    Ok(())
}

/// Whether the will is to be published one day: what a scanner says beside what it hears goes nowhere.
pub(super) fn check_will(
    will: &codec::Will<'_>,
    access: &Access,
    registry: &Registry,
) -> Result<bool, Refused> {
    let is_kept = match access.publish(will.topic).or_else(|| reporters::route(registry, access, will.topic))
    {
        Some(Route::Free) => true,
        Some(Route::Sightings | Route::Aside) => false,
        _ => return Err(Refused::new(reason::NOT_AUTHORIZED, 5, "will_not_authorized")),
    };
    if will.properties.claims_text() && std::str::from_utf8(will.payload).is_err() {
        return Err(Refused::new(reason::PAYLOAD_FORMAT_INVALID, 0, DecodeError::PayloadFormat.cause()));
    }
    Ok(is_kept)
}

/// Tells the code; beside it the limit that was hit, as far as the client takes packets of that size.
pub(super) async fn refuse<S>(wire: &mut Wire<S>, version: Version, code: u8, limit: Option<(&str, usize)>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limit = limit.filter(|_| code == reason::QUOTA_EXCEEDED || code == reason::CONNECTION_RATE_EXCEEDED);
    let (detail, maximum) = limit.map_or((None, 0), |(limit, maximum)| (Some(Detail::over(limit)), maximum));
    codec::with_detail(&mut wire.output, maximum, detail, |out, detail| {
        codec::connack(out, version, false, code, None, detail);
    });
    wire.finish(PATIENCE).await;
}
