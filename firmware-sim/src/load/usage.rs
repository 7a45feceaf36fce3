//! Processor time: the broker's, our own, and what everything else on the machine took meanwhile.

use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

/// Linux counts a hundred ticks a second for user programs wherever Rust runs.
const TICK: Duration = Duration::from_millis(10);

/// What a run took, user and kernel mode together. `None` where the system does not say (it does on Linux) or the
/// broker's process is not known.
#[derive(Clone, Debug, Serialize)]
pub struct Usage {
    /// Of the broker's process, seconds.
    pub broker_cpu_s: Option<f64>,
    /// Of the load generator, seconds.
    pub own_cpu_s: Option<f64>,
    /// Cores that were busy with neither of the two: a run that shared its machine measures less than it could.
    pub elsewhere_cores: Option<f64>,
}

/// A measurement that has begun.
#[derive(Debug)]
pub(super) struct Meter {
    broker: Option<u32>,
    started: Instant,
    before: Reading,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    broker: Option<Duration>,
    own: Option<Duration>,
    machine: Option<Duration>,
}

impl Meter {
    /// Begins; `broker` is its process id.
    pub(super) fn start(broker: Option<u32>) -> Self {
        Self { broker, started: Instant::now(), before: Reading::take(broker) }
    }

    /// What was taken since.
    pub(super) fn stop(&self) -> Usage {
        let (now, before) = (Reading::take(self.broker), self.before);
        let since = |now: Option<Duration>, before: Option<Duration>| {
            Some(now?.saturating_sub(before?).as_secs_f64())
        };
        let broker_cpu_s = since(now.broker, before.broker);
        let own_cpu_s = since(now.own, before.own);
        let elsewhere_cores = since(now.machine, before.machine)
            .zip(own_cpu_s)
            .map(|(machine, own)| machine - own - broker_cpu_s.unwrap_or_default())
            .map(|elsewhere| elsewhere.max(0.0) / self.started.elapsed().as_secs_f64());
        Usage { broker_cpu_s, own_cpu_s, elsewhere_cores }
    }
}

impl Reading {
    fn take(broker: Option<u32>) -> Self {
        let read = |path: &str| std::fs::read_to_string(path);
        let process = |id: &str| read(&format!("/proc/{id}/stat")).ok().and_then(|stat| of_process(&stat));
        Self {
            broker: broker.and_then(|id| process(&id.to_string())),
            own: process("self"),
            machine: read("/proc/stat").ok().and_then(|stat| of_machine(&stat)),
        }
    }
}

/// `proc_pid_stat(5)`: after the name in parentheses, utime and stime are the fields 14 and 15 of all.
fn of_process(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some(ticks(fields.next()?)? + ticks(fields.next()?)?)
}

/// `proc_stat(5)`: the first line sums up all processors; idle and iowait are its fields 4 and 5, and the guests' fields
/// from 9 on are contained in others.
fn of_machine(stat: &str) -> Option<Duration> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let busy = fields.take(8).enumerate().filter(|(index, _)| !matches!(index, 3 | 4));
    busy.map(|(_, field)| ticks(field)).sum()
}

fn ticks(field: &str) -> Option<Duration> {
    field.parse::<u32>().ok().map(|ticks| TICK * ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_files_are_read_as_they_are_documented() {
        let stat = "77 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 3 0 9";
        assert_eq!(of_process(stat), Some(Duration::from_millis(1_750)));
        let stat = "cpu  100 1 20 9999 777 2 3 4 50 60\ncpu0 1 2 3\n";
        assert_eq!(of_machine(stat), Some(Duration::from_millis(1_300)));
        assert_eq!((of_process("nonsense"), of_machine("intr 5")), (None, None));
    }
}
