//! Messages to Home Graph.
//!
//! Request Sync is queued by Google (`async`), and until it has asked it does not know what is new: the page "Report State" of
//! the Cloud-to-cloud documents says that what is reported are devices of the original SYNC. So 404 may mean that Google does
//! not know the person, or a device yet, or a device at all. It is asked to ask, once, and what it does not know waits until it
//! asked, or for a good while. Only then, if it took nothing of the person and asked nothing since, is the link broken.

use store::Assistant;
use tokio::time::Instant;

use super::{Memory, Parts, unstamped};
use crate::Voice;
use crate::endpoint::Endpoint;
use crate::google;
use crate::home_graph::HomeGraph;
use crate::metrics::Told;
use crate::reporter::line::Shared;
use crate::reporter::line::waiting::News;
use crate::service::unique;
use crate::telling::Untold;

pub(super) async fn tell(
    voice: &Voice,
    home_graph: &HomeGraph,
    shared: &Shared,
    memory: &mut Memory,
    news: &mut News,
) -> Result<(), Untold> {
    // As of when Google knows is noted when it asks.
    news.as_of = None;
    ask(voice, home_graph, shared, memory, news).await?;
    let agent_user = google::agent_user(shared.link.organization, shared.link.account);
    let all: Vec<Endpoint> = news.states.values().map(|(_, now)| now.clone()).collect();
    let mut parts = Parts::of(&all);
    while let Some(some) = parts.next() {
        let request_id = unique().map_err(unstamped)?;
        match home_graph.report(&google::report_state(&request_id, &agent_user, &some)).await {
            Ok(()) => {
                voice.metrics.reported(Assistant::Google, Told::Sent);
                memory.known_at = Some(Instant::now());
                for endpoint in &some {
                    memory.asked.remove(&endpoint.id);
                    news.states.remove(&endpoint.id);
                }
            }
            Err(Untold::Refused(why)) => {
                if let Some(alone) = parts.split(some) {
                    memory.drop_one(voice, Assistant::Google, alone.id, &why);
                    news.states.remove(&alone.id);
                }
            }
            Err(Untold::Gone) => {
                if let Some(alone) = parts.split(some) {
                    unknown(voice, shared, memory, news, &alone)?;
                }
            }
            Err(untold) => return Err(untold),
        }
    }
    ask(voice, home_graph, shared, memory, news).await
}

/// Asks Google to ask, where there is a reason for it.
async fn ask(
    voice: &Voice,
    home_graph: &HomeGraph,
    shared: &Shared,
    memory: &mut Memory,
    news: &mut News,
) -> Result<(), Untold> {
    if !news.missed && news.described.is_empty() && news.gone.is_empty() {
        return Ok(());
    }
    let agent_user = google::agent_user(shared.link.organization, shared.link.account);
    match home_graph.request_sync(&google::request_sync(&agent_user)).await {
        Ok(()) => {
            voice.metrics.reported(Assistant::Google, Told::Sent);
            memory.unknown_since = None;
        }
        Err(Untold::Refused(why)) => {
            voice.metrics.reported(Assistant::Google, Told::Failed);
            tracing::warn!(why, "Google refuses to be asked to ask");
        }
        Err(Untold::Gone) => {
            let now = Instant::now();
            let since = *memory.unknown_since.get_or_insert(now);
            if is_known(shared, memory, since) {
                memory.unknown_since = Some(now);
            } else if now >= since + voice.pace.synced {
                return Err(Untold::Gone);
            }
            return Err(Untold::Later(None));
        }
        Err(untold) => return Err(untold),
    }
    news.missed = false;
    news.described.clear();
    news.gone.clear();
    Ok(())
}

/// Google does not know an endpoint: it is asked to ask, and the endpoint waits. After a good while it is left out, or nobody is
/// known.
fn unknown(
    voice: &Voice,
    shared: &Shared,
    memory: &mut Memory,
    news: &mut News,
    endpoint: &Endpoint,
) -> Result<(), Untold> {
    let (id, now) = (endpoint.id, Instant::now());
    let asked = *memory.asked.entry(id).or_insert_with(|| {
        news.missed = true;
        now
    });
    let until = asked + voice.pace.synced;
    if now < until {
        if let Some(state) = news.states.remove(&id) {
            shared.waiting().hold_back(state, until);
        }
        return Ok(());
    }
    if !is_known(shared, memory, asked) {
        return Err(Untold::Gone);
    }
    memory.asked.remove(&id);
    memory.drop_one(voice, Assistant::Google, id, "it does not know the device, although it asked");
    news.states.remove(&id);
    Ok(())
}

/// Whether Google has shown since then that it knows the person.
fn is_known(shared: &Shared, memory: &Memory, since: Instant) -> bool {
    let is_later = |at: Option<Instant>| at.is_some_and(|at| at > since);
    is_later(memory.known_at) || is_later(shared.waiting().synced)
}
