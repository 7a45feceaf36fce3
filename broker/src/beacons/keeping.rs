//! Tells twins how it is with their beacons, and saves what is known of them.

use std::sync::Arc;
use std::time::Duration;

use store::{Clock, Orders, Said, Store, StoreError};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::Beacons;
use super::watch::Due;
use crate::control::pass_on_report;
use crate::dispatch::Dispatch;
use crate::metrics::Metrics;

/// How often all beacons are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often what is new is saved; another state is at once. What a crash loses is learned again within minutes.
const SAVE_EVERY: Duration = Duration::from_mins(1);
/// How many go into one transaction.
const PORTION: usize = 500;
/// How long the last save may take.
const LAST_CHANCE: Duration = Duration::from_secs(2);

/// Keeps twins and rows up with what is heard.
pub(crate) struct Keeping {
    pub(crate) beacons: Arc<Beacons>,
    pub(crate) store: Store,
    pub(crate) orders: Orders,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
}

impl Keeping {
    /// Works until `shutdown`, and saves a last time then.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut tick = interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut saved_at = Instant::now();
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = shutdown.cancelled() => break,
            }
            self.tell(self.beacons.look()).await;
            let all = saved_at.elapsed() >= SAVE_EVERY;
            if all {
                saved_at = Instant::now();
            }
            if let Err(error) = self.save(all).await {
                tracing::warn!(%error, "what is known of beacons could not be saved; trying again");
            }
        }
        if !matches!(timeout(LAST_CHANCE, self.save(true)).await, Ok(Ok(()))) {
            tracing::warn!("what was last learned of beacons is lost");
        }
    }

    async fn tell(&self, due: Vec<Due>) {
        let mut under_way = Vec::with_capacity(due.len());
        for Due { organization, device, patch } in due {
            under_way.push((device, self.orders.hear(organization, device, Said::Report(patch)).await));
        }
        let mut failed: Option<(u32, StoreError)> = None;
        for (device, hearing) in under_way {
            let heard = match hearing {
                Ok(hearing) => hearing.committed().await,
                Err(error) => Err(error),
            };
            match heard {
                Ok(heard) => {
                    self.metrics.count_answer(heard.answered, false);
                    if let Some(twin) = heard.twin {
                        pass_on_report(&self.dispatch, &twin).await;
                    }
                }
                // It was deleted a moment ago.
                Err(StoreError::NotFound) => {}
                Err(error @ StoreError::Invalid(_)) => {
                    tracing::warn!(%device, %error, "the twin of a beacon has no room for what is known of it");
                }
                Err(error) => {
                    self.beacons.untold(device);
                    failed.get_or_insert((0_u32, error)).0 += 1;
                }
            }
        }
        if let Some((twins, error)) = failed {
            tracing::warn!(twins, %error, "twins of beacons could not be written; trying again");
        }
    }

    async fn save(&self, all: bool) -> Result<(), StoreError> {
        let rows = self.beacons.unsaved(all);
        for (index, portion) in rows.chunks(PORTION).enumerate() {
            if let Err(error) = self.store.save_beacon_watch(portion, self.clock.now()).await {
                self.beacons.not_saved(&rows[index * PORTION..]);
                return Err(error);
            }
        }
        Ok(())
    }
}
