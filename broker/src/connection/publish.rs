//! What a client publishes: checked for access, then sent on its way.

use protocol::Topic;
use tokio::time::Instant;

use super::{Connection, End};
use crate::access::{Identity, Route};
use crate::codec::{Publish, Version, reason};
use crate::ingest::Reply;
use crate::message::Message;

impl Connection<'_> {
    pub(super) async fn publish(&mut self, publish: &Publish<'_>) -> Result<(), End> {
        self.front.metrics.received.inc();
        if self.pings_topic == publish.topic
            && let Identity::Device(device) = self.access.identity
        {
            if let Some(id) = publish.id {
                self.acks.push_back((id, None));
            }
            let reply = publish.id.map(|id| Reply { link: std::sync::Arc::clone(&self.link), id });
            let content_type = publish.properties.content_type();
            self.front.ingest.take(device, publish.payload, content_type, reply, Instant::now()).await;
            return Ok(());
        }
        if self.access.publish(publish.topic) != Some(Route::Free) {
            return self.refuse_publish(publish);
        }
        let properties = publish.properties.raw();
        let (qos, session) = (publish.qos(), self.session.id);
        self.forward(&Message::new(publish.topic, publish.payload, properties, qos, publish.retain, session))
            .await;
        if let Some(id) = publish.id {
            self.acks.push_back((id, Some(reason::SUCCESS)));
        }
        Ok(())
    }

    /// Access refused: version 5 has a code for QoS 1, everything else ends the connection.
    fn refuse_publish(&mut self, publish: &Publish<'_>) -> Result<(), End> {
        match publish.id {
            Some(id) if self.version == Version::V5 => {
                self.front.metrics.refuse("publish_not_authorized");
                self.acks.push_back((id, Some(reason::NOT_AUTHORIZED)));
                Ok(())
            }
            _ => Err(End::Refused(reason::NOT_AUTHORIZED, "publish_not_authorized")),
        }
    }

    pub(super) async fn publish_will(&self, will: &Message) {
        // The access was checked when the client connected; only free topics are forwarded as they are.
        if let Some(Route::Free) = self.access.publish(will.topic()) {
            self.forward(will).await;
        }
    }

    async fn forward(&self, message: &Message) {
        if message.retain() && !self.front.retained.set(message) {
            self.front.metrics.refuse("retained_budget");
        }
        self.front.bus.publish(message).await;
    }

    /// Tells the organization that its device came or went, if this connection made a difference.
    pub(super) async fn announce(&self) {
        if let (Identity::Device(device), Some(organization)) =
            (self.access.identity, self.access.organization)
        {
            self.front.announce_device(organization, device).await;
        }
    }
}

/// The topic a device's own pings come on; nothing a client can name where the identity is not a device.
pub(super) fn pings_topic(identity: Identity) -> String {
    match identity {
        Identity::Device(device) => Topic::Pings(device).to_string(),
        _ => String::new(),
    }
}
