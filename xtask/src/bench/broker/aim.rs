//! What we want of each measure, most of it set beside Mosquitto in the same run.

use super::sample::{Sample, middle};

/// A wish, and how it is told whether it came true.
#[derive(Clone, Copy, Debug)]
pub(super) enum Aim {
    KilobytesAtMost(f64),
    /// Not more memory than with Mosquitto.
    KilobytesOfMosquitto,
    /// So many at least.
    PerSecond(f64),
    /// So many times the rate of Mosquitto.
    TimesMosquitto(f64),
    /// 99 of 100 are not slower than with Mosquitto.
    P99OfMosquitto,
    /// Under a flood at least this share of what paced publishers get through.
    ShareOfPaced(f64),
}

impl Aim {
    /// One line: the figure beside the aim.
    pub(super) fn verdict(self, ours: &[Sample], mosquitto: &[Sample]) -> String {
        self.figures(ours, mosquitto).unwrap_or_else(|| "there is nothing to set beside the aim".to_owned())
    }

    fn figures(self, ours: &[Sample], mosquitto: &[Sample]) -> Option<String> {
        let rate = |samples| middle(samples, |sample| sample.per_s);
        let kb = |samples| middle(samples, |sample| sample.kb_each);
        let p99 = |samples| middle(samples, |sample| sample.p99_ms);
        Some(match self {
            Self::KilobytesAtMost(most) => {
                let kb = kb(ours)?;
                format!("{kb:.2} kB a connection; the aim is at most {most} ({})", reached(kb <= most))
            }
            Self::KilobytesOfMosquitto => {
                let (ours, theirs) = (kb(ours)?, kb(mosquitto)?);
                let times = ours / theirs;
                format!(
                    "{times:.2} times Mosquitto's memory; the aim is no more ({})",
                    reached(ours <= theirs)
                )
            }
            Self::PerSecond(least) => {
                let rate = rate(ours)?;
                format!("{rate:.0} a second; the aim is {least:.0} ({})", reached(rate >= least))
            }
            Self::TimesMosquitto(least) => {
                let times = rate(ours)? / rate(mosquitto)?;
                format!("{times:.1} times Mosquitto's; the aim is {least} ({})", reached(times >= least))
            }
            Self::P99OfMosquitto => {
                let (ours, theirs) = (p99(ours)?, p99(mosquitto)?);
                format!(
                    "p99 {ours:.2} ms, Mosquitto's {theirs:.2}; the aim is no more ({})",
                    reached(ours <= theirs)
                )
            }
            Self::ShareOfPaced(least) => {
                let share = middle(ours, Sample::share_of_paced)?;
                format!("{share:.2} of the paced rate; the aim is {least} ({})", reached(share >= least))
            }
        })
    }
}

fn reached(it_is: bool) -> &'static str {
    if it_is { "reached" } else { "missed" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_set_beside_the_aim() {
        let sample = |per_s, p99| Sample { per_s: Some(per_s), p99_ms: Some(p99), ..Sample::default() };
        let (ours, theirs) = ([sample(600.0, 2.0)], [sample(100.0, 1.0)]);
        let verdict = |aim: Aim| aim.verdict(&ours, &theirs);
        assert_eq!(verdict(Aim::TimesMosquitto(6.0)), "6.0 times Mosquitto's; the aim is 6 (reached)");
        assert_eq!(verdict(Aim::PerSecond(601.0)), "600 a second; the aim is 601 (missed)");
        assert_eq!(
            verdict(Aim::P99OfMosquitto),
            "p99 2.00 ms, Mosquitto's 1.00; the aim is no more (missed)"
        );
        assert_eq!(verdict(Aim::KilobytesAtMost(4.0)), "there is nothing to set beside the aim");
        let memory = |kb| [Sample { kb_each: Some(kb), ..Sample::default() }];
        let verdict = Aim::KilobytesOfMosquitto.verdict(&memory(5.0), &memory(20.0));
        assert_eq!(verdict, "0.25 times Mosquitto's memory; the aim is no more (reached)");
        let flood = [Sample { paced_per_s: Some(800.0), ..sample(600.0, 0.0) }];
        let verdict = Aim::ShareOfPaced(0.5).verdict(&flood, &[]);
        assert_eq!(verdict, "0.75 of the paced rate; the aim is 0.5 (reached)");
    }
}
