//! What is told of a venue: who moves, and how many are where, which is kept for those who come later.

use std::collections::BTreeSet;

use protocol::{Movement, Occupancy, OrganizationId, Topic, VenueId};
use store::Admits;

use super::Worker;
use crate::codec::Qos;
use crate::message::Message;

impl Worker {
    /// Occupancy and movements go out as soon as they are known; both may be lost, the rows are what counts.
    pub(super) async fn tell(&mut self, venue: VenueId) {
        let Some(followed) = self.venues.get_mut(&venue) else { return };
        let organization = followed.organization;
        if let Some(occupancy) = followed.fresh_occupancy() {
            self.live.see(organization, venue, occupancy);
        }
        let told = followed.occupancy_to_tell(self.clock.now());
        let movements = followed.take_movements();
        if let Some(occupancy) = told {
            self.tell_occupancy(organization, venue, &occupancy).await;
        }
        if movements.is_empty() {
            return;
        }
        let topic = Topic::Movements { organization, venue }.to_string();
        for movement in movements {
            self.publish(organization, &topic, &movement).await;
        }
    }

    async fn publish(&self, organization: OrganizationId, topic: &str, movement: &Movement) {
        let body = serde_json::to_vec(movement).unwrap_or_default();
        let message = Message::of_platform(organization, topic, &body, Qos::AtLeastOnce, false);
        self.dispatch.publish_patiently(&message).await;
        self.live.publish(organization, movement);
    }

    async fn tell_occupancy(&self, organization: OrganizationId, venue: VenueId, occupancy: &Occupancy) {
        let body = serde_json::to_vec(occupancy).unwrap_or_default();
        let message = message(organization, venue, &body);
        if self.dispatch.retain(&message).is_err() {
            tracing::warn!(%venue, "no room to keep how many are in a venue");
        }
        self.dispatch.publish_patiently(&message).await;
    }

    /// Of a venue that was deleted nothing is kept; whoever listens is told so by an empty message.
    pub(super) async fn forget_occupancy(&self, organization: OrganizationId, venue: VenueId) {
        let message = message(organization, venue, b"");
        // An empty message always finds room.
        let _ = self.dispatch.retain(&message);
        self.dispatch.publish_patiently(&message).await;
    }

    /// Of venues that were deleted while nobody followed them nothing is kept either.
    pub(super) fn forget_occupancy_but_of(&self, venues: &[Admits]) {
        let known: BTreeSet<VenueId> = venues.iter().map(|venue| venue.venue).collect();
        for kept in self.dispatch.retained.of_platform() {
            let Ok(Topic::Occupancy { organization, venue }) = kept.topic().parse() else { continue };
            if !known.contains(&venue) {
                // An empty message always finds room.
                let _ = self.dispatch.retain(&message(organization, venue, b""));
            }
        }
    }
}

fn message(organization: OrganizationId, venue: VenueId, body: &[u8]) -> Message {
    let topic = Topic::Occupancy { organization, venue }.to_string();
    Message::of_platform(organization, &topic, body, Qos::AtLeastOnce, true)
}
