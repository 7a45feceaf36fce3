//! Every signing key that counts, and when one follows another.

use std::sync::Arc;

use arc_swap::ArcSwap;
use protocol::Timestamp;
use serde_json::{Value, json};
use store::{Algorithm, Store, StoreError};
use tokio::sync::Mutex;

use super::key::{self, Key};
use crate::error::IdentityError;
use crate::seal::Sealer;

const DAY_MS: i64 = 24 * 3_600_000;
/// How long a key signs.
const SIGNS_MS: i64 = 90 * DAY_MS;
/// How long a key is published before it signs, so that whoever caches the key set has it by then.
const ANNOUNCED_MS: i64 = 2 * DAY_MS;
/// How long a key is published after it signed last: longer than any token lives, and than the day that an ID token may
/// still be shown for signing out.
const REMEMBERED_MS: i64 = 2 * DAY_MS;

/// The keys of the installation. Reading takes no lock; changes come one at a time.
pub(crate) struct Keyring {
    store: Store,
    sealer: Arc<Sealer>,
    keys: ArcSwap<Vec<Arc<Key>>>,
    changing: Mutex<()>,
}

impl Keyring {
    /// The stored keys.
    pub(crate) async fn open(store: Store, sealer: Arc<Sealer>) -> Result<Self, IdentityError> {
        let ring = Self { store, sealer, keys: ArcSwap::default(), changing: Mutex::default() };
        ring.reload().await?;
        Ok(ring)
    }

    /// The key of this id, if nothing retired it.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<Key>> {
        self.keys.load().iter().find(|key| key.id == id).cloned()
    }

    /// The key that signs with an algorithm now; the first use of an algorithm makes one.
    pub(crate) async fn signing(
        &self,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<Arc<Key>, IdentityError> {
        if let Some(key) = self.current(algorithm, now) {
            return Ok(key);
        }
        let _changing = self.changing.lock().await;
        if self.current(algorithm, now).is_none() {
            self.follow(algorithm, now, now).await?;
        }
        self.current(algorithm, now).ok_or(IdentityError::SigningKey("none signs now"))
    }

    /// The key set (RFC 7517 section 5). Every algorithm that the metadata promises has a key in it, also one that has
    /// not signed yet: whoever fetches the set once has what it needs.
    pub(crate) async fn public(&self, now: Timestamp) -> Result<Value, IdentityError> {
        for algorithm in Algorithm::ALL {
            self.signing(*algorithm, now).await?;
        }
        let keys: Vec<Value> = self.keys.load().iter().map(|key| key.public.clone()).collect();
        Ok(json!({ "keys": keys }))
    }

    /// Lets keys follow those that have signed long enough, retires those that no living token names, and reads what
    /// other programs changed.
    pub(crate) async fn maintain(&self, now: Timestamp) -> Result<(), IdentityError> {
        let _changing = self.changing.lock().await;
        self.reload().await?;
        for key in self.keys.load_full().iter() {
            match key.signs_until {
                None if key.signs_from.plus(SIGNS_MS - ANNOUNCED_MS) <= now => {
                    self.follow(key.algorithm, now.plus(ANNOUNCED_MS), now).await?;
                    tracing::info!(algorithm = %key.algorithm, "a new signing key is published");
                }
                Some(until) if until.plus(REMEMBERED_MS) <= now => {
                    self.store.retire_signing_key(&key.id, now).await?;
                    tracing::info!(key = %key.id, "an old signing key is retired");
                }
                _ => {}
            }
        }
        self.reload().await
    }

    /// Lets a new key of each algorithm that is in use sign from now on, and answers how many; what the old ones signed stays
    /// good until it ends. Clients that know the old keys only fetch the set again when they meet a new one.
    pub(crate) async fn rotate(&self, now: Timestamp) -> Result<usize, IdentityError> {
        let _changing = self.changing.lock().await;
        self.reload().await?;
        let used: Vec<_> =
            Algorithm::ALL.iter().filter(|algorithm| self.last(**algorithm).is_some()).collect();
        for algorithm in &used {
            self.follow(**algorithm, now, now).await?;
        }
        Ok(used.len())
    }

    fn current(&self, algorithm: Algorithm, now: Timestamp) -> Option<Arc<Key>> {
        // They stand in the order in which they sign: after a rotation by hand the last of two that might is the one.
        let keys = self.keys.load();
        keys.iter().rev().find(|key| key.algorithm == algorithm && key.signs_at(now)).cloned()
    }

    /// The key of an algorithm that nothing follows yet.
    fn last(&self, algorithm: Algorithm) -> Option<Arc<Key>> {
        let keys = self.keys.load();
        keys.iter().find(|key| key.algorithm == algorithm && key.signs_until.is_none()).cloned()
    }

    /// Makes the key that follows the last one of an algorithm. Another program may do the same at once: one of the two
    /// is kept, and both read it.
    async fn follow(
        &self,
        algorithm: Algorithm,
        signs_from: Timestamp,
        now: Timestamp,
    ) -> Result<(), IdentityError> {
        let sealer = Arc::clone(&self.sealer);
        let making = move || key::generate(algorithm, &sealer, signs_from);
        let new = tokio::task::spawn_blocking(making).await.map_err(|_| IdentityError::Task)??;
        let last = self.last(algorithm);
        match self.store.add_signing_key(last.as_ref().map(|key| key.id.as_str()), &new, now).await {
            Ok(()) | Err(StoreError::Conflict(_)) => self.reload().await,
            Err(error) => Err(error.into()),
        }
    }

    async fn reload(&self) -> Result<(), IdentityError> {
        let stored = self.store.signing_keys().await?;
        let keys = stored.into_iter().map(|key| Key::open(key, &self.sealer).map(Arc::new));
        self.keys.store(Arc::new(keys.collect::<Result<_, _>>()?));
        Ok(())
    }
}
