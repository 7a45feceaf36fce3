//! What a client publishes: checked for access, then sent on its way.

use std::time::Duration;

use protocol::{Batch, DeviceId, Limit, Topic};
use tokio::time::{Instant, sleep};

use super::answers::Owed;
use super::{Connection, End, Reply, Step, Wait};
use crate::access::{Identity, Route};
use crate::codec::{Ack, DecodeError, Publish, Qos, Version, reason};
use crate::ingest::{Awaited, Incoming};
use crate::journal::expiry;
use crate::limits::PATIENCE;
use crate::message::{Draft, Message};
use crate::reporters::{self, Outcome};

impl Connection<'_> {
    pub(super) fn publish(&mut self, publish: &Publish<'_>) -> Result<Step, End> {
        if let Some(room) = self.front.dispatch.room() {
            return Ok(Step::Again(room));
        }
        self.front.metrics.received.inc();
        let named;
        let topic = match publish.alias {
            None => publish.topic,
            Some(alias) => {
                named = self.named.resolve(alias, publish.topic).map_err(End::Broken)?;
                &named
            }
        };
        let registry = &self.front.sign_in.registry;
        let route = if *self.pings_topic == *topic {
            Some(Route::Pings)
        } else {
            self.access.publish(topic).or_else(|| reporters::route(registry, &self.access, topic))
        };
        let Some(route) = route else {
            return self.refuse_publish(publish, reason::NOT_AUTHORIZED, "publish_not_authorized");
        };
        let pings = route == Route::Pings;
        // What came before is answered as before, whatever it would cost now. A batch is known by its number instead, an ack by
        // its command: sent again, it is acknowledged again after its commit.
        let is_free = route == Route::Free;
        let exactly_once = publish.id.filter(|_| publish.qos == Qos::ExactlyOnce && is_free);
        if let Some(id) = exactly_once.filter(|id| self.session.holds(*id)) {
            self.answers.owe(Ack::Pubrec, id, Some(reason::SUCCESS));
            return Ok(Step::Done);
        }
        if publish.id.is_some() {
            self.check_quota()?;
        }
        let pause = match self.allowance.take(topic.len() + publish.payload.len()) {
            Ok(pause) => pause,
            Err(over) => {
                let is_refused = publish.id.is_none() || self.version == Version::V5;
                let wait = match self.access.identity {
                    // Entered among the losses of the device and in its receipt, so that it can be sent again.
                    Identity::Device(device) if pings && is_refused => {
                        self.take_batch(device, publish, None, over.of_messages())
                    }
                    Identity::Device(device) if route == Route::Sightings && is_refused => {
                        self.take_sightings(device, publish, None, over.of_messages())
                    }
                    _ => None,
                };
                return Ok(match self.over(publish, over.0)? {
                    Step::Done => after(wait, Duration::ZERO),
                    step => step,
                });
            }
        };
        if publish.properties.claims_text() && std::str::from_utf8(publish.payload).is_err() {
            let error = DecodeError::PayloadFormat;
            return self.refuse_publish(publish, error.reason(), error.cause());
        }
        match (self.access.identity, route) {
            (Identity::Device(device), Route::Pings) => {
                let reply = self.promise(publish);
                Ok(after(self.take_batch(device, publish, reply, None), pause))
            }
            (Identity::Device(device), Route::Sightings) => {
                let reply = self.promise(publish);
                Ok(after(self.take_sightings(device, publish, reply, None), pause))
            }
            (_, Route::Aside) => {
                let reply = self.promise(publish);
                self.scanned(Outcome::Aside, reply);
                Ok(after(None, pause))
            }
            (Identity::Device(device), Route::Telemetry) => Ok(self.take_telemetry(device, publish, pause)),
            (Identity::Device(device), Route::Control(subject)) => {
                let reply = self.promise(publish);
                let who = (self.access.organization, device);
                Ok(after(self.front.control.hear(who, subject, publish.payload, reply), pause))
            }
            (Identity::Device(device), Route::Renewal) => {
                let reply = self.promise(publish);
                let with = self.front.sessions.certificate(&self.session.key);
                let who = (self.access.organization, device);
                self.front.renewals.take(who, with, publish.payload, reply);
                Ok(after(None, pause))
            }
            (_, Route::Order(device, author)) => {
                let reply = self.promise(publish);
                let who = (self.access.organization, author);
                Ok(after(self.front.control.order(who, device, publish.payload, reply), pause))
            }
            _ => {
                // A crash between the two would lose the message: its client would be told that it is here.
                let _together = exactly_once.map(|_| self.front.journal.together());
                if exactly_once.is_some_and(|id| !self.session.take_in(self.generation, id)) {
                    return Err(End::Closed(reason::SESSION_TAKEN_OVER));
                }
                self.forward(publish, topic, pause)
            }
        }
    }

    /// An acknowledgement that is owed once what was published is committed.
    fn promise(&mut self, publish: &Publish<'_>) -> Option<Reply> {
        let (id, ack) = (publish.id?, acknowledgement(publish.qos));
        self.answers.owe(ack, id, None);
        Some(self.reply(Owed::Ack(ack), id))
    }

    /// Hands a batch of the device's own pings to ingest; one over a `limit` only to be refused there.
    fn take_batch(
        &self,
        device: DeviceId,
        publish: &Publish<'_>,
        reply: Option<Reply>,
        limit: Option<Limit>,
    ) -> Option<Wait> {
        let incoming = Incoming {
            decoded: Batch::decode(publish.payload, publish.properties.content_type()),
            reply: reply.map(Awaited::Acknowledgement),
            observed: self.observed.clone(),
            limit,
        };
        self.front.ingest.take(device, incoming, Instant::now())
    }

    /// Hands on what beacons say of themselves; it is acknowledged once it is read.
    fn take_telemetry(&mut self, device: DeviceId, publish: &Publish<'_>, pause: Duration) -> Step {
        let observed = self.observed.as_deref();
        let taken = self.front.beacons.take(device, publish.payload, observed, Instant::now());
        if let Some(id) = publish.id {
            self.answers.owe(acknowledgement(publish.qos), id, Some(taken.code));
        }
        after(None, pause.max(taken.pause))
    }

    /// The message would have to wait too long: version 5 is told so. Of whom cannot be told, a QoS 0 message is given up and
    /// others wait all the same.
    fn over(&mut self, publish: &Publish<'_>, limit: &'static str) -> Result<Step, End> {
        match publish.id {
            Some(_) if self.version == Version::V5 => {
                self.refuse_publish(publish, reason::QUOTA_EXCEEDED, limit)
            }
            Some(_) => Ok(self.wait(limit)),
            None => {
                self.limited(limit);
                Ok(Step::Done)
            }
        }
    }

    /// The same packet again, after a while.
    fn wait(&self, limit: &'static str) -> Step {
        if let Some(observed) = &self.observed {
            observed.limited(limit, self.front.clock.now());
        }
        Step::Again(Box::pin(sleep(PATIENCE)))
    }

    fn forward(&mut self, publish: &Publish<'_>, topic: &str, pause: Duration) -> Result<Step, End> {
        let front = self.front;
        let message = Message::new(Draft {
            organization: self.access.organization,
            publisher: self.session.id,
            topic,
            properties: &publish.properties.forwarded(),
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
            expires_at: publish.properties.message_expiry().map(|s| expiry(front.clock.now(), s)),
        });
        let mut kept = false;
        if message.retain() {
            if front.dispatch.retain(&message).is_err() {
                if self.version == Version::V5 && publish.id.is_some() {
                    return self.refuse_publish(publish, reason::QUOTA_EXCEEDED, "retained_budget");
                }
                front.metrics.refuse("retained_budget");
            }
            kept = true;
        }
        let (stored, wait) = front.dispatch.publish(&message);
        front.births.hear(self.access.organization, topic, publish.payload);
        kept |= stored;
        if let Some(id) = publish.id {
            kept |= publish.qos == Qos::ExactlyOnce && self.session.durable;
            let ack = acknowledgement(publish.qos);
            self.answers.owe(ack, id, (!kept).then_some(reason::SUCCESS));
            if kept {
                front.journal.after(self.reply(Owed::Ack(ack), id), reason::SUCCESS);
            }
        }
        Ok(after(wait, pause))
    }

    /// A version 5 client that has more under way than it was offered breaks the protocol (MQTT-3.3.4-7, section 4.9).
    fn check_quota(&self) -> Result<(), End> {
        let under_way = self.answers.pubacks() + self.session.held();
        let maximum = usize::from(self.front.config.receive_maximum);
        if self.version == Version::V5 && under_way >= maximum {
            return Err(End::Broken(DecodeError::ReceiveMaximum));
        }
        Ok(())
    }

    /// Refused: version 5 has a code for QoS 1 and 2, everything else ends the connection.
    fn refuse_publish(&mut self, publish: &Publish<'_>, code: u8, cause: &'static str) -> Result<Step, End> {
        match publish.id {
            Some(id) if self.version == Version::V5 => {
                let is_limit = code == reason::QUOTA_EXCEEDED;
                if is_limit {
                    self.limited(cause);
                } else {
                    self.refuse(cause);
                }
                self.session.release(id);
                let limit = (is_limit && self.explains).then_some(cause);
                self.answers.refuse(acknowledgement(publish.qos), id, code, limit);
                Ok(Step::Done)
            }
            _ => Err(End::Refused(code, cause)),
        }
    }
}

/// Nothing more is read before both are over.
fn after(wait: Option<Wait>, pause: Duration) -> Step {
    match wait {
        None if pause.is_zero() => Step::Done,
        None => Step::After(Box::pin(sleep(pause))),
        Some(wait) if pause.is_zero() => Step::After(wait),
        Some(wait) => Step::After(Box::pin(async move {
            wait.await;
            sleep(pause).await;
        })),
    }
}

fn acknowledgement(qos: Qos) -> Ack {
    if qos == Qos::ExactlyOnce { Ack::Pubrec } else { Ack::Puback }
}

/// The topic a device's own pings come on; nothing a client can name where the identity is not a device.
pub(super) fn pings_topic(identity: Identity) -> Box<str> {
    match identity {
        Identity::Device(device) => Topic::Pings(device).to_string().into(),
        _ => Box::default(),
    }
}
