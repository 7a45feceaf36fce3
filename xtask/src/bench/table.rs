//! Tables: a line for each server or situation, medians of its samples.

use std::fmt::Write as _;

use crate::bench::process::median;

/// One column: its head, how many digits follow the point, and what stands in it.
pub(super) struct Column<S>(pub(super) &'static str, pub(super) usize, pub(super) fn(&S) -> Option<f64>);

/// The heads.
pub(super) fn head<S>(columns: &[&[Column<S>]]) -> String {
    columns.iter().copied().flatten().fold(format!("{:<14}", ""), |mut line, Column(head, ..)| {
        let _ = write!(line, " {head:>12}");
        line
    })
}

/// A line; what none of the samples has is absent.
pub(super) fn line<S>(name: &str, samples: &[S], columns: &[&[Column<S>]]) -> String {
    columns.iter().copied().flatten().fold(format!("{name:<14}"), |mut line, Column(_, digits, value)| {
        let cell = middle(samples, value);
        let cell = cell.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"));
        let _ = write!(line, " {cell:>12}");
        line
    })
}

/// The median of what those samples have that have it.
pub(super) fn middle<S>(samples: &[S], value: impl Fn(&S) -> Option<f64>) -> Option<f64> {
    median(samples.iter().filter_map(value).collect()).ok()
}

/// Whether an aim is reached, as a word.
pub(super) fn reached(it_is: bool) -> &'static str {
    if it_is { "reached" } else { "missed" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_below_their_heads() {
        let columns: &[&[Column<f64>]] =
            &[&[Column("ms", 1, |sample| Some(*sample))], &[Column("none", 0, |_| None)]];
        assert_eq!(head(columns), "                         ms         none");
        assert_eq!(line("ours", &[3.0, 1.0, 2.04], columns), "ours                    2.0            -");
    }
}
