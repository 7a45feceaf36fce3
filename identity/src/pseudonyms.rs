//! The keys that identifiers become pseudonyms with: made, sealed, opened, followed by others. Nobody else opens them.

use std::path::Path;

use protocol::{OrganizationId, Timestamp};
use store::{KeyEpoch, PseudonymEpoch, Pseudonyms, Store, StoreError, StoredKey};

use crate::Identity;
use crate::config::Config;
use crate::error::IdentityError;
use crate::random;
use crate::seal::{Sealer, Use};

/// How long before an epoch begins it has to be known: every server has read it by then, so that nothing is hashed with the key
/// before.
pub const EPOCH_NOTICE_MS: i64 = 60_000;

/// Who reads and writes them.
struct Keys<'a> {
    store: &'a Store,
    sealer: &'a Sealer,
}

impl Identity {
    /// What makes the pseudonyms of an organization. The first key is made here, and one that an earlier version of the program
    /// left in the clear is sealed. [`IdentityError::Sealed`] when the sealing key does not open them.
    pub async fn pseudonyms(&self, organization: OrganizationId) -> Result<Pseudonyms, IdentityError> {
        let keys = Keys { store: &self.store, sealer: &self.sealer };
        Pseudonyms::new(keys.open(organization).await?)
            .ok_or(IdentityError::Store(StoreError::Corrupt("pseudonym keys")))
    }
}

/// Begins another epoch of an organization's pseudonyms at `at`, or as soon as every server can know it; answers its number and when
/// it begins. What is heard from then on has pseudonyms that nobody can link to those before without both keys.
///
/// [`StoreError::Invalid`] when it would begin in less than [`EPOCH_NOTICE_MS`], or before one that is there.
pub async fn begin_pseudonym_epoch(
    store: &Store,
    config: &Config,
    data: &Path,
    organization: OrganizationId,
    at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(i32, Timestamp), IdentityError> {
    let earliest = now.plus(EPOCH_NOTICE_MS);
    let at = at.unwrap_or(earliest);
    if at < earliest {
        let text = "an epoch begins a minute from now or later, so that a running server knows of it";
        return Err(StoreError::Invalid(text.to_owned()).into());
    }
    let sealer = Sealer::open_existing(&config.sealing_key(data))?;
    let keys = Keys { store, sealer: &sealer };
    let newest = keys.open(organization).await?.pop().map_or(0, |newest| newest.epoch);
    keys.begin(organization, newest + 1, at).await?;
    Ok((newest + 1, at))
}

/// Opens every key of pseudonyms that there is, and changes nothing; answers how many there are. [`IdentityError::SealingKey`] when
/// there are sealed ones and no sealing key.
pub async fn check_pseudonym_keys(
    store: &Store,
    config: &Config,
    data: &Path,
) -> Result<usize, IdentityError> {
    if !store.has_sealed_pseudonym_keys().await? {
        return Ok(0);
    }
    let sealer = Sealer::open_existing(&config.sealing_key(data))?;
    let mut count = 0;
    for organization in store.organizations().await? {
        for epoch in store.pseudonym_epochs(organization.id).await? {
            if let StoredKey::Sealed(sealed) = &epoch.key {
                unseal(&sealer, organization.id, epoch.epoch, sealed)?;
                count += 1;
            }
        }
    }
    Ok(count)
}

/// Gives up every key of pseudonyms that the sealing key does not open: for whoever has lost the one that they were sealed with. A missing
/// sealing key is made. Answers how many were given up; with the next start, everybody has another pseudonym.
pub async fn give_up_pseudonym_keys(
    store: &Store,
    config: &Config,
    data: &Path,
    now: Timestamp,
) -> Result<usize, IdentityError> {
    let sealer = Sealer::open(&config.sealing_key(data))?;
    let mut count = 0;
    for organization in store.organizations().await? {
        for PseudonymEpoch { epoch, key, .. } in store.pseudonym_epochs(organization.id).await? {
            if let StoredKey::Sealed(sealed) = key
                && unseal(&sealer, organization.id, epoch, &sealed).is_err()
            {
                store.give_up_pseudonym_key(organization.id, epoch, now).await?;
                count += 1;
            }
        }
    }
    Ok(count)
}

impl Keys<'_> {
    /// All epochs of an organization, oldest first.
    async fn open(&self, organization: OrganizationId) -> Result<Vec<KeyEpoch>, IdentityError> {
        let mut stored = self.store.pseudonym_epochs(organization).await?;
        if stored.iter().all(|epoch| matches!(epoch.key, StoredKey::Destroyed(_))) {
            // There was none yet, or all of them were given up.
            let (epoch, from) =
                stored.last().map_or((0, Timestamp(0)), |last| (last.epoch + 1, last.effective_from.plus(1)));
            match self.begin(organization, epoch, from).await {
                // Another program was first, and its key is the one.
                Ok(()) | Err(IdentityError::Store(StoreError::Conflict(_))) => {}
                Err(error) => return Err(error),
            }
            stored = self.store.pseudonym_epochs(organization).await?;
        }
        let mut opened = Vec::new();
        for PseudonymEpoch { epoch, effective_from, key } in stored {
            let key = match key {
                StoredKey::Sealed(sealed) => Some(unseal(self.sealer, organization, epoch, &sealed)?),
                StoredKey::Clear(key) => {
                    let sealed = self.sealer.seal(Use::Pseudonyms, &about(organization, epoch), &key)?;
                    self.store.seal_pseudonym_key(organization, epoch, &sealed).await?;
                    tracing::info!(%organization, epoch, "sealed a key of pseudonyms that was stored in the clear");
                    Some(key)
                }
                StoredKey::Destroyed(_) => None,
            };
            opened.push(KeyEpoch { epoch, effective_from, key });
        }
        Ok(opened)
    }

    async fn begin(
        &self,
        organization: OrganizationId,
        epoch: i32,
        from: Timestamp,
    ) -> Result<(), IdentityError> {
        let key = random::bytes::<32>()?;
        let sealed = self.sealer.seal(Use::Pseudonyms, &about(organization, epoch), &key)?;
        Ok(self.store.begin_pseudonym_epoch(organization, epoch, from, &sealed).await?)
    }
}

fn unseal(
    sealer: &Sealer,
    organization: OrganizationId,
    epoch: i32,
    stored: &[u8],
) -> Result<[u8; 32], IdentityError> {
    let key = sealer.unseal(Use::Pseudonyms, &about(organization, epoch), stored)?;
    key.try_into().map_err(|_| IdentityError::Sealed("pseudonym key"))
}

/// Whose key it is and which one, so that no row passes for another.
fn about(organization: OrganizationId, epoch: i32) -> Vec<u8> {
    [organization.as_uuid().as_bytes().as_slice(), &epoch.to_be_bytes()].concat()
}
