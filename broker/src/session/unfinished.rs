//! What a session leaves to the other members of its groups.

use std::sync::Arc;

use super::{Stage, State};
use crate::codec::Qos;
use crate::dispatch::Group;
use crate::message::Message;

/// Messages with the groups they came through.
pub(crate) type Unfinished = Vec<(Arc<Group>, Message)>;

impl State {
    /// Messages that the client got as the member of a group and is not done with, in their order: those with QoS 1 that it
    /// did not acknowledge, and those with QoS 2 that were never sent to it. Others of QoS 2 go to nobody else
    /// (MQTT-4.8.2-5).
    pub(crate) fn unfinished(&self) -> Unfinished {
        let sent = self.inflight.iter().filter(|it| it.qos == Qos::AtLeastOnce);
        let waiting = self.pending.iter().filter(|it| match it.qos {
            Qos::AtMostOnce => false,
            Qos::AtLeastOnce => true,
            Qos::ExactlyOnce => it.stage == Stage::Queued,
        });
        sent.chain(waiting)
            .filter_map(|it| Some((Arc::clone(it.group.as_ref()?), it.message.clone())))
            .collect()
    }
}
