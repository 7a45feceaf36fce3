//! What there is to tell, as messages to each assistant. What was told is taken away, so that only the rest is told again.

mod to_alexa;
mod to_google;

use std::collections::BTreeMap;

use store::Assistant;
use tokio::time::Instant;

use super::Shared;
use super::waiting::News;
use crate::Voice;
use crate::endpoint::EndpointId;
use crate::error::VoiceError;
use crate::metrics::Told;
use crate::telling::Untold;

/// Endpoints in one message.
const TOGETHER: usize = 100;

/// What a line remembers from one message to the next.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Whether something was left out that the assistant refused: it does not know that, whatever it is told later.
    has_dropped: bool,
    /// When Google was asked to ask for endpoints that it did not know.
    asked: BTreeMap<EndpointId, Instant>,
    /// Since when Google does not know the person.
    unknown_since: Option<Instant>,
    /// When Google last took a report, and so knew the person.
    known_at: Option<Instant>,
}

/// What goes into one message as long as the assistant takes it, and otherwise in ever smaller parts: one that it refuses does
/// not cost the others.
struct Parts<T>(Vec<Vec<T>>);

pub(super) async fn tell(
    voice: &Voice,
    shared: &Shared,
    memory: &mut Memory,
    news: &mut News,
) -> Result<(), Untold> {
    let link = &shared.link;
    if memory.has_dropped {
        // The next start tells it again.
        news.as_of = None;
    }
    match link.assistant {
        Assistant::Google => match &voice.home_graph {
            Some(home_graph) => to_google::tell(voice, home_graph, shared, memory, news).await,
            None => Ok(()),
        },
        Assistant::Alexa => match &voice.event_gateway {
            Some(gateway) => match gateway.reaches(link.organization, link.account).await {
                Ok(true) => to_alexa::tell(voice, gateway, link, memory, news).await,
                Ok(false) => {
                    // All else is told anew once Alexa allows it.
                    let gone = std::mem::take(&mut news.gone);
                    shared.waiting().news.put_back(News { gone, ..News::default() });
                    Ok(())
                }
                Err(error) => {
                    tracing::error!(%error, "whether Alexa may be told is not known; it waits");
                    Err(Untold::Later(None))
                }
            },
            None => Ok(()),
        },
    }
}

impl<T: Clone> Parts<T> {
    fn of(all: &[T]) -> Self {
        Self(all.chunks(TOGETHER).rev().map(<[T]>::to_vec).collect())
    }

    fn next(&mut self) -> Option<Vec<T>> {
        self.0.pop()
    }

    /// Comes back to what was refused, in two parts; where it is one alone, it is that.
    fn split(&mut self, mut refused: Vec<T>) -> Option<T> {
        if refused.len() < 2 {
            return refused.pop();
        }
        let rest = refused.split_off(refused.len() / 2);
        self.0.extend([rest, refused]);
        None
    }
}

impl Memory {
    /// Leaves out what an assistant will not take.
    fn drop_one(&mut self, voice: &Voice, assistant: Assistant, id: EndpointId, why: &str) {
        self.has_dropped = true;
        voice.metrics.reported(assistant, Told::Failed);
        tracing::warn!(%assistant, %id, why, "an assistant refuses a report; it is dropped");
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn unstamped(error: VoiceError) -> Untold {
    tracing::error!(%error, "a message to an assistant could not be stamped");
    Untold::Later(None)
}
