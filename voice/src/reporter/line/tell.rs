//! What waits, as messages to each assistant. What was told is taken away, so that only the rest is told again.

use store::{Assistant, AssistantLink};

use super::Waiting;
use crate::Voice;
use crate::alexa::{self, Cause};
use crate::error::VoiceError;
use crate::event_gateway::EventGateway;
use crate::google;
use crate::home_graph::HomeGraph;
use crate::metrics::Told;
use crate::service::unique;
use crate::telling::Untold;

/// Endpoints in one message.
const TOGETHER: usize = 100;

pub(super) async fn tell(voice: &Voice, link: &AssistantLink, waiting: &mut Waiting) -> Result<(), Untold> {
    match link.assistant {
        Assistant::Google => match &voice.home_graph {
            Some(home_graph) => to_google(voice, home_graph, link, waiting).await,
            None => Ok(()),
        },
        Assistant::Alexa => match &voice.event_gateway {
            Some(gateway) if gateway.reaches(link.organization, link.account).await => {
                to_alexa(voice, gateway, link, waiting).await
            }
            _ => Ok(()),
        },
    }
}

async fn to_google(
    voice: &Voice,
    home_graph: &HomeGraph,
    link: &AssistantLink,
    waiting: &mut Waiting,
) -> Result<(), Untold> {
    // As of when Google knows is noted when it asks.
    waiting.as_of = None;
    let sent = || voice.metrics.reported(Assistant::Google, Told::Sent);
    let agent_user = google::agent_user(link.organization, link.account);
    if waiting.missed || !waiting.described.is_empty() || !waiting.gone.is_empty() {
        home_graph.request_sync(&google::request_sync(&agent_user)).await?;
        sent();
        waiting.missed = false;
        waiting.described.clear();
        waiting.gone.clear();
    }
    while !waiting.states.is_empty() {
        let some: Vec<_> = waiting.states.values().take(TOGETHER).map(|(_, now)| now.clone()).collect();
        let body = google::report_state(&request_id()?, &agent_user, &some);
        let mut told = home_graph.report(&body).await;
        if told == Err(Untold::Gone) {
            // Google may only have forgotten the devices: it is asked once to ask for them.
            home_graph.request_sync(&google::request_sync(&agent_user)).await?;
            sent();
            told = home_graph.report(&body).await;
        }
        told?;
        sent();
        for endpoint in &some {
            waiting.states.remove(&endpoint.id);
        }
    }
    Ok(())
}

async fn to_alexa(
    voice: &Voice,
    gateway: &EventGateway,
    link: &AssistantLink,
    waiting: &mut Waiting,
) -> Result<(), Untold> {
    let (organization, account) = (link.organization, link.account);
    let sent = || voice.metrics.reported(Assistant::Alexa, Told::Sent);
    while !waiting.gone.is_empty() {
        let some: Vec<_> = waiting.gone.iter().copied().take(TOGETHER).collect();
        let stamp = voice.stamp().map_err(unstamped)?;
        gateway
            .tell(organization, account, |token| alexa::delete_report(&stamp, token, some.iter().copied()))
            .await?;
        sent();
        waiting.gone.retain(|id| !some.contains(id));
    }
    while !waiting.described.is_empty() {
        let some: Vec<_> = waiting.described.values().take(TOGETHER).cloned().collect();
        let stamp = voice.stamp().map_err(unstamped)?;
        gateway
            .tell(organization, account, |token| alexa::add_or_update_report(&stamp, token, &some))
            .await?;
        sent();
        for endpoint in &some {
            waiting.described.remove(&endpoint.id);
        }
    }
    if let Some(at) = waiting.as_of.take()
        && let Err(error) = voice.store.assistant_knows(organization, account, Assistant::Alexa, at).await
    {
        // It is told again after the next start, which does no harm.
        tracing::warn!(%error, "what Alexa knows could not be noted");
    }
    while let Some((id, (before, now))) = waiting.states.first_key_value() {
        let (id, stamp) = (*id, voice.stamp().map_err(unstamped)?);
        let write = |token: &_| alexa::change_report(&stamp, token, Cause::Physical, before.as_ref(), now);
        // Whether there is anything to tell does not depend on the token.
        if write(&crate::Secret::new("")).is_some() {
            gateway.tell(organization, account, |token| write(token).unwrap_or_default()).await?;
            sent();
        }
        waiting.states.remove(&id);
    }
    Ok(())
}

fn request_id() -> Result<String, Untold> {
    unique().map_err(unstamped)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn unstamped(error: VoiceError) -> Untold {
    tracing::error!(%error, "a message to an assistant could not be stamped");
    Untold::Later(None)
}
