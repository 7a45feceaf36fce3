//! What a client may get, decided from what it did and not from what the server thinks.

use std::collections::{BTreeSet, HashMap};

use super::client::Delivery;
use super::ground::{HIDDEN, Person};
use crate::access::Identity;
use crate::filter;

/// What is known of the session of one person and client id.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Filters asked for since it began.
    pub(super) filters: Vec<String>,
    /// Numbers of the messages that came for the first time.
    seen: BTreeSet<u16>,
    /// Packet ids of QoS 2 messages that the server has and the client did not release.
    pub(super) held: BTreeSet<u16>,
    /// Its client sent what nobody kept account of, a SUBSCRIBE perhaps.
    pub(super) is_wild: bool,
    /// Whether it may wait without a connection.
    pub(super) durable: bool,
}

impl Known {
    /// Whether the message has come.
    pub(super) fn has(&self, number: u16) -> bool {
        self.seen.contains(&number)
    }

    /// The server has no session: whatever was subscribed to before counts no more, but for what was just asked for.
    pub(super) fn begin_anew(&mut self) {
        self.filters.clear();
        self.seen.clear();
        self.held.clear();
        self.is_wild = false;
    }
}

/// The promises of one connection's CONNECT and CONNACK.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) receive_maximum: usize,
    pub(super) aliases: u16,
    pub(super) largest: usize,
    /// A device publishes nothing but its own, by its will neither.
    pub(super) may_come_in: bool,
    /// Whether the session may be an older one.
    pub(super) may_go_on: bool,
}

/// What is under way on one connection.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// Packet ids that the client has not done with.
    pub(super) ids: BTreeSet<u16>,
    aliases: HashMap<u16, String>,
    /// The client sent what nobody kept account of.
    pub(super) is_wild: bool,
    /// Another connection has the session by now: what still comes was for the one before.
    pub(super) is_old: bool,
}

/// A payload that says who wrote it, and its number.
pub(super) fn payload(person: u8, number: u16, pad: usize) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    let mut payload = vec![b'#', person, high, low];
    payload.resize(4 + pad, b'.');
    payload
}

/// A message came on a connection of `person`.
pub(super) fn check(
    people: &[Person],
    person: usize,
    terms: &Terms,
    under_way: &mut UnderWay,
    known: &mut Known,
    never: &BTreeSet<u16>,
    (delivery, len): (&Delivery, usize),
) {
    let Delivery { qos, dup, retain, id, topic, alias, payload } = delivery;
    assert!(len <= terms.largest, "a packet of {len} bytes for a client that takes {}", terms.largest);
    let topic = match alias {
        None => topic.clone(),
        Some(alias) => {
            assert!(*alias > 0 && *alias <= terms.aliases, "topic alias {alias} of {}", terms.aliases);
            if !topic.is_empty() {
                under_way.aliases.insert(*alias, topic.clone());
            }
            under_way.aliases.get(alias).expect("an alias that was set").clone()
        }
    };
    assert!(!topic.is_empty() && !topic.contains(['+', '#']), "topic {topic:?}");
    if *qos > 0 && !under_way.is_wild {
        assert!(under_way.ids.len() < terms.receive_maximum, "more at once than the client takes");
        assert!(under_way.ids.insert(*id), "packet id {id} is under way already");
    }
    let me = &people[person];
    assert!(may_hear(me, &topic), "{:?} hears {topic}", me.identity);
    let matches = |path: &String| filter::matches(filter::share(path).1, &topic);
    let subscribed = known.is_wild || under_way.is_old || known.filters.iter().any(matches);
    assert!(subscribed, "{topic} was not subscribed to: {:?}", known.filters);
    if let &[b'#', author, high, low, ..] = payload.as_slice() {
        let author = &people[usize::from(author)];
        assert_eq!(author.organization, me.organization, "{topic} left its organization");
        let number = u16::from_be_bytes([high, low]);
        assert!(!never.contains(&number), "message {number} came under a packet id that was not free");
        let shares = known.is_wild || known.filters.iter().any(|path| path.starts_with("$share/"));
        if !dup && !retain && !shares && !under_way.is_old {
            assert!(known.seen.insert(number), "message {number} came twice");
        }
    }
}

/// Whether somebody may ever get a message of the topic, whatever they subscribed to.
fn may_hear(me: &Person, topic: &str) -> bool {
    let platform = topic == "v1" || topic.starts_with("v1/");
    match me.identity {
        Identity::Device(device) => topic.starts_with(&format!("v1/{device}/")),
        Identity::Service(_) | Identity::Granted(_) if platform => {
            topic.starts_with(&format!("v1/organizations/{}/devices/", me.organization))
        }
        Identity::Service(_) | Identity::Granted(_) => topic == "a" || topic.starts_with("a/"),
        Identity::Anonymous => {
            !platform && !topic.starts_with("$SYS") && !topic.starts_with(HIDDEN.trim_end_matches('#'))
        }
    }
}

/// Whether a SUBACK may grant the filter.
pub(super) fn may_subscribe(me: &Person, path: &str) -> bool {
    let (share, filter) = filter::share(path);
    let platform = filter == "v1" || filter.starts_with("v1/");
    match me.identity {
        Identity::Device(device) => share.is_none() && filter.starts_with(&format!("v1/{device}/")),
        Identity::Service(_) | Identity::Granted(_) if platform => {
            filter.starts_with(&format!("v1/organizations/{}/devices/", me.organization))
        }
        Identity::Service(_) | Identity::Granted(_) => filter.starts_with("a/"),
        Identity::Anonymous => {
            !platform && !filter.starts_with("$SYS") && !filter.starts_with(HIDDEN.trim_end_matches('#'))
        }
    }
}
