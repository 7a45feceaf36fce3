//! Progress of a simulated day for whoever watches.

use crate::{Day, Progress};
use std::io::{IsTerminal, Write};

/// One line that is written over on a terminal, one line for each tenth of the day elsewhere.
#[derive(Debug, Default)]
pub struct ProgressLine {
    shown: Option<u32>,
}

impl ProgressLine {
    /// Shows where the day is, if that differs from what is shown.
    pub fn show(&mut self, day: &Day, progress: Progress) {
        let mut out = std::io::stderr();
        let steps = if out.is_terminal() { 200.0 } else { 10.0 };
        let step = (progress.share * steps) as u32;
        if self.shown == Some(step) {
            return;
        }
        self.shown = Some(step);
        let (start, end) = if out.is_terminal() { ("\r", "") } else { ("", "\n") };
        let clock = day.clock(progress.at);
        // Progress is a courtesy: a closed pipe must not end the run.
        let _ =
            write!(out, "{start}{clock}  {:3.0} %  {:>9} pings{end}", progress.share * 100.0, progress.pings);
    }

    /// Ends the line and says what was sent in all.
    pub fn end(&self, sent: &Progress) {
        if self.shown.is_some() && std::io::stderr().is_terminal() {
            eprintln!();
        }
        eprintln!("sent {} pings in {} batches, {} of them refused", sent.pings, sent.batches, sent.refused);
    }
}
