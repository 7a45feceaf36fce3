//! How it is with each beacon: who hears it, how strongly, and what it says of itself.
//!
//! Ingest passes on what it drops of infrastructure once its batch is committed (`air`), reporters pass on what beacons say
//! (`telemetry`). What follows for one beacon is pure and goes by the times of the events (`watched`, `listener`); `watch` has all of
//! them, and `keeping` brings it to their twins and into rows.

mod air;
mod keeping;
mod listener;
mod reading;
mod telemetry;
mod watch;
mod watched;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{DeviceId, OrganizationId};
use store::Clock;

use crate::metrics::Metrics;
use crate::registry::Registry;

pub(crate) use air::{Air, Gathering};
pub(crate) use keeping::Keeping;

use watch::{Due, Watch};

/// The beacons of this installation.
pub(crate) struct Beacons {
    registry: Arc<Registry>,
    clock: Clock,
    metrics: Metrics,
    acceptance_window_ms: i64,
    /// Taken after the view of the registry, never before.
    watch: Mutex<Watch>,
}

impl Beacons {
    /// Goes on from what was saved.
    pub(crate) fn new(
        registry: Arc<Registry>,
        clock: Clock,
        metrics: Metrics,
        acceptance_window_ms: i64,
        saved: Vec<(DeviceId, String)>,
    ) -> Self {
        Self { registry, clock, metrics, acceptance_window_ms, watch: Mutex::new(Watch::load(saved)) }
    }

    /// Takes in what a committed batch says.
    pub(crate) fn hear(&self, air: &Air) {
        let view = self.registry.view();
        self.lock().hear(&view, air);
    }

    fn look(&self) -> Vec<Due> {
        let view = self.registry.view();
        self.lock().look(&view, self.clock.now())
    }

    fn untold(&self, device: DeviceId) {
        self.lock().untold(device);
    }

    fn unsaved(&self, all: bool) -> Vec<(OrganizationId, DeviceId, String)> {
        let view = self.registry.view();
        self.lock().unsaved(&view, all)
    }

    fn not_saved(&self, rows: &[(OrganizationId, DeviceId, String)]) {
        self.lock().not_saved(rows);
    }

    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
