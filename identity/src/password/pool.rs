//! A few threads for passwords, so that a storm of sign-ins takes no other request's time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Verdict, hash, verify};
use crate::error::IdentityError;

/// How many may wait; who comes after them is told to try again.
const QUEUE: usize = 32;

/// Hashes and compares passwords away from the threads that answer requests, on half of the cores.
pub(crate) struct Pool {
    /// One for each that works or waits.
    places: Arc<Semaphore>,
    /// One for each that works.
    threads: Arc<Semaphore>,
}

impl Default for Pool {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_threads((cores / 2).max(1))
    }
}

impl Pool {
    fn with_threads(threads: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(threads + QUEUE)), threads: Arc::new(Semaphore::new(threads)) }
    }

    /// The hash of a password, in the PHC string format.
    pub(crate) async fn hash(&self, password: String) -> Result<String, IdentityError> {
        self.work(move || hash(&password)).await
    }

    /// Compares a password with a hash; without one it is wrong after the same time.
    pub(crate) async fn verify(
        &self,
        password: String,
        stored: Option<String>,
    ) -> Result<Verdict, IdentityError> {
        self.work(move || verify(&password, stored.as_deref())).await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, IdentityError> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| IdentityError::Busy)?;
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| IdentityError::Task)?;
        // Who gives up waiting for an answer does not end the work: its thread is free when it is done.
        let done = tokio::task::spawn_blocking(move || {
            let _held: (OwnedSemaphorePermit, OwnedSemaphorePermit) = (place, thread);
            work()
        });
        done.await.map_err(|_| IdentityError::Task)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_finds_no_place_is_told_at_once() {
        let pool = Pool::with_threads(1);
        let held = Arc::clone(&pool.places).try_acquire_many_owned(1 + QUEUE as u32).unwrap();
        assert!(matches!(pool.work(|| Ok(())).await, Err(IdentityError::Busy)));
        drop(held);
        assert!(pool.work(|| Ok(())).await.is_ok());
    }
}
