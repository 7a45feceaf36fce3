//! What the link hands over beside batches: answers to commands, the reported state, and what beacons say of themselves.

use std::time::Duration;

use protocol::{Telemetry, Topic};

use super::connection::Tag;
use super::{Link, REST, State};
use crate::Clock;
use crate::commands::{Commands, Message};

impl Link {
    /// Hands over what is to be told of commands and of the state, as far as the connection takes it.
    ///
    /// Returns the elapsed time at which to try again if it took less.
    pub fn tell(&mut self, commands: &mut Commands, clock: &Clock) -> Option<Duration> {
        let State::Joined(connection, _) = &self.state else { return None };
        while let Some(message) = commands.next_message() {
            let (topic, body) = match &message {
                Message::Ack(command, ack) => {
                    let topic = Topic::CommandAck { device: self.identity.device, command: *command };
                    (topic, serde_json::to_vec(ack))
                }
                Message::Reported(patch) => {
                    (Topic::TwinReported(self.identity.device), serde_json::to_vec(patch))
                }
            };
            let tag = message.receipt().map_or(Tag::Notice, Tag::Answer);
            if !connection.tell(&topic, body.unwrap_or_default(), tag) {
                return Some(clock.elapsed() + REST);
            }
            self.counters.answers += 1;
            commands.handed_over();
        }
        None
    }

    /// Hands over what beacons said of themselves; false when there is no connection, or no room on it.
    pub fn pass_on(&self, telemetry: &Telemetry) -> bool {
        let State::Joined(connection, _) = &self.state else { return false };
        let body = serde_json::to_vec(telemetry).unwrap_or_default();
        connection.tell(&Topic::Telemetry(self.identity.device), body, Tag::Notice)
    }

    /// Whether it is signed in.
    pub fn is_joined(&self) -> bool {
        matches!(self.state, State::Joined(..))
    }
}
