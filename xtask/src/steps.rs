//! Steps of a long task: each announced, timed, and named when it fails.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// The steps taken so far.
pub(crate) struct Steps {
    task: &'static str,
    started: Instant,
    taken: Vec<(&'static str, Duration)>,
}

impl Steps {
    /// Begins a task of this name.
    pub(crate) fn of(task: &'static str) -> Self {
        Self { task, started: Instant::now(), taken: Vec::new() }
    }

    /// Runs one step and prints how long it took; an error names the step.
    pub(crate) fn take<T>(&mut self, name: &'static str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("== {name}");
        let started = Instant::now();
        let outcome = step();
        let elapsed = started.elapsed();
        self.taken.push((name, elapsed));
        eprintln!(
            "   {name}: {} after {}",
            if outcome.is_ok() { "done" } else { "FAILED" },
            in_words(elapsed)
        );
        outcome.with_context(|| format!("the step `{name}` failed"))
    }

    /// The one line that closes the task.
    pub(crate) fn summary(&self, passed: bool) -> String {
        let verdict = if passed { "passed" } else { "FAILED" };
        let mut line = format!("{} {verdict} in {}", self.task, in_words(self.started.elapsed()));
        for (index, (name, elapsed)) in self.taken.iter().enumerate() {
            let separator = if index == 0 { " -" } else { "," };
            let _ = write!(line, "{separator} {name} {}", in_words(*elapsed));
        }
        line
    }
}

/// A duration the way one says it: `0.4 s`, `12 s`, `3 min 05 s`.
fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 10 {
        format!("{:.1} s", duration.as_secs_f64())
    } else if seconds < 120 {
        format!("{seconds} s")
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn durations_are_said_as_people_say_them() {
        assert_eq!(in_words(Duration::from_millis(420)), "0.4 s");
        assert_eq!(in_words(Duration::from_secs(75)), "75 s");
        assert_eq!(in_words(Duration::from_secs(185)), "3 min 05 s");
    }

    #[test]
    fn a_failed_step_is_named_in_the_error_and_in_the_summary() {
        let mut steps = Steps::of("try");
        steps.take("first", || Ok(())).unwrap();
        let error = steps.take("second", || Err::<(), _>(anyhow!("no luck"))).unwrap_err();
        assert_eq!(format!("{error:#}"), "the step `second` failed: no luck");
        let summary = steps.summary(false);
        assert!(summary.starts_with("try FAILED in 0."), "{summary}");
        assert!(summary.contains("first 0.") && summary.contains(", second 0."), "{summary}");
    }
}
