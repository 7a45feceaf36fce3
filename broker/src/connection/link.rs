//! What other tasks may tell a connection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// The connection's letter box: what became of messages it waits for, the order to close, and the knock that there is
/// something.
#[derive(Debug, Default)]
pub(crate) struct Link {
    waker: AtomicWaker,
    knocked: AtomicBool,
    inbox: Mutex<Inbox>,
}

#[derive(Debug, Default)]
struct Inbox {
    settled: Vec<(u16, u8)>,
    close: Option<u8>,
}

/// Whom to tell, and under which packet id, that something is safe.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) link: Arc<Link>,
    pub(crate) id: u16,
}

impl Reply {
    /// It is dealt with; `code` is its version 5 reason code.
    pub(crate) fn settle(&self, code: u8) {
        self.link.settle(self.id, code);
    }
}

impl Link {
    /// There is something to deliver in the session.
    pub(crate) fn wake(&self) {
        // Whoever knocked before us has woken the task already.
        if !self.knocked.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    fn settle(&self, id: u16, code: u8) {
        self.lock().settled.push((id, code));
        self.wake();
    }

    /// Ends the connection with a version 5 reason code.
    pub(crate) fn close(&self, code: u8) {
        self.lock().close.get_or_insert(code);
        self.wake();
    }

    /// Whether somebody knocked since the last time.
    pub(super) fn poll_knock(&self, context: &mut Context<'_>) -> Poll<()> {
        self.waker.register(context.waker());
        if self.knocked.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Empties the box: calls `settle` for each acknowledgement, and returns the order to close if there is one.
    pub(super) fn take(&self, settle: &mut impl FnMut(u16, u8)) -> Option<u8> {
        let mut inbox = self.lock();
        for (id, code) in inbox.settled.drain(..) {
            settle(id, code);
        }
        inbox.close
    }

    /// What was settled so far.
    #[cfg(test)]
    pub(crate) fn take_for_tests(&self, settled: &mut Vec<(u16, u8)>) {
        self.take(&mut |id, code| settled.push((id, code)));
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
