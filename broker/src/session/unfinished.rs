//! What a session leaves to the other members of its groups.

use super::{State, Subscribed};
use crate::codec::Qos;
use crate::filter;
use crate::message::Message;

impl State {
    /// Messages of QoS 1 that the client has not acknowledged and that it may have as the member of a group: each with the
    /// place of the group among `subscriptions`. Those of QoS 2 go to nobody else (MQTT-4.8.2-5).
    pub(crate) fn unfinished(&self, subscriptions: &[Subscribed]) -> Vec<(Message, usize)> {
        let groups: Vec<(usize, &str)> = subscriptions
            .iter()
            .enumerate()
            .filter_map(|(index, subscribed)| match filter::share(&subscribed.filter) {
                (Some(_), filter) => Some((index, filter)),
                (None, _) => None,
            })
            .collect();
        if groups.is_empty() {
            return Vec::new();
        }
        let waiting = self.inflight.iter().chain(&self.pending).filter(|it| it.qos == Qos::AtLeastOnce);
        let group_of = |message: &Message| {
            groups
                .iter()
                .find(|(_, filter)| filter::matches(filter, message.topic()))
                .map(|(index, _)| *index)
        };
        waiting.filter_map(|it| Some((it.message.clone(), group_of(&it.message)?))).collect()
    }
}
