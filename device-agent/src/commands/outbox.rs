//! What waits to be told, in the order in which it happened.
//!
//! Messages are made when they are fetched: an answer is the last there is, and what it reports is what is so now. So an
//! answer that is sent again days later never sets the platform's picture of the device back.

use std::collections::{BTreeMap, VecDeque};

use protocol::{Ack, AckStatus, CommandId};
use serde_json::{Map, Value};

use crate::journal::Journal;

/// How many posts may wait when answers are added that can be left out.
const MOST_POSTS: usize = 4_096;

/// A message to the platform.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// How far a command got.
    Ack(CommandId, Ack),
    /// What changed of the reported state.
    Reported(Map<String, Value>),
}

/// Which answer the broker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// To which command.
    pub command: CommandId,
    /// Which one.
    pub status: AckStatus,
}

impl Message {
    /// What its acknowledgement is worth.
    pub fn receipt(&self) -> Option<Receipt> {
        match self {
            Self::Ack(command, ack) => Some(Receipt { command: *command, status: ack.status }),
            Self::Reported(_) => None,
        }
    }
}

/// Something to be told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Post {
    /// The whole state.
    Whole,
    /// A part of the state.
    Changed(Map<String, Value>),
    /// The answer to a command, unless it was told on this connection or is acknowledged.
    Answer(CommandId),
    /// The answer to a command, told or not.
    Again(CommandId),
    /// The answer to a command that is not in the journal.
    TurnedAway(CommandId, Ack),
}

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    posts: VecDeque<Post>,
    /// The last answers handed to this connection, by command.
    told: BTreeMap<CommandId, AckStatus>,
    joined: bool,
}

impl Outbox {
    /// Adds something; what only says what a new connection begins with anyway is left out without one.
    ///
    /// A platform that sends faster than it takes answers goes without those that are not in the journal or were given
    /// before: such a command comes again with the next connection.
    pub(super) fn push(&mut self, post: Post) {
        let can_be_left_out = matches!(post, Post::Again(_) | Post::TurnedAway(..));
        let is_needed = if can_be_left_out { self.posts.len() < MOST_POSTS } else { self.joined };
        if is_needed {
            self.posts.push_back(post);
        }
    }

    pub(super) fn join(&mut self, unacknowledged: Vec<CommandId>) {
        self.joined = true;
        self.told.clear();
        self.posts.push_front(Post::Whole);
        self.posts.extend(unacknowledged.into_iter().map(Post::Answer));
    }

    pub(super) fn part(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.posts.is_empty()
    }

    /// The next message; none as long as the disk does not have what it would say.
    pub(super) fn next(&mut self, journal: &Journal, whole: &Map<String, Value>) -> Option<Message> {
        if !self.joined {
            return None;
        }
        loop {
            let post = self.posts.front()?;
            if matches!(post, Post::Answer(_) | Post::Again(_)) && !journal.is_sound() {
                return None;
            }
            let message = match post {
                Post::Whole => Some(Message::Reported(whole.clone())),
                Post::Changed(patch) => Some(Message::Reported(current(patch, whole))),
                Post::TurnedAway(id, ack) => Some(Message::Ack(*id, ack.clone())),
                Post::Answer(id) => journal
                    .get(*id)
                    .filter(|entry| !entry.acknowledged && self.told.get(id) != Some(&entry.ack.status))
                    .map(|entry| Message::Ack(*id, with_current(&entry.ack, whole))),
                Post::Again(id) => {
                    journal.get(*id).map(|entry| Message::Ack(*id, with_current(&entry.ack, whole)))
                }
            };
            if message.is_some() {
                return message;
            }
            self.posts.pop_front();
        }
    }

    /// Notes that the next message was handed to the connection.
    pub(super) fn handed_over(&mut self, journal: &Journal) {
        if let Some(Post::Answer(id) | Post::Again(id)) = self.posts.pop_front()
            && let Some(entry) = journal.get(id)
        {
            self.told.insert(id, entry.ack.status);
        }
    }

    /// Forgets what was told of a command that has its final acknowledgement.
    pub(super) fn settled(&mut self, id: CommandId) {
        self.told.remove(&id);
    }
}

fn with_current(ack: &Ack, state: &Map<String, Value>) -> Ack {
    Ack { reported: ack.reported.as_ref().map(|patch| current(patch, state)), ..ack.clone() }
}

/// The same parts as they are now.
fn current(patch: &Map<String, Value>, state: &Map<String, Value>) -> Map<String, Value> {
    patch.keys().filter_map(|name| Some((name.clone(), state.get(name)?.clone()))).collect()
}
