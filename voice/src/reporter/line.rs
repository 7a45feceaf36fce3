//! One link: what waits to be told to its assistant, and the task that tells it.

mod tell;
mod waiting;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::Timestamp;
use store::{Assistant, AssistantLink, LinkState};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::missed::Missed;
use super::reaches;
use crate::Voice;
use crate::config::Pace;
use crate::endpoint::{Endpoint, EndpointId, Endpoints};
use crate::metrics::Told;
use crate::telling::Untold;
use crate::{alexa, google};

use tell::Memory;
use waiting::Waiting;

/// The longest that a refused report waits.
const LONGEST_BACK_OFF: Duration = Duration::from_mins(5);

/// One link; its task ends when it is dropped.
pub(super) struct Line {
    shared: Arc<Shared>,
    pace: Pace,
    _open: DropGuard,
}

/// What a line leaves to the next of its link.
#[derive(Debug)]
pub(super) struct Left {
    /// Whether it reached venues.
    pub(super) venues: bool,
    /// What is gone and was not told.
    pub(super) gone: BTreeSet<EndpointId>,
}

struct Shared {
    link: AssistantLink,
    waiting: Mutex<Waiting>,
    something: Notify,
    is_over: AtomicBool,
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
        Self { shared, pace: voice.pace, _open: open.drop_guard() }
    }

    /// Everything, for an assistant that was told nothing since this server began. Google asks for what there is whenever it is
    /// linked, and wants to be told states; where it `just_asked`, it is left a moment to take that in. Alexa asks for states, and
    /// may have missed what is new. `at` is when `all` was looked at.
    pub(super) fn begin(&self, all: &Endpoints, missed: Missed, at: Timestamp, just_asked: bool) {
        let (assistant, venues) = (self.shared.link.assistant, self.shared.link.venues);
        let settled = Instant::now() + self.pace.settled;
        self.wait(|waiting| {
            let reached = all.values().filter(|endpoint| reaches(venues, endpoint));
            for endpoint in reached.filter(|endpoint| self.shows(endpoint)) {
                match assistant {
                    Assistant::Google => {
                        waiting.news.state(None, endpoint);
                        if just_asked {
                            waiting.hold(endpoint.id, settled);
                        }
                    }
                    Assistant::Alexa => waiting.news.describe(endpoint),
                }
            }
            waiting.news.missed |= missed.something;
            missed.gone.into_iter().for_each(|id| waiting.news.remove(id));
            waiting.news.as_of = Some(at);
        });
    }

    /// Whether it is the line of a link as that is now.
    pub(super) fn is_of(&self, link: &AssistantLink) -> bool {
        (self.shared.link.grant, self.shared.link.venues) == (link.grant, link.venues)
    }

    /// What the next line of its link has to know.
    pub(super) fn left(&self) -> Left {
        let waiting = self.shared.waiting();
        let gone = waiting.news.gone.union(&waiting.in_hand).copied().collect();
        Left { venues: self.shared.link.venues, gone }
    }

    /// Google asked what there is, and is answered these.
    pub(super) fn synced(&self, told: &[EndpointId]) {
        let now = Instant::now();
        self.shared.waiting().synced(told, now, now + self.pace.settled);
        self.shared.something.notify_one();
    }

    /// Whether its assistant did not know it any more: nothing is told on it then.
    pub(super) fn is_over(&self) -> bool {
        self.shared.is_over.load(Ordering::Relaxed)
    }

    /// A change of states.
    pub(super) fn changed(&self, before: Option<&Endpoint>, now: &Endpoint) {
        if reaches(self.shared.link.venues, now) && self.shows(now) {
            self.wait(|waiting| waiting.news.state(before, now));
        }
    }

    /// How something is, whether it changed or not.
    pub(super) fn again(&self, now: &Endpoint) {
        self.changed(None, now);
    }

    /// Whatever is other than it was, when `now` was looked at.
    pub(super) fn differs(&self, before: &Endpoints, now: &Endpoints, at: Timestamp) {
        let venues = self.shared.link.venues;
        self.wait(|waiting| {
            for (id, endpoint) in now.iter().filter(|(_, endpoint)| reaches(venues, endpoint)) {
                let before = before.get(id);
                let (was, is) = (before.and_then(|before| self.described(before)), self.described(endpoint));
                if was != is {
                    match is {
                        Some(_) => waiting.news.describe(endpoint),
                        // The device is there, and nothing of it that the assistant could be shown.
                        None => waiting.news.remove(*id),
                    }
                    waiting.news.as_of = Some(at);
                    if was.is_none() && self.shared.link.assistant == Assistant::Google {
                        // It does not know it before it has asked.
                        waiting.hold(*id, Instant::now() + self.pace.synced);
                    }
                }
                let is_same = before.is_some_and(|before| {
                    before.reported == endpoint.reported && before.connected == endpoint.connected
                });
                if is.is_some() && !(is_same && was.is_some()) {
                    waiting.news.state(before, endpoint);
                }
            }
            let gone = before.iter().filter(|(id, _)| !now.contains_key(id));
            let gone = gone.filter(|(_, endpoint)| reaches(venues, endpoint) && self.shows(endpoint));
            for (id, _) in gone {
                waiting.news.remove(*id);
                waiting.news.as_of = Some(at);
            }
        });
    }

    /// What an assistant is told of what something is; none where it is not shown it.
    fn described(&self, endpoint: &Endpoint) -> Option<serde_json::Value> {
        match self.shared.link.assistant {
            Assistant::Google => google::description(endpoint, true),
            Assistant::Alexa => alexa::description(endpoint, true),
        }
    }

    fn shows(&self, endpoint: &Endpoint) -> bool {
        match self.shared.link.assistant {
            Assistant::Google => google::sees(endpoint),
            Assistant::Alexa => alexa::sees(endpoint),
        }
    }

    /// All of it at once: nobody is told a part of it, and noted to know everything.
    fn wait(&self, put: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.shared.waiting();
        put(&mut waiting);
        if !waiting.news.is_empty() {
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

/// Tells what waits, until the link ends.
async fn work(voice: Arc<Voice>, shared: Arc<Shared>) {
    let mut back_off = voice.pace.backed_off;
    let mut memory = Memory::default();
    loop {
        let wakes_at = shared.waiting().wakes_at();
        tokio::select! {
            () = shared.something.notified() => {}
            () = sleep_until(wakes_at.unwrap_or_else(Instant::now)), if wakes_at.is_some() => {}
        }
        let mut news = shared.waiting().take(Instant::now());
        if news.is_empty() {
            continue;
        }
        let assistant = shared.link.assistant;
        let told = tell::tell(&voice, &shared, &mut memory, &mut news).await;
        shared.waiting().in_hand.clear();
        let waits = match told {
            Ok(()) => {
                back_off = voice.pace.backed_off;
                continue;
            }
            Err(Untold::Gone) => {
                voice.metrics.reported(assistant, Told::Failed);
                // Before anybody can see it: whoever links again gets another line.
                shared.is_over.store(true, Ordering::Relaxed);
                return end(&voice, &shared.link).await;
            }
            Err(Untold::Later(at_least)) => {
                tracing::warn!(%assistant, "an assistant does not take reports; they wait");
                at_least.unwrap_or_default().max(back_off)
            }
            // Nothing that is told makes it better.
            Err(Untold::Refused(why) | Untold::Barred(why)) => {
                tracing::error!(%assistant, why, "an assistant takes no reports at all; they wait");
                LONGEST_BACK_OFF
            }
        };
        voice.metrics.reported(assistant, Told::Retried);
        shared.waiting().news.put_back(news);
        sleep(waits).await;
        back_off = (back_off * 2).min(LONGEST_BACK_OFF);
        shared.something.notify_one();
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
    if let Err(error) = voice.end_link((organization, account, assistant), link.grant, state).await {
        tracing::error!(%error, "that a link has ended could not be written");
    }
}
