//! Made-up air: a fixed set of identifiers, heard at a steady rate.

use std::time::Duration;

use protocol::Identifier;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Clock;
use crate::config::SimulatedConfig;
use crate::scan::Heard;

/// How far behind it may fall before it skips ahead; a machine that slept shall not wake to a burst.
const PATIENCE: Duration = Duration::from_secs(1);

/// A seeded source of advertisements: the same seed gives the same identifiers and levels in the same order.
#[derive(Debug)]
pub struct Simulated {
    rng: ChaCha8Rng,
    senders: Vec<Sender>,
    interval: Duration,
    due: Duration,
}

#[derive(Debug)]
struct Sender {
    id: Identifier,
    /// Mean level in dBm, about what its distance would give.
    level: i8,
}

impl Simulated {
    /// The first advertisement is due at once.
    pub fn new(config: &SimulatedConfig, clock: &Clock) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        let senders = (0..config.identifiers)
            .map(|_| Sender {
                id: Identifier::Ble { address: rng.random(), random: false },
                level: rng.random_range(-90..=-50),
            })
            .collect();
        Self {
            rng,
            senders,
            interval: Duration::from_secs_f64(1.0 / config.per_second),
            due: clock.elapsed(),
        }
    }

    /// The next advertisement, when it is due.
    pub async fn next(&mut self, clock: &Clock) -> Heard {
        let elapsed = clock.elapsed();
        if elapsed < self.due {
            clock.until(self.due).await;
        } else if elapsed.saturating_sub(self.due) > PATIENCE {
            self.due = elapsed;
        }
        self.due += self.interval;
        let sender = &self.senders[self.rng.random_range(0..self.senders.len())];
        Heard {
            id: sender.id.clone(),
            rssi: sender.level + self.rng.random_range(-6..=6),
            at: clock.now(),
            tx: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::Timestamp;

    use super::*;
    use crate::clock::ManualClock;

    fn config(seed: u64) -> SimulatedConfig {
        SimulatedConfig { seed, identifiers: 5, per_second: 10.0 }
    }

    #[tokio::test]
    async fn the_same_seed_gives_the_same_air_at_the_asked_rate() {
        let mut airs = Vec::new();
        for seed in [1, 1, 2] {
            let manual = ManualClock::new(Timestamp(0));
            let clock = Clock::Manual(manual.clone());
            let mut simulated = Simulated::new(&config(seed), &clock);
            let mut air = Vec::new();
            for _ in 0..20 {
                air.push(simulated.next(&clock).await);
                manual.advance(Duration::from_millis(100));
            }
            assert_eq!(air[19].at, Timestamp(1_900));
            airs.push(air);
        }
        assert_eq!(airs[0], airs[1]);
        assert_ne!(airs[0], airs[2]);
    }

    #[tokio::test]
    async fn after_a_sleep_it_skips_ahead() {
        let manual = ManualClock::new(Timestamp(0));
        let clock = Clock::Manual(manual.clone());
        let mut simulated = Simulated::new(&config(1), &clock);
        manual.advance(Duration::from_hours(1));
        simulated.next(&clock).await;
        assert_eq!(simulated.due, Duration::from_hours(1) + Duration::from_millis(100));
    }
}
