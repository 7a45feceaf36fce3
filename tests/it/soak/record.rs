//! The samples of a run, and what can be said of them.

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::plot::Plot;
use super::watch::{COUNTERS, Sample};

/// All samples, in order.
pub(super) struct Record {
    title: String,
    since: Instant,
    samples: Vec<Sample>,
    times: Vec<Duration>,
    /// Where a long run leaves them.
    file: Option<File>,
}

/// What waits in sessions at one moment is more than at another, and what the allocator has to give back lies scattered.
const GROWTH: f64 = 1.10;
/// The page cache of the database's writer, which may fill at any time.
const CACHE_KB: u64 = 4096;

impl Record {
    pub(super) fn begin(title: &str, is_kept: bool) -> anyhow::Result<Self> {
        let file = if is_kept { Some(File::create(beside_the_build("csv")?)?) } else { None };
        let (samples, times) = Default::default();
        Ok(Self { title: title.to_owned(), since: Instant::now(), samples, times, file })
    }

    pub(super) fn add(&mut self, sample: Sample) -> anyhow::Result<()> {
        let at = self.since.elapsed();
        if let Some(file) = &mut self.file {
            if self.samples.is_empty() {
                let gauges: Vec<_> = sample.gauges.keys().map(String::as_str).collect();
                let (gauges, counters) = (gauges.join(","), COUNTERS.join(","));
                writeln!(file, "seconds,rss_kb,files,threads,lives,{counters},{gauges}")?;
            }
            let Sample { lives, rss_kb, threads, files, gauges, counters } = &sample;
            let numbers: Vec<_> = counters.iter().map(ToString::to_string).collect();
            let gauges: Vec<_> = gauges.values().map(ToString::to_string).collect();
            let (numbers, gauges) = (numbers.join(","), gauges.join(","));
            writeln!(file, "{:.1},{rss_kb},{files},{threads},{lives},{numbers},{gauges}", at.as_secs_f64())?;
        }
        self.times.push(at);
        self.samples.push(sample);
        Ok(())
    }

    pub(super) fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Leaves what it says beside the build, where the samples are.
    pub(super) fn keep(&self) -> anyhow::Result<()> {
        if self.file.is_some() {
            let path = beside_the_build("txt")?;
            std::fs::write(&path, self.to_string())?;
            println!("kept as {} and {}", path.display(), path.with_extension("csv").display());
        }
        Ok(())
    }

    /// The memory of the last fifth is that of the second; in the first it grows to what the load needs.
    pub(super) fn is_flat(&self) -> anyhow::Result<()> {
        let memory: Vec<u64> = self.samples.iter().map(|sample| sample.rss_kb).collect();
        is_flat(&memory)
    }
}

fn is_flat(memory: &[u64]) -> anyhow::Result<()> {
    let fifth = memory.len() / 5;
    ensure!(fifth > 0, "too few samples: {}", memory.len());
    let (early, late) = (median(&memory[fifth..2 * fifth]), median(&memory[memory.len() - fifth..]));
    let most = (early as f64 * GROWTH) as u64 + CACHE_KB;
    ensure!(late <= most, "memory grew from {early} kB to {late} kB; at most {most} kB would be flat");
    Ok(())
}

fn median(numbers: &[u64]) -> u64 {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers[numbers.len() / 2]
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points = self.times.iter().zip(&self.samples);
        let points: Vec<_> = points.map(|(at, sample)| (at.as_secs_f64() / 60.0, sample.rss_kb)).collect();
        writeln!(f, "{}", self.title)?;
        write!(f, "{}", Plot { points: &points, y: "resident memory", x: "minutes" })?;
        for (name, at) in [("first", 0), ("middle", self.samples.len() / 2), ("last", self.samples.len() - 1)]
        {
            let Some(Sample { lives, rss_kb, threads, files, gauges, counters }) = self.samples.get(at)
            else {
                continue;
            };
            writeln!(
                f,
                "{name} ({:.1} s): {rss_kb} kB, {lives} lives, {files} files, {threads} threads; {gauges:?}, \
                {COUNTERS:?} {counters:?}",
                self.times[at].as_secs_f64()
            )?;
        }
        Ok(())
    }
}

fn beside_the_build(extension: &str) -> anyhow::Result<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&folder).context("the folder beside the build")?;
    Ok(folder.join("soak").with_extension(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_is_told_from_what_varies() {
        // Up in the first fifth, then up and down by a tenth.
        let varying = |minute: u64| 20_000 + 60_000 * minute.min(6) / 6 + 4_000 * (minute % 3);
        let flat: Vec<u64> = (0..30).map(varying).collect();
        is_flat(&flat).unwrap();
        // A kilobyte for each of a hundred connections a second.
        let growing: Vec<u64> = (0..30).map(|minute| varying(minute) + 6_000 * minute).collect();
        is_flat(&growing).unwrap_err();
        is_flat(&[1, 2]).unwrap_err();
    }
}
