//! The next certificate of a device, asked for over the connection that the last one signed in.

use std::path::PathBuf;

use protocol::{DeviceId, OrganizationId, Renewal, RenewalRefusal, RenewalRequest, Timestamp};
use serde_json::json;
use store::{Change, Clock, Live, Store, StoreError};

use crate::audit::{self, What};
use crate::authority::{AuthorityError, DEVICE_DAYS, sign};
use crate::fingerprint::Fingerprint;

/// What it takes to renew certificates. Whoever hears devices asks here; this crate does not know who that is.
#[derive(Clone)]
pub struct Renewals {
    /// Where certificates are entered.
    pub store: Store,
    /// The way to tell the broker of a change.
    pub live: Live,
    /// Where the time comes from.
    pub clock: Clock,
    /// See [`App::authority`](crate::App::authority).
    pub authority: PathBuf,
}

impl Renewals {
    /// Signs the next certificate of a device that signed in with the one of the fingerprint `with`; that one stays valid.
    pub async fn renew(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        with: [u8; 32],
        request: RenewalRequest,
    ) -> Renewal {
        match self.signed(organization, device, with, request.csr).await {
            Ok(signed) => signed,
            Err(refused) => Renewal::Refused { refused },
        }
    }

    async fn signed(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        with: [u8; 32],
        csr: String,
    ) -> Result<Renewal, RenewalRefusal> {
        let now = self.clock.now();
        let signed = sign(self.authority.clone(), device, DEVICE_DAYS, Some(csr), now).await;
        let (issued, authority) =
            signed.map_err(|error| of_authority(&error))?.ok_or(RenewalRefusal::NoAuthority)?;
        let kept = self.store.issue_certificate(organization, device, &issued.kept(Some(with)), now).await;
        kept.map_err(|error| of_store(&error))?;
        self.note(organization, device, with, issued.fingerprint, now).await;
        Ok(Renewal::Signed { certificate: issued.certificate, authority, not_after: issued.not_after })
    }

    async fn note(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        with: [u8; 32],
        next: Fingerprint,
        now: Timestamp,
    ) {
        self.live.changed(Change::Device(device));
        let detail = json!({"device": device, "certificate": next, "renewed_with": Fingerprint(with)});
        audit::record_of(&self.store, organization, What::CertificateRenewed, detail, None, now).await;
    }
}

fn of_authority(error: &AuthorityError) -> RenewalRefusal {
    match error {
        AuthorityError::Request(_) => RenewalRefusal::BadRequest,
        AuthorityError::Ended(_) => RenewalRefusal::NoAuthority,
        error => {
            tracing::error!(%error, "a certificate cannot be signed");
            RenewalRefusal::Unavailable
        }
    }
}

fn of_store(error: &StoreError) -> RenewalRefusal {
    match error {
        // Another device's key.
        StoreError::Conflict("key") => RenewalRefusal::BadRequest,
        StoreError::Conflict("certificates") => RenewalRefusal::TooMany,
        // It was revoked while it asked.
        StoreError::NotFound => RenewalRefusal::NotCertified,
        error => {
            tracing::error!(%error, "a certificate cannot be entered");
            RenewalRefusal::Unavailable
        }
    }
}
