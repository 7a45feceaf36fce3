//! What an assistant may not know of, since it happened while nobody could tell it: before this server began.

use store::{Assistant, AssistantLink, StoreError};

use crate::Voice;
use crate::endpoint::EndpointId;

/// A change is written a little after the time that it has, and may have been missed by whoever looked in between.
const MARGIN_MS: i64 = 10_000;

/// What an assistant may not know of.
#[derive(Debug, Default)]
pub(super) struct Missed {
    /// That these are gone: Alexa keeps what nobody tells it is gone.
    pub(super) gone: Vec<EndpointId>,
    /// Something: Google asks for everything when it is told so.
    pub(super) something: bool,
}

impl Voice {
    /// What happened since an assistant was told last.
    pub(super) async fn missed(&self, link: &AssistantLink) -> Result<Missed, StoreError> {
        let (organization, since) = (link.organization, link.changed_at.minus(MARGIN_MS));
        Ok(match link.assistant {
            Assistant::Google => Missed {
                something: self.store.registry_changed_since(organization, since).await?,
                ..Missed::default()
            },
            Assistant::Alexa => {
                let devices = self.store.shown_devices_deleted_since(organization, since).await?;
                let mut gone: Vec<_> = devices.into_iter().map(EndpointId::Device).collect();
                if link.venues {
                    let venues = self.store.venues_deleted_since(organization, since).await?;
                    gone.extend(venues.into_iter().map(EndpointId::Venue));
                }
                Missed { gone, ..Missed::default() }
            }
        })
    }
}
