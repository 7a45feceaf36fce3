//! One link: what waits to be told to its assistant, and the task that tells it.

mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::{Assistant, AssistantLink, LinkState};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::reaches;
use crate::Voice;
use crate::endpoint::{Endpoint, EndpointId, Endpoints};
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
    /// linked, and wants to be told states; Alexa asks for states, and may have missed what is new.
    pub(super) fn begin(&self, all: &Endpoints) {
        for endpoint in all.values() {
            self.put(
                |waiting| match self.shared.link.assistant {
                    Assistant::Google => waiting.state(None, endpoint),
                    Assistant::Alexa => waiting.describe(endpoint),
                },
                endpoint,
            );
        }
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

    /// Whatever is other than it was.
    pub(super) fn differs(&self, before: &Endpoints, now: &Endpoints) {
        for (id, endpoint) in now {
            let before = before.get(id);
            if before.is_none_or(|before| self.described(before) != self.described(endpoint)) {
                self.put(|waiting| waiting.describe(endpoint), endpoint);
            }
            if before.is_none_or(|before| {
                before.reported != endpoint.reported || before.connected != endpoint.connected
            }) {
                self.put(|waiting| waiting.state(before, endpoint), endpoint);
            }
        }
        for (id, endpoint) in before {
            if !now.contains_key(id) {
                self.put(|waiting| waiting.remove(*id), endpoint);
            }
        }
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
            put(&mut self.shared.waiting());
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
        self.states.is_empty() && self.described.is_empty() && self.gone.is_empty()
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
    loop {
        shared.something.notified().await;
        let mut untold = std::mem::take(&mut *shared.waiting());
        if untold.is_empty() {
            continue;
        }
        match tell::tell(&voice, &shared.link, &mut untold).await {
            Ok(()) => back_off = voice.pace.backed_off,
            Err(Untold::Later(at_least)) => {
                tracing::warn!(assistant = %shared.link.assistant, "an assistant does not take reports; they wait");
                shared.waiting().put_back(untold);
                sleep(at_least.unwrap_or_default().max(back_off)).await;
                back_off = (back_off * 2).min(LONGEST_BACK_OFF);
                shared.something.notify_one();
            }
            Err(Untold::Refused(why)) => {
                tracing::warn!(assistant = %shared.link.assistant, why, "an assistant refuses a report; it is dropped");
            }
            Err(Untold::Gone) => {
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
    let ended = voice.store.end_assistant_link(organization, account, assistant, state, voice.now()).await;
    if let Err(error) = ended {
        tracing::error!(%error, "that a link has ended could not be written");
    }
}
