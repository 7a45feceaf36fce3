//! What it takes to keep two things one after the other: two commits of SQLite to the disk on which the server has its data.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::sample::Sample;
use crate::program;

/// Makes a database as the server does (WAL, `synchronous = FULL`) and commits one row at a time, two in a row.
const SCRIPT: &str = r#"
import json, sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
for line in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE IF NOT EXISTS kept (number INTEGER)"):
    database.execute(line)
took = []
for _ in range(int(sys.argv[2])):
    started = time.perf_counter()
    database.execute("INSERT INTO kept VALUES (1)")
    database.execute("INSERT INTO kept VALUES (2)")
    took.append(time.perf_counter() - started)
took.sort()
print(json.dumps({percent: took[-(-len(took) * percent // 100) - 1] for percent in (50, 99)}))
"#;

/// How often two commits are made: enough for a p99.
const PAIRS: u32 = 300;

/// Times them in a database of its own in that folder.
pub(super) fn two(folder: &Path) -> Result<Sample> {
    let file = folder.join("commits.sqlite");
    let mut python = Command::new("python3");
    python.args(["-c", SCRIPT]).arg(file).arg(PAIRS.to_string());
    let said = program::run_quietly(&mut python).context("two commits are timed by a Python with sqlite3")?;
    let took: Value = serde_json::from_str(&said)?;
    let ms = |percent: &str| took[percent].as_f64().map(|seconds| seconds * 1e3);
    Ok(Sample { p50_ms: ms("50"), p99_ms: ms("99"), ..Sample::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_commits_take_some_time() {
        let folder = tempfile::tempdir().unwrap();
        let sample = two(folder.path()).unwrap();
        assert!(sample.p50_ms > Some(0.0) && sample.p99_ms >= sample.p50_ms, "{sample:?}");
        two(folder.path()).unwrap();
    }
}
