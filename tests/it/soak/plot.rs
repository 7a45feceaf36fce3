//! A plot in letters, to be pasted into a document.

use std::fmt;

/// Kilobytes over time.
pub(super) struct Plot<'a> {
    /// In the order of time.
    pub(super) points: &'a [(f64, u64)],
    /// What is measured.
    pub(super) y: &'a str,
    /// The unit of time.
    pub(super) x: &'a str,
}

const COLUMNS: usize = 60;
const ROWS: usize = 12;

impl Plot<'_> {
    /// The rows that hold points in each column; row 0 is at the bottom and begins with 0.
    fn columns(&self, row_kb: f64, end: f64) -> Vec<[bool; ROWS]> {
        let mut columns = vec![[false; ROWS]; COLUMNS];
        for (at, kb) in self.points {
            let column = (at / end * COLUMNS as f64) as usize;
            let row = (*kb as f64 / row_kb) as usize;
            columns[column.min(COLUMNS - 1)][row.min(ROWS - 1)] = true;
        }
        columns
    }
}

impl fmt::Display for Plot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((end, _)) = self.points.last() else { return Ok(()) };
        let highest = self.points.iter().map(|(_, kb)| *kb).max().unwrap_or_default().max(1);
        // Whole megabytes for each row, so that the scale can be read.
        let row_mib = (highest as f64 / 1024.0 / ROWS as f64).ceil().max(1.0);
        let columns = self.columns(row_mib * 1024.0, *end);
        writeln!(f, "{} (MiB)", self.y)?;
        for row in (0..ROWS).rev() {
            let line: String = columns.iter().map(|column| if column[row] { '*' } else { ' ' }).collect();
            writeln!(f, "{:>6} |{}", row_mib * row as f64, line.trim_end())?;
        }
        writeln!(f, "       +{}", "-".repeat(COLUMNS))?;
        writeln!(f, "        0{:>width$.1} {}", end, self.x, width = COLUMNS - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_rises_rises() {
        let points: Vec<(f64, u64)> = (0..120_u32).map(|at| (f64::from(at), u64::from(at) * 1024)).collect();
        let plot = Plot { points: &points, y: "memory", x: "minutes" }.to_string();
        let lines: Vec<&str> = plot.lines().collect();
        assert_eq!(lines.len(), ROWS + 3);
        let places: Vec<usize> = lines[1..=ROWS].iter().map(|line| line.find('*').unwrap()).collect();
        assert!(places.is_sorted_by(|higher, lower| higher > lower), "{plot}");
        assert!(lines[1].starts_with("   110 |") && lines[ROWS].starts_with("     0 |*****"), "{plot}");
        assert!(lines.iter().all(|line| line.len() <= COLUMNS + 20), "{plot}");
    }
}
