//! What a grant is worth right now, remembered for a moment.
//!
//! An access token is checked by its signature, but whether its grant still counts is asked of the store. The answer is
//! dropped when a change is told, so a revocation reaches everybody at once as a rule and within half a minute always.

use protocol::{GrantId, Timestamp};
use store::{Change, GrantStanding, Result, Store};

use crate::remembered::Remembered;

/// The latest answers.
#[derive(Default)]
pub(crate) struct Standings(Remembered<GrantId, GrantStanding>);

impl Standings {
    /// The standing of a grant; none when there is no such grant.
    pub(crate) async fn of(
        &self,
        store: &Store,
        id: GrantId,
        now: Timestamp,
    ) -> Result<Option<GrantStanding>> {
        self.0.get(id, now, store.grant_standing(id)).await
    }

    /// Drops what a change makes doubtful.
    pub(crate) fn changed(&self, change: Change) {
        match change {
            Change::Grant(id) => self.0.drop_one(&id),
            Change::Account(account) => {
                self.0.drop_where(|_, standing| standing.grant.account == Some(account));
            }
            Change::Client(client) => self.0.drop_where(|_, standing| standing.grant.client == client),
            Change::Device(_) | Change::Venue(_) | Change::Key(_) | Change::HomeAssistant(_) => {}
        }
    }

    /// Drops everything: some change may have been missed.
    pub(crate) fn forget(&self) {
        self.0.drop_where(|_, _| true);
    }
}
