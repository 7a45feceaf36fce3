//! What a grant is worth right now, remembered for a moment.
//!
//! An access token is checked by its signature, but whether its grant still counts is asked of the store. The answer is
//! remembered for half a minute and dropped when a change is told, so a revocation reaches everybody at once as a rule
//! and within that half minute always.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::{GrantId, Timestamp};
use store::{Change, GrantStanding, Result, Store};

/// How long an answer is believed.
const BELIEVED_MS: i64 = 30_000;
/// Answers that are remembered; when there are more, those that are no longer believed go, and then all.
const REMEMBERED: usize = 50_000;

/// The latest answers.
#[derive(Default)]
pub(crate) struct Standings {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    standings: HashMap<GrantId, (GrantStanding, Timestamp)>,
    /// Counts what was dropped: an answer that was asked for before a change and came after it is not kept.
    drops: u64,
}

impl Standings {
    /// The standing of a grant; none when there is no such grant.
    pub(crate) async fn of(
        &self,
        store: &Store,
        id: GrantId,
        now: Timestamp,
    ) -> Result<Option<GrantStanding>> {
        let drops = {
            let known = self.known();
            match known.standings.get(&id) {
                // A clock that was set back must not make an answer live longer.
                Some((standing, asked)) if (0..BELIEVED_MS).contains(&now.since(*asked)) => {
                    return Ok(Some(standing.clone()));
                }
                _ => known.drops,
            }
        };
        let Some(standing) = store.grant_standing(id).await? else { return Ok(None) };
        let mut known = self.known();
        if known.drops == drops {
            known.keep(id, standing.clone(), now);
        }
        Ok(Some(standing))
    }

    /// Drops what a change makes doubtful.
    pub(crate) fn changed(&self, change: Change) {
        let mut known = self.known();
        match change {
            Change::Grant(id) => drop(known.standings.remove(&id)),
            Change::Account(account) => {
                known.standings.retain(|_, (standing, _)| standing.grant.account != Some(account));
            }
            Change::Device(_) | Change::Venue(_) | Change::Key(_) => return,
        }
        known.drops += 1;
    }

    /// Drops everything: some change may have been missed.
    pub(crate) fn forget(&self) {
        let mut known = self.known();
        known.standings.clear();
        known.drops += 1;
    }

    /// A panic elsewhere cannot leave the map half changed.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn keep(&mut self, id: GrantId, standing: GrantStanding, now: Timestamp) {
        if self.standings.len() >= REMEMBERED {
            self.standings.retain(|_, (_, asked)| (0..BELIEVED_MS).contains(&now.since(*asked)));
            if self.standings.len() >= REMEMBERED {
                self.standings.clear();
            }
        }
        self.standings.insert(id, (standing, now));
    }
}
