//! When linked services were last used: noted at once, and written for many together, so that a token costs no write.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use protocol::{GrantId, Timestamp};
use store::{Grant, Result, Store};

/// What is not written yet. A crash loses the last seconds of it.
#[derive(Default)]
pub(crate) struct Uses(Mutex<HashMap<GrantId, Timestamp>>);

/// How many go into one transaction, so that it stays short.
const PORTION: usize = 200;

impl Uses {
    /// Notes that a grant was used, if that is news.
    pub(crate) fn note(&self, grant: &Grant, now: Timestamp) {
        if grant.is_use_new(now) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(grant.id, now);
        }
    }

    /// Writes what was noted. What cannot be written is noted still.
    pub(crate) async fn write(&self, store: &Store) -> Result<()> {
        let noted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let noted: Vec<_> = noted.into_iter().collect();
        for (index, portion) in noted.chunks(PORTION).enumerate() {
            if let Err(error) = store.grants_used(portion).await {
                let mut again = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                for (grant, at) in &noted[index * PORTION..] {
                    again.entry(*grant).or_insert(*at);
                }
                return Err(error);
            }
        }
        Ok(())
    }
}
