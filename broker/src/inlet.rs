//! The way in for ping batches that come otherwise than over MQTT: same log, same numbers, same limits, and the receipt as the
//! answer.

use std::sync::{Arc, OnceLock, Weak};

use protocol::{Batch, DeviceId, Receipt};
use store::StoreError;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::front::Front;
use crate::ingest::{Awaited, Incoming};
use crate::registry::Reporter;

/// The way in. It is open while the broker runs, and does not keep it from stopping.
#[derive(Debug, Clone, Default)]
pub struct Inlet(Arc<OnceLock<Weak<Front>>>);

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub enum InletError {
    /// There is no such device, or not any more.
    #[error("there is no such device")]
    NoDevice,
    /// The broker does not run, or stopped before the batch was committed. The same batch may be sent again.
    #[error("the broker does not take batches now")]
    Closed,
    /// The device could not be looked up.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Inlet {
    /// Takes a batch of a device, in JSON or CBOR, and answers with the receipt of its boot once it is committed or refused.
    /// Waits as long as the ingest log does not take it; whoever gives up waiting may send it again.
    pub async fn take(
        &self,
        device: DeviceId,
        body: &[u8],
        content_type: Option<&str>,
    ) -> Result<Receipt, InletError> {
        let front = self.0.get().and_then(Weak::upgrade).ok_or(InletError::Closed)?;
        let registry = &front.sign_in.registry;
        let known = registry.view().reporter(device);
        // The notice that it was made, or that its person has just agreed or taken it back, may still be on its way.
        let is_own = |reporter: &Arc<Reporter>| reporter.registered.device.owner.is_none();
        let reporter = match known.filter(is_own) {
            Some(reporter) => reporter,
            None => registry.reload(device).await?.ok_or(InletError::NoDevice)?,
        };
        let observed = front.facts.of(reporter.organization, device);
        observed.heard(front.clock.now());
        let (asked, receipt) = oneshot::channel();
        let incoming = Incoming {
            decoded: Batch::decode(body, content_type),
            reply: Some(Awaited::Receipt(asked)),
            observed: Some(observed),
            limit: None,
        };
        let wait = front.ingest.take(device, incoming, Instant::now());
        if let Some(wait) = wait {
            wait.await;
        }
        // The log is closed by the last who could put something into it.
        drop(front);
        receipt.await.map_err(|_| InletError::Closed)
    }

    pub(crate) fn open(&self, front: &Arc<Front>) {
        // A broker runs once.
        let _ = self.0.set(Arc::downgrade(front));
    }
}
