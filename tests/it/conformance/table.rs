//! The outcome of every case on both servers, as a table.

use std::fmt;
use std::path::Path;

use super::case::Run;

/// A row for each case.
pub(super) struct Table {
    rows: Vec<Row>,
}

struct Row {
    name: String,
    statement: &'static str,
    version: &'static str,
    what: &'static str,
    ours: anyhow::Result<()>,
    theirs: anyhow::Result<()>,
}

impl Table {
    pub(super) fn of(runs: &[Run], ours: Vec<anyhow::Result<()>>, theirs: Vec<anyhow::Result<()>>) -> Self {
        let row = |((run, ours), theirs): ((&Run, _), _)| Row {
            name: run.name(),
            statement: run.statement,
            version: run.version(),
            what: run.what,
            ours,
            theirs,
        };
        Self { rows: runs.iter().zip(ours).zip(theirs).map(row).collect() }
    }

    /// Leaves the table beside the build.
    pub(super) fn keep(&self) -> anyhow::Result<()> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        std::fs::create_dir_all(folder)?;
        Ok(std::fs::write(folder.join("conformance.txt"), self.to_string())?)
    }

    /// The cases that fail here and are not known, and those that are called known and pass; each with what happened.
    pub(super) fn wrong(&self, known: &[(&str, &str)]) -> Vec<String> {
        let of = |row: &Row| {
            let reason = known.iter().find(|(name, _)| *name == row.name);
            let beside = if row.theirs.is_ok() { "Mosquitto passes" } else { "Mosquitto fails, too" };
            match (&row.ours, reason) {
                (Err(error), None) => Some(format!("{} ({beside}): {error:#}", row.name)),
                (Ok(()), Some((name, _))) => Some(format!("{name}: passes and is not to be listed as known")),
                _ => None,
            }
        };
        self.rows.iter().filter_map(of).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |outcome: &anyhow::Result<()>| if outcome.is_ok() { "pass" } else { "FAIL" };
        writeln!(f, "{:<16} {:<7} {:<5} {:<9} what", "statement", "version", "ours", "mosquitto")?;
        for row in &self.rows {
            let (ours, theirs) = (word(&row.ours), word(&row.theirs));
            writeln!(f, "{:<16} {:<7} {ours:<5} {theirs:<9} {}", row.statement, row.version, row.what)?;
        }
        for version in ["3.1.1", "5.0"] {
            let of_version = || self.rows.iter().filter(|row| row.version == version);
            let ours = of_version().filter(|row| row.ours.is_ok()).count();
            let theirs = of_version().filter(|row| row.theirs.is_ok()).count();
            let all = of_version().count();
            writeln!(f, "{version}: {all} cases; {ours} pass here, {theirs} with Mosquitto")?;
        }
        for row in &self.rows {
            for (server, outcome) in [("here", &row.ours), ("with Mosquitto", &row.theirs)] {
                if let Err(error) = outcome {
                    writeln!(f, "fails {server}: {}: {error:#}", row.name)?;
                }
            }
        }
        Ok(())
    }
}
