//! A measure as a table: a line for each broker, then the figure beside the aim.

use std::fmt::Write as _;

use super::measure::{Kind, Measure};
use super::sample::{Sample, middle};

/// One column: its head, how many digits follow the point, and what stands in it.
struct Column(&'static str, usize, fn(&Sample) -> Option<f64>);

const MEMORY: &[Column] = &[
    Column("kB each", 2, |sample| sample.kb_each),
    Column("MB without", 1, |sample| sample.without_mb),
    Column("opened/s", 0, |sample| sample.per_s),
    Column("CPU us each", 2, |sample| sample.broker_us),
    Column("load us each", 2, |sample| sample.load_us),
    Column("elsewhere", 2, |sample| sample.elsewhere),
];

const RATE: &[Column] = &[
    Column("per second", 0, |sample| sample.per_s),
    Column("CPU us each", 2, |sample| sample.broker_us),
    Column("load us each", 2, |sample| sample.load_us),
    Column("p50 ms", 2, |sample| sample.p50_ms),
    Column("p99 ms", 2, |sample| sample.p99_ms),
    Column("lost", 0, |sample| sample.lost),
    Column("again", 0, |sample| sample.again),
    Column("elsewhere", 2, |sample| sample.elsewhere),
];

const LATENCY: &[Column] = &[
    Column("p50 ms", 2, |sample| sample.p50_ms),
    Column("p99 ms", 2, |sample| sample.p99_ms),
    Column("late p99 ms", 2, |sample| sample.behind_p99_ms),
    Column("per second", 0, |sample| sample.per_s),
    Column("CPU us each", 2, |sample| sample.broker_us),
    Column("load us each", 2, |sample| sample.load_us),
    Column("lost", 0, |sample| sample.lost),
    Column("again", 0, |sample| sample.again),
    Column("elsewhere", 2, |sample| sample.elsewhere),
];

const FLOOD: &[Column] = &[
    Column("per second", 0, |sample| sample.per_s),
    Column("paced/s", 0, |sample| sample.paced_per_s),
    Column("share", 2, Sample::share_of_paced),
    Column("written/s", 0, |sample| sample.written_per_s),
    Column("CPU us each", 2, |sample| sample.broker_us),
    Column("load us each", 2, |sample| sample.load_us),
    Column("lost", 0, |sample| sample.lost),
    Column("again", 0, |sample| sample.again),
    Column("elsewhere", 2, |sample| sample.elsewhere),
];

/// The table; ours is the first row and Mosquitto the second.
pub(super) fn rendered(measure: &Measure, rows: &[(&str, Vec<Sample>)]) -> String {
    let columns = match measure.kind {
        Kind::Memory { .. } => MEMORY,
        Kind::Rate(_) => RATE,
        Kind::Latency(_) => LATENCY,
        Kind::Flood => FLOOD,
    };
    let mut text = format!("{}: {}\n{:<12}", measure.name, measure.title, "");
    for Column(head, ..) in columns {
        let _ = write!(text, " {head:>12}");
    }
    for (name, samples) in rows {
        let _ = write!(text, "\n{name:<12}");
        for Column(_, digits, value) in columns {
            let cell =
                middle(samples, value).map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"));
            let _ = write!(text, " {cell:>12}");
        }
    }
    let of = |row: usize| rows.get(row).map_or(&[][..], |(_, samples)| samples);
    let _ = write!(text, "\n{}", measure.aim.verdict(of(0), of(1)));
    text
}

#[cfg(test)]
mod tests {
    use super::super::aim::Aim;
    use super::super::contestant::Over;
    use super::*;

    #[test]
    fn what_was_not_measured_is_absent() {
        let measure = Measure {
            name: "x",
            title: "an example",
            over: Over::Tcp,
            kind: Kind::Memory { connections: 1 },
            aim: Aim::KilobytesAtMost(4.0),
        };
        let sample = Sample { kb_each: Some(3.456), ..Sample::default() };
        let text = rendered(&measure, &[("ours", vec![sample]), ("theirs", Vec::new())]);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1][..5], ["kB", "each", "MB", "without", "opened/s"]);
        assert_eq!(
            (&lines[2][..], &lines[3][..]),
            (&["ours", "3.46", "-", "-", "-", "-", "-"][..], &["theirs", "-", "-", "-", "-", "-", "-"][..])
        );
        assert!(text.ends_with("3.46 kB a connection; the aim is at most 4 (reached)"), "{text}");
    }
}
