//! How many are where, told to services and kept for those who come later.

use std::collections::BTreeSet;

use protocol::{Occupancy, OrganizationId, Topic, VenueId};
use store::Admits;

use super::Worker;
use crate::codec::Qos;
use crate::message::Message;

impl Worker {
    pub(super) async fn tell_occupancy(
        &self,
        organization: OrganizationId,
        venue: VenueId,
        occupancy: &Occupancy,
    ) {
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
