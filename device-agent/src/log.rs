//! The latest lines of the agent's own log, for whoever asks from afar.
//!
//! They are in memory and bounded: a card that is written with every line wears out, and what must survive the program is
//! with the service manager, which has the same lines from standard error. Only what is told at the level `info` or above
//! is kept, and by the agent's own modules: further down, and in libraries, lines may name what was heard as it was heard,
//! which shall leave the device under pseudonyms only.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::Timestamp;
use protocol::command::MAX_ARGS_BYTES;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::Clock;

/// Bytes that are kept: some thousand lines, in a program of eight megabytes.
const MOST_BYTES: usize = 128 * 1024;

/// Bytes of a line that are kept.
const LONGEST: usize = 1_024;

/// Characters of a text that is looked for.
const LONGEST_WANTED: usize = 128;

/// The latest lines; clones are the same. It hears of them as a layer of `tracing`.
#[derive(Clone, Debug)]
pub struct Log {
    clock: Clock,
    lines: Arc<Mutex<Lines>>,
}

/// Which lines are wanted: the arguments of `logs.get`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Not those before, on the device's own clock.
    pub from: Timestamp,
    /// Not those after.
    pub to: Timestamp,
    /// Only those that are at least so grave.
    #[serde(default)]
    pub level: Gravity,
    /// Only those with this text in them, in this case.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub contains: String,
}

/// How grave a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gravity {
    /// What happens.
    #[default]
    Info,
    /// What should be looked at.
    Warn,
    /// What is lost or broken.
    Error,
}

#[derive(Debug, Default)]
struct Lines {
    /// Oldest first.
    lines: VecDeque<Line>,
    bytes: usize,
}

#[derive(Debug, Serialize)]
struct Line {
    at: Timestamp,
    level: Gravity,
    /// The module that says it.
    target: &'static str,
    text: Box<str>,
}

impl Log {
    /// An empty one, whose lines are stamped by this clock.
    pub fn new(clock: Clock) -> Self {
        Self { clock, lines: Arc::default() }
    }

    /// The lines that are wanted, oldest first, in as many bytes of JSON as an answer may give back; of more than that the
    /// latest, and `truncated` is true: `{"lines":[{"at","level","target","text"}],"truncated"}`.
    pub fn answer(&self, query: &Query) -> Value {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut room = MAX_ARGS_BYTES - r#"{"lines":[],"truncated":false}"#.len();
        let mut latest = VecDeque::new();
        let mut truncated = false;
        for line in lines.lines.iter().rev().filter(|line| query.wants(line)) {
            let Ok(line) = serde_json::to_value(line) else { continue };
            // With its comma.
            let bytes = line.to_string().len() + 1;
            if bytes > room {
                truncated = true;
                break;
            }
            room -= bytes;
            latest.push_front(line);
        }
        json!({"lines": latest, "truncated": truncated})
    }

    fn note(&self, line: Line) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.bytes += line.bytes();
        lines.lines.push_back(line);
        while lines.bytes > MOST_BYTES {
            let Some(oldest) = lines.lines.pop_front() else { break };
            lines.bytes -= oldest.bytes();
        }
    }
}

impl Query {
    /// What is wrong with it, if something is.
    pub fn fault(&self) -> Option<&'static str> {
        if self.from > self.to {
            return Some("`from` is not after `to`");
        }
        let is_long = self.contains.chars().count() > LONGEST_WANTED;
        is_long.then_some("`contains` has 128 characters at most")
    }

    fn wants(&self, line: &Line) -> bool {
        (self.from..=self.to).contains(&line.at)
            && line.level >= self.level
            && line.text.contains(&self.contains)
    }
}

impl Line {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.len()
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if !metadata.target().starts_with(env!("CARGO_CRATE_NAME")) {
            return;
        }
        let level = match *metadata.level() {
            Level::ERROR => Gravity::Error,
            Level::WARN => Gravity::Warn,
            Level::INFO => Gravity::Info,
            _ => return,
        };
        let mut text = Text::default();
        event.record(&mut text);
        let text = text.finish();
        self.note(Line { at: self.clock.now(), level, target: metadata.target(), text });
    }
}

/// A line as it is written: the sentence, then its fields.
#[derive(Debug, Default)]
struct Text {
    sentence: String,
    fields: String,
}

impl Text {
    fn finish(self) -> Box<str> {
        let mut text = self.sentence + &self.fields;
        if text.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|&end| text.is_char_boundary(end)).unwrap_or_default();
            text.truncate(end);
            text.push('…');
        }
        text.into()
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a text cannot fail.
        let _ = match field.name() {
            "message" => write!(self.sentence, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests;
