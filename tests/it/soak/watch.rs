//! What the server takes, as the system and the server itself say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::world::{Api, World, eventually};

/// Where to look.
pub(super) struct Watch {
    api: Api,
    /// The server's folder below `/proc`.
    process: PathBuf,
}

/// One look.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// How many lives were over.
    pub(super) lives: u64,
    /// Resident memory in kilobytes.
    pub(super) rss_kb: u64,
    pub(super) threads: u64,
    /// Open file descriptors.
    pub(super) files: u64,
    /// Everything that the server says in gauges.
    pub(super) gauges: BTreeMap<String, i64>,
    /// Some of what it says in counters, in the order of [`COUNTERS`].
    pub(super) counters: [u64; 4],
}

pub(super) const COUNTERS: [&str; 4] = ["received", "sent", "dropped", "expired"];
const CONNECTIONS: &str = "promenade_mqtt_connections";
const RETAINED: &str = "promenade_mqtt_retained";

/// A database connection more has a thread, a file and its journal. They are few and stay.
const FEW_FILES: u64 = 8;
const FEW_THREADS: u64 = 2;

impl Watch {
    pub(super) fn new(world: &World) -> anyhow::Result<Self> {
        Ok(Self { api: world.api(), process: PathBuf::from(format!("/proc/{}", world.pid()?)) })
    }

    pub(super) async fn sample(&self, lives: u64) -> anyhow::Result<Sample> {
        let metrics = self.api.text("/metrics").await?;
        let status = std::fs::read_to_string(self.process.join("status"))?;
        let of_process = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
            number.with_context(|| format!("no {name} in {status}"))
        };
        let counter =
            |name: &&str| value(&metrics, &format!("promenade_mqtt_{name}_total")).map(|it| it as u64);
        let counters: Vec<u64> = COUNTERS.iter().map(counter).collect::<anyhow::Result<_>>()?;
        Ok(Sample {
            lives,
            rss_kb: of_process("VmRSS")?,
            threads: of_process("Threads")?,
            files: std::fs::read_dir(self.process.join("fd"))?.count() as u64,
            gauges: gauges(&metrics)?,
            counters: counters.try_into().unwrap_or_default(),
        })
    }

    /// Waits until the gauges are what they were `before`, and answers the sample in which they are: a client that left is
    /// gone from the server a moment later. What the server itself keeps retained may have come meanwhile.
    pub(super) async fn calm(&self, before: &Sample) -> anyhow::Result<Sample> {
        let of_clients = |sample: &Sample| {
            sample.gauges.clone().into_iter().filter(|(name, _)| name != RETAINED).collect::<Vec<_>>()
        };
        eventually("nobody is there", async || {
            let sample = self.sample(0).await?;
            Ok((of_clients(&sample) == of_clients(before)).then_some(sample))
        })
        .await
    }

    /// Waits until the server is as expected; if it never is, says in what it differs.
    pub(super) async fn settles(&self, expected: &Sample) -> anyhow::Result<()> {
        let settled = eventually("the server is as it was", async || {
            Ok(self.sample(0).await?.beyond(expected).is_empty().then_some(()))
        });
        if settled.await.is_err() {
            bail!("left behind: {}", self.sample(0).await?.beyond(expected).join(", "));
        }
        Ok(())
    }
}

impl Sample {
    /// How many connections there are.
    pub(super) fn connections(&self) -> u64 {
        self.gauges.get(CONNECTIONS).copied().unwrap_or_default() as u64
    }

    /// Expects so many retained messages.
    pub(super) fn retained(&mut self, count: u64) {
        self.gauges.insert(RETAINED.to_owned(), count as i64);
    }

    /// In what it is not as expected: every gauge the same, and no more files and threads but a few.
    fn beyond(&self, expected: &Self) -> Vec<String> {
        let mut beyond: Vec<_> = expected
            .gauges
            .iter()
            .map(|(name, count)| (name.as_str(), self.gauges.get(name).copied().unwrap_or_default(), *count))
            .filter(|(_, is, should)| is != should)
            .map(|(name, is, should)| format!("{name} is {is} and not {should}"))
            .collect();
        for (what, is, most) in [
            ("files", self.files, expected.files + FEW_FILES),
            ("threads", self.threads, expected.threads + FEW_THREADS),
        ] {
            if is > most {
                beyond.push(format!("{is} {what} and not {most}"));
            }
        }
        beyond
    }
}

/// Every gauge without labels, by its name.
fn gauges(metrics: &str) -> anyhow::Result<BTreeMap<String, i64>> {
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" gauge"));
    types.map(|name| Ok((name.to_owned(), value(metrics, name)? as i64))).collect()
}

fn value(metrics: &str, name: &str) -> anyhow::Result<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.trim().parse().ok()).with_context(|| format!("no {name} in the metrics"))
}
