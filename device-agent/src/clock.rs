//! The two times an agent needs: what the wall says, and how long it has been running.
//!
//! The wall stamps pings and may jump in either direction (a Raspberry Pi has no battery behind its clock). Everything
//! that waits counts in time elapsed instead, which only moves forward.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use protocol::Timestamp;
use tokio::sync::watch;

/// Where an agent reads the time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clocks; the instant is when the agent began to count.
    System(Instant),
    /// Time moved by a test.
    Manual(ManualClock),
}

impl Clock {
    /// The machine's clocks, counting elapsed time from now.
    pub fn system() -> Self {
        Self::System(Instant::now())
    }

    /// What the wall says, in Unix milliseconds.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System(_) => wall(),
            Self::Manual(manual) => manual.0.borrow().wall,
        }
    }

    /// How long this clock has been running; never goes back.
    pub fn elapsed(&self) -> Duration {
        match self {
            Self::System(origin) => origin.elapsed(),
            Self::Manual(manual) => manual.0.borrow().elapsed,
        }
    }

    /// Waits until `elapsed()` has reached `deadline`. May be dropped and asked again at any moment.
    pub async fn until(&self, deadline: Duration) {
        match self {
            Self::System(origin) => match origin.checked_add(deadline) {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            },
            Self::Manual(manual) => {
                let mut readings = manual.0.subscribe();
                // The sender is ours, so the channel cannot close while we wait.
                let _ = readings.wait_for(|reading| reading.elapsed >= deadline).await;
            }
        }
    }
}

/// A clock that stands still until it is moved; clones move together.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<watch::Sender<Reading>>);

impl ManualClock {
    /// A clock whose wall says `wall` and which has not run yet.
    pub fn new(wall: Timestamp) -> Self {
        Self(Arc::new(watch::Sender::new(Reading { wall, elapsed: Duration::ZERO })))
    }

    /// Lets time pass: both the wall and the elapsed time move on.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|reading| {
            reading.wall = reading.wall.plus(by.as_millis() as i64);
            reading.elapsed += by;
        });
    }

    /// Sets the wall, forward or back, while no time passes.
    pub fn set_wall(&self, wall: Timestamp) {
        self.0.send_modify(|reading| reading.wall = wall);
    }
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    wall: Timestamp,
    elapsed: Duration,
}

#[expect(clippy::disallowed_methods, reason = "the one place of the agent that reads the wall clock")]
fn wall() -> Timestamp {
    let ms = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_millis() as i64,
        Err(before) => -(before.duration().as_millis() as i64),
    };
    Timestamp(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_counts_elapsed_time_and_not_the_wall() {
        let manual = ManualClock::new(Timestamp(1_000));
        let clock = Clock::Manual(manual.clone());
        let mut waiting = std::pin::pin!(clock.until(Duration::from_secs(5)));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        manual.set_wall(Timestamp(1_000_000));
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        manual.advance(Duration::from_secs(5));
        waiting.await;
        assert_eq!(clock.now(), Timestamp(1_005_000));
        assert_eq!(clock.elapsed(), Duration::from_secs(5));
    }
}
