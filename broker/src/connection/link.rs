//! What other tasks may tell a connection.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

use super::answers::Owed;

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
    settled: Vec<Settled>,
    close: Option<u8>,
}

thread_local! {
    /// What is taken out of a box comes here, so that it can be used once the box is free.
    static TAKEN: RefCell<Vec<Settled>> = const { RefCell::new(Vec::new()) };
}

/// Whom to tell that something is safe, and which answer that is: client and server number their packets apart, so that a
/// packet id alone does not say.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) link: Arc<Link>,
    pub(crate) owed: Owed,
    pub(crate) id: u16,
}

/// An answer that may be given now, with its version 5 reason code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) owed: Owed,
    pub(crate) id: u16,
    pub(crate) code: u8,
}

impl Reply {
    /// It is dealt with; `code` is its version 5 reason code.
    pub(crate) fn settle(&self, code: u8) {
        self.link.settle(Settled { owed: self.owed, id: self.id, code });
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

    fn settle(&self, settled: Settled) {
        self.lock().settled.push(settled);
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

    /// Empties the box: calls `settle` for each answer that may be given, and returns the order to close if there is one.
    pub(super) fn take(&self, mut settle: impl FnMut(Settled)) -> Option<u8> {
        TAKEN.with_borrow_mut(|taken| {
            let mut inbox = self.lock();
            taken.append(&mut inbox.settled); // and not swapped: idle boxes must not end up with the room of busy ones
            let close = inbox.close;
            // Whoever holds a session may be about to close this connection, and waits for the box.
            drop(inbox);
            taken.drain(..).for_each(&mut settle);
            close
        })
    }

    /// The ids of what was settled so far, with their codes.
    #[cfg(test)]
    pub(crate) fn take_for_tests(&self, told: &mut Vec<(u16, u8)>) {
        self.take(|settled| told.push((settled.id, settled.code)));
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
