//! What listening came to, and the aim beside it.

use std::fmt::Write as _;

use crate::bench::table::{self, Column, middle, reached};

/// What our agent may take of a core at 500 advertisements a second.
const AIM_PERCENT: f64 = 5.0;
/// What it may take of memory, 10^6 bytes.
const AIM_MB: f64 = 8.0;

/// One run.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Advertisements that the mock told of, a second.
    pub(super) per_s: f64,
    /// The share of them that arrived, if that is known.
    pub(super) heard: Option<f64>,
    /// Processor time of one core, in percent.
    pub(super) percent: f64,
    /// Processor time for a thousand advertisements, milliseconds.
    pub(super) ms_per_thousand: f64,
    /// Resident memory at the end, 10^6 bytes.
    pub(super) resident_mb: f64,
    /// Cores that other programs took.
    pub(super) elsewhere: Option<f64>,
}

const COLUMNS: &[Column<Sample>] = &[
    Column("per second", 0, |sample| Some(sample.per_s)),
    Column("heard", 3, |sample| sample.heard),
    Column("core %", 1, |sample| Some(sample.percent)),
    Column("ms per 1000", 1, |sample| Some(sample.ms_per_thousand)),
    Column("MB", 1, |sample| Some(sample.resident_mb)),
    Column("elsewhere", 2, |sample| sample.elsewhere),
];

impl Sample {
    /// The table; where the first was measured, its figure beside the aim.
    pub(super) fn rendered(rows: &[(&str, Vec<Self>)]) -> String {
        let mut text = table::head(&[COLUMNS]);
        for (name, samples) in rows {
            let _ = write!(text, "\n{}", table::line(name, samples, &[COLUMNS]));
        }
        let ours = rows.iter().find(|(name, _)| *name == "agent").map(|(_, samples)| samples);
        if let Some(percent) = ours.and_then(|samples| middle(samples, |sample| Some(sample.percent))) {
            let reached = reached(percent < AIM_PERCENT);
            let _ = write!(
                text,
                "\n{percent:.1} % of a core; the aim is below {AIM_PERCENT} at 500 a second ({reached})"
            );
        }
        if let Some(mb) = ours.and_then(|samples| middle(samples, |sample| Some(sample.resident_mb))) {
            let reached = reached(mb < AIM_MB);
            let _ = write!(text, "\n{mb:.1} MB resident; the aim is below {AIM_MB} ({reached})");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_stands_beside_the_aim() {
        let sample = Sample {
            per_s: 500.0,
            heard: Some(1.0),
            percent: 7.1,
            ms_per_thousand: 142.0,
            resident_mb: 7.6,
            elsewhere: None,
        };
        let text = Sample::rendered(&[("agent", vec![sample]), ("theengs", Vec::new())]);
        let last: Vec<&str> = text.lines().skip(3).collect();
        let expected = [
            "7.1 % of a core; the aim is below 5 at 500 a second (missed)",
            "7.6 MB resident; the aim is below 8 (reached)",
        ];
        assert_eq!(last, expected, "{text}");
    }
}
