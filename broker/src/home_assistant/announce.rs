//! What is announced, told again and taken back.

use std::collections::BTreeSet;

use protocol::{DeviceId, OrganizationId, Reported, Topic, VenueId};
use serde_json::Value;
use store::{Device, DeviceFilter, Page, StoreError, Venue, Zone};
use tokio::time::Instant;
use uuid::Uuid;

use super::component::removal;
use super::device::ORIGIN;
use super::{Announcing, TAKEN_UP, device, venue};
use crate::codec::Qos;
use crate::message::Message;
use crate::namespace::Namespace;

/// Items of a page, and twins that are read at once.
const PAGE: u32 = 500;

impl Announcing {
    /// Announces everything that an organization has, where it is not announced so or it is to be told `again`; takes back what
    /// there is no more. Answers the devices.
    pub(super) async fn announce_all(
        &mut self,
        organization: OrganizationId,
        prefix: &str,
        again: bool,
    ) -> Result<Vec<DeviceId>, StoreError> {
        let mut devices = Vec::new();
        let mut page = Page::first(PAGE);
        loop {
            let listed = self.store.devices(organization, DeviceFilter::default(), page).await?;
            for known in &listed.items {
                if let Some(body) = device::announcement(known) {
                    devices.push(known.id);
                    self.announce_device(organization, prefix, known.id, &body, again).await;
                }
            }
            page.cursor = listed.next;
            if page.cursor.is_none() {
                break;
            }
        }
        let venues = self.announce_venues(organization, prefix, again).await?;
        let known: BTreeSet<Uuid> =
            devices.iter().map(DeviceId::as_uuid).chain(venues.iter().map(VenueId::as_uuid)).collect();
        for (topic, id) in self.announced(organization, prefix) {
            if !known.contains(&id) {
                self.withdraw(organization, &topic).await;
            }
        }
        Ok(devices)
    }

    /// Announces the venues of an organization; answers which they are.
    pub(super) async fn announce_venues(
        &self,
        organization: OrganizationId,
        prefix: &str,
        again: bool,
    ) -> Result<Vec<VenueId>, StoreError> {
        let mut venues = Vec::new();
        let mut page = Page::first(PAGE);
        loop {
            let listed = self.store.venues(organization, page).await?;
            for known in &listed.items {
                venues.push(known.id);
                self.announce_venue(prefix, known, again).await?;
            }
            page.cursor = listed.next;
            if page.cursor.is_none() {
                return Ok(venues);
            }
        }
    }

    /// Looks at a device that changed; none where there is no such device any more.
    pub(super) async fn look_at_device(&mut self, id: DeviceId, known: Option<Device>) {
        let body = known.as_ref().and_then(device::announcement);
        let of = known.map(|known| known.organization);
        for (organization, prefix) in self.switches.clone() {
            match &body {
                Some(body) if of == Some(organization) => {
                    self.announce_device(organization, &prefix, id, body, false).await;
                }
                _ => self.withdraw(organization, &topic(&prefix, &id.to_string())).await,
            }
        }
    }

    /// Looks at a venue that changed, or is no more.
    pub(super) async fn look_at_venue(&self, id: VenueId) -> Result<(), StoreError> {
        for (organization, prefix) in &self.switches {
            match self.store.venue(*organization, id).await {
                Ok(known) => self.announce_venue(prefix, &known, false).await?,
                Err(StoreError::NotFound) => {
                    self.withdraw(*organization, &topic(prefix, &id.to_string())).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tells what devices say they are, as when they last said so. Where nothing is retained, this is how it is learned.
    pub(super) async fn tell_states(
        &self,
        organization: OrganizationId,
        devices: &[DeviceId],
    ) -> Result<(), StoreError> {
        for some in devices.chunks(PAGE as usize) {
            for twin in self.store.twins(organization, some).await? {
                if twin.reported.version == 0 {
                    continue;
                }
                let topic = Topic::Reported { organization, device: twin.device }.to_string();
                let reported = Reported { version: twin.reported.version, state: twin.reported.state };
                let body = serde_json::to_vec(&reported).unwrap_or_default();
                let message = Message::of_platform(organization, &topic, &body, Qos::AtLeastOnce, false);
                self.dispatch.publish_patiently(&message).await;
            }
        }
        Ok(())
    }

    /// Takes back everything that was announced below a prefix.
    pub(super) async fn take_back(&self, organization: OrganizationId, prefix: &str) {
        for (topic, _) in self.announced(organization, prefix) {
            self.withdraw(organization, &topic).await;
        }
    }

    /// Takes back what is announced where nothing is to be, since an earlier run ended before it did.
    pub(super) async fn take_back_orphans(&self) {
        for message in self.dispatch.retained.of_free(|topic| topic.ends_with("/config")) {
            let (organization, topic) = (message.organization(), message.topic());
            let prefix = self.switches.get(&organization);
            if announced(&message).is_some_and(|(of, _)| prefix.is_none_or(|prefix| of != prefix)) {
                self.withdraw(organization, topic).await;
            }
        }
    }

    async fn announce_device(
        &mut self,
        organization: OrganizationId,
        prefix: &str,
        id: DeviceId,
        body: &Value,
        again: bool,
    ) {
        if self.announce(organization, &topic(prefix, &id.to_string()), body, again).await {
            self.taken_up.push_back((Instant::now() + TAKEN_UP, organization, id));
        }
    }

    async fn announce_venue(&self, prefix: &str, known: &Venue, again: bool) -> Result<(), StoreError> {
        let mut zones: Vec<Zone> = Vec::new();
        let mut page = Page::first(PAGE);
        loop {
            match self.store.zones(known.organization, known.id, page).await {
                Ok(listed) => {
                    zones.extend(listed.items);
                    page.cursor = listed.next;
                }
                // It was deleted meanwhile, and is about to be looked at again.
                Err(StoreError::NotFound) => return Ok(()),
                Err(error) => return Err(error),
            }
            if page.cursor.is_none() {
                break;
            }
        }
        let body = venue::announcement(known, &zones);
        self.announce(known.organization, &topic(prefix, &known.id.to_string()), &body, again).await;
        Ok(())
    }

    /// Announces something; answers whether that is news.
    async fn announce(&self, organization: OrganizationId, topic: &str, body: &Value, again: bool) -> bool {
        let kept = self.dispatch.retained.get(Namespace::Free(organization), topic);
        let before: Option<Value> = kept.and_then(|kept| serde_json::from_slice(kept.payload()).ok());
        let is_news = before.as_ref() != Some(body);
        if !is_news && !again {
            return false;
        }
        if let Some(without) = before.and_then(|before| without(&before, body)) {
            // Components that are only left out would stay.
            self.publish(organization, topic, &without, false).await;
        }
        self.publish(organization, topic, body, true).await;
        is_news
    }

    async fn publish(&self, organization: OrganizationId, topic: &str, body: &Value, retain: bool) {
        let body = serde_json::to_vec(body).unwrap_or_default();
        let message = Message::of_platform(organization, topic, &body, Qos::AtLeastOnce, retain);
        if retain && self.dispatch.retain(&message).is_err() {
            tracing::warn!(%organization, topic, "no room to keep an announcement");
        }
        self.dispatch.publish_patiently(&message).await;
    }

    /// Takes an announcement back, if there is one, by an empty message.
    async fn withdraw(&self, organization: OrganizationId, topic: &str) {
        if self.dispatch.retained.get(Namespace::Free(organization), topic).is_none() {
            return;
        }
        let message = Message::of_platform(organization, topic, b"", Qos::AtLeastOnce, true);
        // An empty message always finds room.
        let _ = self.dispatch.retain(&message);
        self.dispatch.publish_patiently(&message).await;
    }

    /// What we announced below a prefix: the topic, and of what it is.
    fn announced(&self, organization: OrganizationId, prefix: &str) -> Vec<(String, Uuid)> {
        let kept = self.dispatch.retained.of_free(|topic| topic.starts_with(prefix));
        let of_it = kept.iter().filter(|message| message.organization() == organization);
        let ours = |message: &Message| {
            let (of, id) = announced(message)?;
            (of == prefix).then(|| (message.topic().to_owned(), id))
        };
        of_it.filter_map(ours).collect()
    }
}

/// Where a device or a venue is announced.
fn topic(prefix: &str, id: &str) -> String {
    format!("{prefix}/device/{id}/config")
}

/// The prefix and the id of what a message announces, if it is one of ours.
fn announced(message: &Message) -> Option<(&str, Uuid)> {
    let (prefix, id) = message.topic().strip_suffix("/config")?.rsplit_once("/device/")?;
    let body: Value = serde_json::from_slice(message.payload()).ok()?;
    (body["origin"]["name"] == ORIGIN).then_some(())?;
    Some((prefix, id.parse().ok()?))
}

/// What takes away those components of `before` that are none of `after`; none where there are none of them.
fn without(before: &Value, after: &Value) -> Option<Value> {
    let gone: Vec<_> = before["components"]
        .as_object()?
        .iter()
        .filter(|(key, old)| after["components"][key.as_str()]["platform"] != old["platform"])
        .collect();
    if gone.is_empty() {
        return None;
    }
    let mut without = after.clone();
    for (key, old) in gone {
        without["components"][key] = removal(old);
    }
    Some(without)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn components_that_are_gone_are_taken_away_by_their_platform_alone() {
        let switch = json!({"platform": "switch", "unique_id": "x_on_off"});
        let light = json!({"platform": "light", "unique_id": "x_on_off"});
        let before = json!({"components": {"on_off": switch, "mute": switch}});
        let same = json!({"components": {"on_off": switch, "mute": switch, "more": light}});
        assert_eq!(without(&before, &same), None);
        let fewer = json!({"components": {"on_off": switch}});
        let taken = json!({"components": {"on_off": switch, "mute": {"platform": "switch"}}});
        assert_eq!(without(&before, &fewer), Some(taken));
        let other = json!({"components": {"on_off": light, "mute": switch}});
        let taken = json!({"components": {"on_off": {"platform": "switch"}, "mute": switch}});
        assert_eq!(without(&before, &other), Some(taken), "another platform is another entity");
    }
}
