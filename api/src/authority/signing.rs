//! Signing for a device, away from the threads of requests.

use std::path::PathBuf;

use protocol::{DeviceId, Timestamp};

use super::{Authority, AuthorityError, Days, Issued, Result, SigningRequest};

/// How long a certificate is valid that a device asked for by itself: when it comes in, and when it renews it.
pub(crate) const DEVICE_DAYS: Days = Days::AtMost(30);

/// Signs a certificate with the authority of a folder, which nobody knows yet; gives the authority's beside it. None when there is
/// no authority.
pub(crate) async fn sign(
    folder: PathBuf,
    device: DeviceId,
    days: Days,
    csr: Option<String>,
    now: Timestamp,
) -> Result<Option<(Issued, String)>> {
    away(move || {
        let request = csr.as_deref().map(SigningRequest::parse).transpose()?;
        let Some(authority) = Authority::open(&folder)? else { return Ok(None) };
        let issued = authority.issue(device, days, request.as_ref(), now)?;
        Ok(Some((issued, authority.certificate().to_owned())))
    })
    .await
}

/// The key of a request that the authority of a folder could sign, as SHA-256 of its `SubjectPublicKeyInfo`. None when there is no
/// authority.
pub(crate) async fn check(folder: PathBuf, csr: String, now: Timestamp) -> Result<Option<[u8; 32]>> {
    away(move || {
        let request = SigningRequest::parse(&csr)?;
        let Some(authority) = Authority::open(&folder)? else { return Ok(None) };
        authority.check_valid(now)?;
        Ok(Some(request.key_hash()))
    })
    .await
}

/// Files and signatures take longer than a task may keep its thread.
async fn away<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| AuthorityError::Failed(error.to_string()))?
}
