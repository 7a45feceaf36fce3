//! What other tasks may tell a connection.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// The connection's letter box: acknowledgements from ingest, the order to close, and the knock that there is something.
#[derive(Debug, Default)]
pub(crate) struct Link {
    signal: Notify,
    inbox: Mutex<Inbox>,
}

#[derive(Debug, Default)]
struct Inbox {
    settled: Vec<(u16, u8)>,
    close: Option<u8>,
}

impl Link {
    /// There is something to deliver in the session.
    pub(crate) fn wake(&self) {
        self.signal.notify_one();
    }

    /// The message that came with packet id `id` is dealt with; `code` is its reason code.
    pub(crate) fn settle(&self, id: u16, code: u8) {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.settled.push((id, code));
        let first = inbox.settled.len() == 1;
        drop(inbox);
        if first {
            self.signal.notify_one();
        }
    }

    /// Ends the connection with a version 5 reason code.
    pub(crate) fn close(&self, code: u8) {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).close = Some(code);
        self.signal.notify_one();
    }

    pub(super) async fn signalled(&self) {
        self.signal.notified().await;
    }

    /// Empties the box: calls `settle` for each acknowledgement, and returns the order to close if there is one.
    pub(super) fn take(&self, settle: &mut impl FnMut(u16, u8)) -> Option<u8> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, code) in inbox.settled.drain(..) {
            settle(id, code);
        }
        inbox.close.take()
    }
}
