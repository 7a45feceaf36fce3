//! What an assistant may not know of, since it happened while nobody could tell it: before this server began, while
//! its link rested, or before Alexa allowed it.

use std::collections::BTreeSet;

use store::{Assistant, AssistantLink, StoreError};

use crate::Voice;
use crate::endpoint::{EndpointId, Endpoints};

use super::line::Left;
use super::reaches;

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

impl Missed {
    /// What a link that was another one before has not been told, or must not know any more. `before` and `now` are what there
    /// was and is.
    pub(super) fn add(
        &mut self,
        left: Left,
        link: &AssistantLink,
        before: Option<&Endpoints>,
        now: &Endpoints,
    ) {
        let is_there = |id: &EndpointId| now.get(id).is_some_and(|endpoint| reaches(link.venues, endpoint));
        let lost = before.into_iter().flatten().filter(|(_, endpoint)| reaches(left.venues, endpoint));
        let mut gone: BTreeSet<EndpointId> = lost.map(|(id, _)| *id).chain(left.gone).collect();
        gone.retain(|id| !is_there(id));
        self.something |= left.venues != link.venues || !gone.is_empty();
        if link.assistant == Assistant::Alexa {
            self.gone.extend(gone);
        }
    }
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
