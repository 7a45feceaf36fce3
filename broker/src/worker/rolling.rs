//! Makes rollups in the background, of one venue after the other.

use std::time::Duration;

use protocol::{OrganizationId, VenueId};
use store::{Admits, Clock, Store, StoreError};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How often it is looked for what has become quiet.
const EVERY: Duration = Duration::from_secs(10);

/// Who makes rollups. Nothing waits for them: what is not made yet is answered from the rows.
pub(crate) struct Rolling {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
}

impl Rolling {
    /// Works until shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(self.keep_rolling()).await;
    }

    async fn keep_rolling(&self) {
        loop {
            match self.store.venues_admitting().await {
                Ok(venues) => {
                    for Admits { organization, venue, .. } in venues {
                        match self.roll(organization, venue).await {
                            Ok(()) | Err(StoreError::NotFound) => {}
                            Err(error) => {
                                tracing::warn!(%error, %venue, "rollups could not be made; trying again later");
                            }
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "the venues could not be listed; trying again later"),
            }
            sleep(EVERY).await;
        }
    }

    async fn roll(&self, organization: OrganizationId, venue: VenueId) -> Result<(), StoreError> {
        loop {
            let begun = Instant::now();
            if !self.store.roll(organization, venue, self.clock.now()).await? {
                return Ok(());
            }
            // Half of the time belongs to others: a year may be waiting.
            sleep(begun.elapsed()).await;
        }
    }
}
