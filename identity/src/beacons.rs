//! The keys that the identifiers of beacons change with: sealed, as all that has to be read back and is worth stealing.

use protocol::OrganizationId;
use protocol::beacon::IdentityKey;

use crate::Identity;
use crate::error::IdentityError;
use crate::seal::Use;

/// An identity key as it is stored.
pub struct SealedBeaconKey {
    /// Opens with [`Identity::open_beacon_key`] alone.
    pub sealed: Vec<u8>,
    /// The same for the same key, whoever's it is; made with the sealing key, so that nobody can try keys on it.
    pub fingerprint: Vec<u8>,
}

impl Identity {
    /// Seals an identity key of an organization.
    pub fn seal_beacon_key(
        &self,
        organization: OrganizationId,
        key: &IdentityKey,
    ) -> Result<SealedBeaconKey, IdentityError> {
        let about = organization.as_uuid();
        let sealed = self.sealer.seal(Use::BeaconKey, about.as_bytes(), key.bytes())?;
        let fingerprint = self.sealer.sign(Use::BeaconKey, &[key.bytes()]).into_bytes();
        Ok(SealedBeaconKey { sealed, fingerprint })
    }

    /// Opens what [`Identity::seal_beacon_key`] made for the same organization.
    pub fn open_beacon_key(
        &self,
        organization: OrganizationId,
        sealed: &[u8],
    ) -> Result<IdentityKey, IdentityError> {
        let opened = self.sealer.unseal(Use::BeaconKey, organization.as_uuid().as_bytes(), sealed)?;
        let key = opened.try_into().map_err(|_| IdentityError::Sealed("beacon key"))?;
        Ok(IdentityKey::new(key))
    }
}
