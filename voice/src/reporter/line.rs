//! One link: what waits to be told to its assistant, and the task that tells it.

mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::Timestamp;
use store::{Assistant, AssistantLink, LinkState};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::missed::Missed;
use super::reaches;
use crate::Voice;
use crate::endpoint::{Endpoint, EndpointId, Endpoints};
use crate::metrics::Told;
use crate::telling::Untold;
use crate::{alexa, google};

/// The longest that a refused report waits.
const LONGEST_BACK_OFF: Duration = Duration::from_mins(5);

/// One link; its task ends when it is dropped.
pub(super) struct Line {
    shared: Arc<Shared>,
    _open: DropGuard,
}

struct Shared {
    link: AssistantLink,
    waiting: Mutex<Waiting>,
    something: Notify,
    is_over: AtomicBool,
}

/// What waits to be told. What comes while something waits is told with it.
#[derive(Debug, Default)]
struct Waiting {
    /// How endpoints are, and how they were when they were told last.
    states: BTreeMap<EndpointId, (Option<Endpoint>, Endpoint)>,
    /// What is new, or is described otherwise than before.
    described: BTreeMap<EndpointId, Endpoint>,
    /// What is gone.
    gone: BTreeSet<EndpointId>,
    /// Whether something else may be new or gone: Google is asked to ask.
    missed: bool,
    /// As of when the assistant knows what there is, once all of this is told.
    as_of: Option<Timestamp>,
}

impl Line {
    /// Begins to tell.
    pub(super) fn open(voice: &Arc<Voice>, link: &AssistantLink) -> Self {
        let shared = Arc::new(Shared {
            link: link.clone(),
            waiting: Mutex::default(),
            something: Notify::new(),
            is_over: AtomicBool::new(false),
        });
        let open = CancellationToken::new();
        let work = work(Arc::clone(voice), Arc::clone(&shared));
        voice.behind.spawn(open.clone().run_until_cancelled_owned(work));
        Self { shared, _open: open.drop_guard() }
    }

    /// Everything, for an assistant that was told nothing since this server began. Google asks for what there is whenever it is
    /// linked, and wants to be told states; Alexa asks for states, and may have missed what is new. `at` is when `all` was
    /// looked at.
    pub(super) fn begin(&self, all: &Endpoints, missed: Missed, at: Timestamp) {
        let (assistant, venues) = (self.shared.link.assistant, self.shared.link.venues);
        self.wait(|waiting| {
            for endpoint in all.values().filter(|endpoint| reaches(venues, endpoint)) {
                match assistant {
                    Assistant::Google => waiting.state(None, endpoint),
                    Assistant::Alexa => waiting.describe(endpoint),
                }
            }
            waiting.missed |= missed.something;
            missed.gone.into_iter().for_each(|id| waiting.remove(id));
            waiting.as_of = Some(at);
        });
    }

    /// Whether its assistant did not know it any more: nothing is told on it then.
    pub(super) fn is_over(&self) -> bool {
        self.shared.is_over.load(Ordering::Relaxed)
    }

    /// A change of states.
    pub(super) fn changed(&self, before: Option<&Endpoint>, now: &Endpoint) {
        self.put(|waiting| waiting.state(before, now), now);
    }

    /// How something is, whether it changed or not.
    pub(super) fn again(&self, now: &Endpoint) {
        self.put(|waiting| waiting.state(None, now), now);
    }

    /// Whatever is other than it was, when `now` was looked at.
    pub(super) fn differs(&self, before: &Endpoints, now: &Endpoints, at: Timestamp) {
        let venues = self.shared.link.venues;
        self.wait(|waiting| {
            for (id, endpoint) in now.iter().filter(|(_, endpoint)| reaches(venues, endpoint)) {
                let before = before.get(id);
                if before.is_none_or(|before| self.described(before) != self.described(endpoint)) {
                    waiting.describe(endpoint);
                    waiting.as_of = Some(at);
                }
                if before.is_none_or(|before| {
                    before.reported != endpoint.reported || before.connected != endpoint.connected
                }) {
                    waiting.state(before, endpoint);
                }
            }
            let gone = before.iter().filter(|(id, _)| !now.contains_key(id));
            for (id, _) in gone.filter(|(_, endpoint)| reaches(venues, endpoint)) {
                waiting.remove(*id);
                waiting.as_of = Some(at);
            }
        });
    }

    /// What an assistant is told of what something is.
    fn described(&self, endpoint: &Endpoint) -> Option<serde_json::Value> {
        match self.shared.link.assistant {
            Assistant::Google => google::description(endpoint),
            Assistant::Alexa => alexa::description(endpoint),
        }
    }

    fn put(&self, put: impl FnOnce(&mut Waiting), about: &Endpoint) {
        if reaches(self.shared.link.venues, about) {
            self.wait(put);
        }
    }

    /// All of it at once: nobody is told a part of it, and noted to know everything.
    fn wait(&self, put: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.shared.waiting();
        put(&mut waiting);
        if !waiting.is_empty() {
            self.shared.something.notify_one();
        }
    }
}

impl Shared {
    /// A panic elsewhere cannot leave it half changed.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        let is_told = self.states.is_empty() && self.described.is_empty() && self.gone.is_empty();
        is_told && !self.missed && self.as_of.is_none()
    }

    fn state(&mut self, before: Option<&Endpoint>, now: &Endpoint) {
        self.states
            .entry(now.id)
            .and_modify(|(_, newest)| newest.clone_from(now))
            .or_insert_with(|| (before.cloned(), now.clone()));
    }

    fn describe(&mut self, now: &Endpoint) {
        self.gone.remove(&now.id);
        self.described.insert(now.id, now.clone());
    }

    fn remove(&mut self, id: EndpointId) {
        self.states.remove(&id);
        self.described.remove(&id);
        self.gone.insert(id);
    }

    /// Puts back what could not be told, below what came meanwhile.
    fn put_back(&mut self, untold: Self) {
        let newer = std::mem::replace(self, untold);
        self.missed |= newer.missed;
        self.as_of = newer.as_of.or(self.as_of);
        for (id, (before, now)) in newer.states {
            self.state(before.as_ref(), &now);
            debug_assert_eq!(id, now.id);
        }
        for endpoint in newer.described.values() {
            self.describe(endpoint);
        }
        for id in newer.gone {
            self.remove(id);
        }
    }
}

/// Tells what waits, until the link ends.
async fn work(voice: Arc<Voice>, shared: Arc<Shared>) {
    let mut back_off = voice.pace.backed_off;
    let mut has_dropped = false;
    loop {
        shared.something.notified().await;
        let mut untold = std::mem::take(&mut *shared.waiting());
        if untold.is_empty() {
            continue;
        }
        if has_dropped {
            // What was dropped is not known to the assistant, whatever it is told after that: the next start tells it again.
            untold.as_of = None;
        }
        let assistant = shared.link.assistant;
        match tell::tell(&voice, &shared.link, &mut untold).await {
            Ok(()) => back_off = voice.pace.backed_off,
            Err(Untold::Later(at_least)) => {
                voice.metrics.reported(assistant, Told::Retried);
                tracing::warn!(%assistant, "an assistant does not take reports; they wait");
                shared.waiting().put_back(untold);
                sleep(at_least.unwrap_or_default().max(back_off)).await;
                back_off = (back_off * 2).min(LONGEST_BACK_OFF);
                shared.something.notify_one();
            }
            Err(Untold::Refused(why)) => {
                has_dropped = true;
                voice.metrics.reported(assistant, Told::Failed);
                tracing::warn!(%assistant, why, "an assistant refuses a report; it is dropped");
            }
            Err(Untold::Gone) => {
                voice.metrics.reported(assistant, Told::Failed);
                // Before anybody can see it: whoever links again gets another line.
                shared.is_over.store(true, Ordering::Relaxed);
                return end(&voice, &shared.link).await;
            }
        }
    }
}

/// Marks a link that the assistant does not know any more; whoever linked it sees that.
async fn end(voice: &Voice, link: &AssistantLink) {
    let state = match link.assistant {
        Assistant::Google => LinkState::Broken,
        // Alexa says so when the person has disabled the skill.
        Assistant::Alexa => LinkState::Unlinked,
    };
    let (organization, account, assistant) = (link.organization, link.account, link.assistant);
    tracing::warn!(%organization, %account, %assistant, %state, "a link to an assistant has ended");
    if let Err(error) = voice.end_link((organization, account, assistant), state).await {
        tracing::error!(%error, "that a link has ended could not be written");
    }
}
