//! The journal's lines: JSON objects, each a change of what is known.

use protocol::{Ack, AckStatus, CommandId, Timestamp};
use serde::{Deserialize, Serialize};

use super::entry::{Entry, Order, Terms};

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(super) enum Line {
    /// A command is to be run.
    Accepted { command: CommandId, order: Order, terms: Terms },
    /// A command will not be run, or not again.
    Closed { command: CommandId, terms: Terms, ack: Ack },
    /// Its effect begins.
    Begun { command: CommandId },
    /// It is over.
    Ended { command: CommandId, ack: Ack },
    /// The platform has this answer.
    Acknowledged { command: CommandId, status: AckStatus },
    /// The desired twin of this version was followed.
    Followed { version: u64 },
    /// Of what is signed until then nonces are forgotten.
    Spent { until: Timestamp },
}

impl Line {
    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("ids, texts, numbers and JSON are JSON")
    }
}

/// The lines that say all that is known of a command.
pub(super) fn of(command: CommandId, entry: &Entry) -> Vec<Line> {
    let (ack, terms) = (entry.ack.clone(), entry.terms.clone());
    let mut lines = Vec::new();
    match &entry.order {
        Some(order) => {
            lines.push(Line::Accepted { command, order: order.clone(), terms });
            if entry.is_begun() {
                lines.push(Line::Begun { command });
            }
        }
        None => lines.push(Line::Closed { command, terms, ack }),
    }
    if entry.acknowledged {
        lines.push(Line::Acknowledged { command, status: entry.ack.status });
    }
    lines
}
