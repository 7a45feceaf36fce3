//! Messages to the event gateway.

use store::{Assistant, AssistantLink};

use super::{Memory, Parts, unstamped};
use crate::Voice;
use crate::alexa::{self, Cause};
use crate::event_gateway::EventGateway;
use crate::metrics::Told;
use crate::reporter::line::waiting::News;
use crate::secret::Secret;
use crate::telling::Untold;

pub(super) async fn tell(
    voice: &Voice,
    gateway: &EventGateway,
    link: &AssistantLink,
    memory: &mut Memory,
    news: &mut News,
) -> Result<(), Untold> {
    let (organization, account) = (link.organization, link.account);
    let sent = || voice.metrics.reported(Assistant::Alexa, Told::Sent);
    let mut parts = Parts::of(&news.gone.iter().copied().collect::<Vec<_>>());
    while let Some(some) = parts.next() {
        let stamp = voice.stamp().map_err(unstamped)?;
        let write = |token: &Secret| alexa::delete_report(&stamp, token, some.iter().copied());
        match gateway.tell(organization, account, write).await {
            Ok(()) => {
                sent();
                news.gone.retain(|id| !some.contains(id));
            }
            Err(Untold::Refused(why)) => {
                if let Some(alone) = parts.split(some) {
                    memory.drop_one(voice, Assistant::Alexa, alone, &why);
                    news.gone.remove(&alone);
                }
            }
            Err(untold) => return Err(untold),
        }
    }
    let mut parts = Parts::of(&news.described.values().cloned().collect::<Vec<_>>());
    while let Some(some) = parts.next() {
        let stamp = voice.stamp().map_err(unstamped)?;
        let write = |token: &Secret| alexa::add_or_update_report(&stamp, token, &some);
        match gateway.tell(organization, account, write).await {
            Ok(()) => {
                sent();
                for endpoint in &some {
                    news.described.remove(&endpoint.id);
                }
            }
            Err(Untold::Refused(why)) => {
                if let Some(alone) = parts.split(some) {
                    memory.drop_one(voice, Assistant::Alexa, alone.id, &why);
                    news.described.remove(&alone.id);
                }
            }
            Err(untold) => return Err(untold),
        }
    }
    if let Some(at) = news.as_of.take().filter(|_| !memory.has_dropped)
        && let Err(error) = voice.store.assistant_knows(organization, account, Assistant::Alexa, at).await
    {
        // It is told again after the next start, which does no harm.
        tracing::warn!(%error, "what Alexa knows could not be noted");
    }
    while let Some((id, (before, now))) = news.states.first_key_value() {
        let (id, stamp) = (*id, voice.stamp().map_err(unstamped)?);
        let write =
            |token: &Secret| alexa::change_report(&stamp, token, Cause::Physical, before.as_ref(), now);
        // Whether there is anything to tell does not depend on the token.
        if write(&Secret::new("")).is_some() {
            match gateway.tell(organization, account, |token| write(token).unwrap_or_default()).await {
                Ok(()) => sent(),
                Err(Untold::Refused(why)) => memory.drop_one(voice, Assistant::Alexa, id, &why),
                Err(untold) => return Err(untold),
            }
        }
        news.states.remove(&id);
    }
    Ok(())
}
