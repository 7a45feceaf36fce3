//! All sessions of one device or key: what is meant for a device, and the end of credentials.

use std::sync::Arc;

use protocol::{CommandId, DeviceId, GrantId, KeyId, Topic};
use uuid::Uuid;

use super::{Entry, Sessions};
use crate::access::Identity;
use crate::codec::Qos;
use crate::filter;
use crate::message::Message;
use crate::session::{How, Session, SessionKey, State};
use crate::sign_in::Credential;

impl Sessions {
    /// Ends the connections of a device, with a version 5 reason; its sessions go with them.
    pub(crate) fn close_device(&self, device: DeviceId, reason: u8) {
        self.close(Identity::Device(device), reason);
    }

    /// What open connections of a device signed in with beside its secret.
    pub(crate) fn credentials(&self, device: DeviceId) -> Vec<Credential> {
        let inner = self.lock();
        let connected = inner.entries(Identity::Device(device)).filter(|entry| entry.away.is_none());
        connected.filter_map(|entry| entry.credential).collect()
    }

    /// The certificate that signed in the connection of a session, by its fingerprint.
    pub(crate) fn certificate(&self, key: &SessionKey) -> Option<[u8; 32]> {
        match self.lock().by_key.get(key)?.credential {
            Some(Credential::Certificate(fingerprint)) => Some(fingerprint),
            Some(Credential::Token { .. }) | None => None,
        }
    }

    /// Ends the connections of an identity that signed in with a credential; the sessions stay.
    pub(crate) fn close_credential(&self, identity: Identity, credential: Credential, reason: u8) {
        for entry in self.lock().entries(identity) {
            if entry.credential == Some(credential)
                && let Some(link) = &entry.session.state().link
            {
                link.close(reason);
            }
        }
    }

    /// The API keys that open connections signed in with.
    pub(crate) fn keys(&self) -> Vec<KeyId> {
        self.connected(|identity, _| if let Identity::Service(key) = identity { Some(key) } else { None })
    }

    /// The grants whose access tokens they signed in with: who it was, and on what terms.
    pub(crate) fn grants(&self) -> Vec<(GrantId, Identity, Credential)> {
        self.connected(|identity, credential| match credential {
            Some(token @ Credential::Token { grant, .. }) => Some((grant, identity, token)),
            _ => None,
        })
    }

    fn connected<T: PartialEq>(&self, which: impl Fn(Identity, Option<Credential>) -> Option<T>) -> Vec<T> {
        let inner = self.lock();
        let connected = inner.by_key.iter().filter(|(_, entry)| entry.away.is_none());
        let which = |(key, entry): (&SessionKey, &Entry)| which(key.identity, entry.credential);
        let mut found: Vec<T> = connected.filter_map(which).collect();
        found.dedup(); // they come in the order of their identities
        found
    }

    /// Ends the connections that signed in with an API key.
    pub(crate) fn close_key(&self, key: KeyId, reason: u8) {
        self.close(Identity::Service(key), reason);
    }

    /// Ends the connections that signed in with an access token of a grant.
    pub(crate) fn close_grant(&self, grant: GrantId, reason: u8) {
        self.close(Identity::Granted(grant), reason);
    }

    fn close(&self, identity: Identity, reason: u8) {
        let mut inner = self.lock();
        for session in inner.of(identity).cloned().collect::<Vec<_>>() {
            let mut state = session.state();
            if let Some(link) = state.link.take() {
                link.close(reason);
            }
            state.generation += 1;
            drop(state);
            self.forget(&mut inner, &session);
        }
        self.hand_on(inner);
    }

    /// Tells every connection to end; the sessions stay.
    pub(crate) fn close_all(&self, reason: u8) {
        for entry in self.lock().by_key.values() {
            if let Some(link) = &entry.session.state().link {
                link.close(reason);
            }
        }
    }

    /// Hands `message` to each session of the device that subscribed to its topic; true if one took it.
    pub(crate) fn deliver_to_device(&self, device: DeviceId, message: &Message) -> bool {
        self.deliver_to(device, message, |_| true)
    }

    fn deliver_to(&self, device: DeviceId, message: &Message, takes: impl Fn(&State) -> bool) -> bool {
        let sessions: Vec<_> = self.lock().of(Identity::Device(device)).cloned().collect();
        let (now, number) = (self.clock.now(), self.dispatch.number());
        let mut delivered = false;
        for session in sessions {
            let how = {
                let state = session.state();
                if takes(&state) { state.how(message.topic()) } else { None }
            };
            if let Some(mut how) = how {
                how.retain = message.retain();
                delivered |= session.deliver(message, number, how, now).taken;
            }
        }
        delivered
    }

    /// Hands `message` to each connection of the device that subscribed to its topic; true if one took it. Sessions without a
    /// connection do not get it.
    pub(crate) fn reach_device(&self, device: DeviceId, message: &Message) -> bool {
        self.deliver_to(device, message, State::is_reached)
    }

    /// Whether a connection of the device has subscribed to its commands.
    pub(crate) fn listens(&self, device: DeviceId) -> bool {
        let topic = Topic::Command { device, command: CommandId::from_uuid(Uuid::nil()) }.to_string();
        let listens = |session: &Arc<Session>| {
            let state = session.state();
            state.is_reached() && state.how(&topic).is_some()
        };
        self.lock().of(Identity::Device(device)).any(listens)
    }

    /// Whether any connection of the identity is open.
    pub(crate) fn is_connected(&self, identity: Identity) -> bool {
        self.lock().of(identity).any(|session| session.state().link.is_some())
    }
}

impl State {
    /// Whether it has a connection that gets what the platform has for a device.
    fn is_reached(&self) -> bool {
        self.link.is_some() && self.greeted == self.generation
    }

    /// How the session gets a message on `topic` by its own list of subscriptions; none where none matches.
    fn how(&self, topic: &str) -> Option<How> {
        let mut found: Option<How> = None;
        for subscribed in self.subscriptions.iter().filter(|known| filter::matches(&known.filter, topic)) {
            let how = found.get_or_insert_with(How::default);
            how.qos = how.qos.max(Qos::of(subscribed.options));
            how.identifiers.extend(subscribed.identifier);
        }
        found
    }
}
