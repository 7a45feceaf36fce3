//! Messages to Home Graph.
//!
//! Request Sync is queued by Google (`async`), and until it has asked it does not know what is new: the page "Report State" of
//! the Cloud-to-cloud documents says that what is reported are devices of the original SYNC. So 404 may mean that Google does
//! not know the person, or a device yet, or a device at all. It is asked to ask, once, and what it does not know waits until it
//! asked, or for a good while. Only then, if it took nothing of the person and asked nothing since, is the link broken. Which
//! devices of many it does not know is looked for only where it knows the person: otherwise each would cost two calls.

use store::Assistant;
use tokio::time::Instant;

use super::{Memory, Parts, unstamped};
use crate::Voice;
use crate::endpoint::{Endpoint, EndpointId};
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
    // Whatever it takes from now on shows that it knows the person.
    let now = Instant::now();
    // What Google does not know, and is not told in smaller parts.
    let mut unknown: Vec<Vec<Endpoint>> = Vec::new();
    let (mut knows, mut is_first) = (false, true);
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
                // So it is not the person whom it did not know.
                knows = true;
                unknown = unknown
                    .into_iter()
                    .filter_map(|part| parts.split(part))
                    .map(|alone| vec![alone])
                    .collect();
            }
            Err(Untold::Refused(why)) => {
                if let Some(alone) = parts.split(some) {
                    memory.drop_one(voice, Assistant::Google, alone.id, &why);
                    news.states.remove(&alone.id);
                }
            }
            Err(Untold::Gone) => {
                let is_worth_it =
                    knows || has_shown(shared, memory, &some) || (is_first && may_know(memory, &some));
                is_first = false;
                if !is_worth_it {
                    unknown.push(some);
                } else if let Some(alone) = parts.split(some) {
                    unknown.push(vec![alone]);
                }
            }
            Err(untold) => return Err(untold),
        }
    }
    // Last of all: any of the others may have shown that it knows the person.
    for endpoint in unknown.iter().flatten() {
        wait_for(voice, shared, memory, news, endpoint.id, now)?;
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

/// Whether Google has shown that it knows the person since it was asked to ask for any of these.
fn has_shown(shared: &Shared, memory: &Memory, some: &[Endpoint]) -> bool {
    some.iter()
        .filter_map(|endpoint| memory.asked.get(&endpoint.id))
        .any(|asked| is_known(shared, memory, *asked))
}

/// Whether it may still know the person, and the first 404 is worth a second look: it once took something, or has had its time to
/// ask for some of these, and the link would be broken.
fn may_know(memory: &Memory, some: &[Endpoint]) -> bool {
    memory.known_at.is_some() || some.iter().any(|endpoint| memory.asked.contains_key(&endpoint.id))
}

/// Google does not know an endpoint: it is asked to ask, and the endpoint waits. After a good while it is left out, or nobody is
/// known.
fn wait_for(
    voice: &Voice,
    shared: &Shared,
    memory: &mut Memory,
    news: &mut News,
    id: EndpointId,
    now: Instant,
) -> Result<(), Untold> {
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
