//! Tells assistants of changes: what devices report, and what there is.
//!
//! Changes of states are coalesced, changes of the registry debounced. Now and then everything is looked at anew, since
//! venues tell of no change, and since whatever is heard of may be lost. What an assistant is told goes
//! through a line of its own for each link, so that one that does not answer holds up nobody else.

mod line;
mod missed;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use protocol::{AccountId, DeviceId, OrganizationId};
use store::{Assistant, AssistantLink, Change, GrantStanding, Scope, ScopeSet, Side, StoreError, TwinNotice};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::Voice;
use crate::endpoint::{Endpoint, EndpointId, Endpoints};

use line::{Left, Line};
use missed::Missed;

/// What a handler wants to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Somebody linked or unlinked.
    Look,
    /// How this endpoint is, whether it changed or not.
    Again(OrganizationId, EndpointId),
    /// Google asked what there is for a person, and is answered these.
    Synced(OrganizationId, AccountId, Vec<EndpointId>),
    /// An assistant may be told of changes for a person from now on, whatever it missed.
    Allowed(OrganizationId, AccountId, Assistant),
}

/// Which link.
type Key = (OrganizationId, AccountId, Assistant);

/// What was told, and to whom.
struct Reporter {
    voice: Arc<Voice>,
    told: HashMap<OrganizationId, Endpoints>,
    lines: HashMap<Key, Line>,
    /// Of lines that were closed since their links are others now, until they are opened again.
    left: HashMap<Key, Left>,
    /// Links whose grants are not good at the moment, or were not: nothing is told on them until they are again.
    rested: BTreeSet<Key>,
    /// What changed since, by organization: what it was before is in `told`.
    changed: HashMap<OrganizationId, Endpoints>,
    again: BTreeSet<(OrganizationId, EndpointId)>,
    /// Whether everything was looked at since this server began: if Google is linked later, it has missed nothing.
    has_looked: bool,
}

impl Voice {
    /// Tells assistants of changes, until `shutdown`.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let (mut twins, mut changes) = (self.live.twins(), self.live.changes());
        let mut connections = self.live.connections();
        let pace = self.pace;
        let voice = Arc::clone(&self);
        let mut wished = self.wished.lock().await;
        let mut reporter = Reporter {
            voice,
            told: HashMap::new(),
            lines: HashMap::new(),
            left: HashMap::new(),
            rested: BTreeSet::new(),
            changed: HashMap::new(),
            again: BTreeSet::new(),
            has_looked: false,
        };
        let mut look_at = Instant::now();
        let mut flush_at: Option<Instant> = None;
        // When the registry must be looked at, however long it goes on changing.
        let mut at_latest: Option<Instant> = None;
        loop {
            let flush = flush_at.unwrap_or(look_at);
            tokio::select! {
                () = shutdown.cancelled() => break,
                notice = twins.next() => {
                    let Some(notice) = notice else { break };
                    if reporter.heard(&notice) {
                        flush_at.get_or_insert_with(|| Instant::now() + pace.coalesced);
                    }
                }
                connection = connections.next() => {
                    let Some((device, connected)) = connection else { break };
                    if reporter.came_or_went(device, connected) {
                        flush_at.get_or_insert_with(|| Instant::now() + pace.coalesced);
                    }
                }
                change = changes.next() => {
                    let Some(change) = change else { break };
                    if matches!(change, Change::Grant(_) | Change::Account(_) | Change::Client(_))
                        && let Err(error) = reporter.close_ended().await
                    {
                        tracing::error!(%error, "which links have ended could not be read; it is tried again");
                    }
                    if !matches!(change, Change::Key(_)) {
                        let now = Instant::now();
                        let latest = *at_latest.get_or_insert(now + 4 * pace.debounced);
                        look_at = (now + pace.debounced).min(latest);
                    }
                }
                wish = wished.recv() => match wish {
                    None => break,
                    Some(Wish::Look) => look_at = Instant::now(),
                    Some(Wish::Synced(organization, account, told)) => {
                        if let Some(line) = reporter.lines.get(&(organization, account, Assistant::Google)) {
                            line.synced(&told);
                        }
                        look_at = Instant::now();
                    }
                    Some(Wish::Allowed(organization, account, assistant)) => {
                        let key = (organization, account, assistant);
                        if let Some(line) = reporter.lines.remove(&key) {
                            reporter.left.entry(key).or_insert_with(|| line.left());
                        }
                        look_at = Instant::now();
                    }
                    Some(Wish::Again(organization, endpoint)) => {
                        reporter.again.insert((organization, endpoint));
                        flush_at.get_or_insert_with(|| Instant::now() + pace.coalesced);
                    }
                },
                () = sleep_until(look_at) => {
                    at_latest = None;
                    look_at = Instant::now() + pace.looked;
                    if let Err(error) = reporter.look().await {
                        tracing::error!(%error, "what assistants are told could not be read; it is tried again");
                    }
                }
                () = sleep_until(flush), if flush_at.is_some() => {
                    flush_at = None;
                    reporter.flush();
                }
            }
        }
    }
}

impl Reporter {
    /// Takes in a change of a twin; whether anybody wants to know.
    fn heard(&mut self, notice: &TwinNotice) -> bool {
        let (organization, id) = (notice.twin.organization, EndpointId::Device(notice.twin.device));
        let Some(told) = self.told.get(&organization).and_then(|told| told.get(&id)) else { return false };
        if notice.side != Side::Reported {
            return false;
        }
        let reported = &notice.twin.reported;
        let mut now = told
            .after(self.voice.told(reported.state.clone()), reported.changed_at.unwrap_or(told.reported_at));
        // Whoever reports is there.
        now.connected = true;
        self.changed.entry(organization).or_default().insert(id, now);
        true
    }

    /// Takes in that a device came or went; whether anybody wants to know.
    fn came_or_went(&mut self, device: DeviceId, connected: bool) -> bool {
        let id = EndpointId::Device(device);
        let Some((organization, told)) =
            self.told.iter().find_map(|(organization, told)| Some((*organization, told.get(&id)?)))
        else {
            return false;
        };
        let changed = self.changed.entry(organization).or_default();
        changed.entry(id).or_insert_with(|| told.clone()).connected = connected;
        true
    }

    /// Tells what was heard of.
    fn flush(&mut self) {
        for (organization, changed) in std::mem::take(&mut self.changed) {
            let Some(told) = self.told.get_mut(&organization) else { continue };
            for (id, now) in changed {
                let before = told.insert(id, now.clone());
                for line in lines_of(&self.lines, organization) {
                    line.changed(before.as_ref(), &now);
                }
            }
        }
        for (organization, id) in std::mem::take(&mut self.again) {
            let Some(now) = self.told.get(&organization).and_then(|told| told.get(&id)) else { continue };
            for line in lines_of(&self.lines, organization) {
                line.again(now);
            }
        }
    }

    /// Closes the lines of links that have ended, that rest, or that are others now: nothing more is told on them, whatever
    /// waits.
    async fn close_ended(&mut self) -> Result<Vec<AssistantLink>, StoreError> {
        let (links, resting) = self.good_links().await?;
        let good: BTreeMap<Key, &AssistantLink> = links.iter().map(|link| (key(link), link)).collect();
        self.left.retain(|key, _| good.contains_key(key) || resting.contains(key));
        self.rested.retain(|key| good.contains_key(key));
        let left = &mut self.left;
        self.lines.retain(|key, line| match good.get(key) {
            _ if line.is_over() => false,
            None if !resting.contains(key) => false,
            Some(link) if line.is_of(link) => true,
            _ => {
                left.entry(*key).or_insert_with(|| line.left());
                false
            }
        });
        self.rested.extend(resting);
        Ok(links)
    }

    /// Looks at everything anew, and tells what is other than it was.
    async fn look(&mut self) -> Result<(), StoreError> {
        let links = self.close_ended().await?;
        self.flush();
        let organizations: BTreeSet<OrganizationId> = links.iter().map(|link| link.organization).collect();
        self.told.retain(|organization, _| organizations.contains(organization));
        for organization in organizations {
            let at = self.voice.now();
            let with_venues = links.iter().any(|link| link.organization == organization && link.venues);
            let now = self.voice.sight(organization, with_venues).await?;
            let before = self.told.insert(organization, now.clone());
            for link in links.iter().filter(|link| link.organization == organization) {
                if let (Some(line), Some(before)) = (self.lines.get(&key(link)), &before) {
                    line.differs(before, &now, at);
                } else {
                    // Google is linked when it asks, and has missed nothing then. Alexa may be linked long before it can be told.
                    let may_have_missed = !self.has_looked
                        || link.assistant == Assistant::Alexa
                        || self.rested.contains(&key(link));
                    let mut missed =
                        if may_have_missed { self.voice.missed(link).await? } else { Missed::default() };
                    if let Some(left) = self.left.remove(&key(link)) {
                        missed.add(left, link, before.as_ref(), &now);
                    }
                    let line = Line::open(&self.voice, link);
                    line.begin(&now, missed, at, self.has_looked);
                    self.lines.insert(key(link), line);
                    self.rested.remove(&key(link));
                }
            }
        }
        self.has_looked = true;
        Ok(())
    }

    /// The links that work, with venues as long as the person may still see them. One whose grant has ended is ended too; one
    /// whose account or client is disabled rests, since either may be enabled again.
    async fn good_links(&self) -> Result<(Vec<AssistantLink>, BTreeSet<Key>), StoreError> {
        let store = &self.voice.store;
        let (mut good, mut resting) = (Vec::new(), BTreeSet::new());
        for mut link in store.assistant_links().await? {
            match store.grant_standing(link.grant).await? {
                Some(standing) if standing.is_good() => {
                    link.venues &= still_sees_venues(&standing);
                    good.push(link);
                }
                Some(standing) if standing.grant.revoked.is_none() => drop(resting.insert(key(&link))),
                _ => self.voice.end_link_with_its_grant(&link).await?,
            }
        }
        Ok((good, resting))
    }
}

/// Whether a link that reached venues still does: neither the person nor the client may have lost that since.
fn still_sees_venues(standing: &GrantStanding) -> bool {
    let client: ScopeSet = standing.client_scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
    client.allows(&Scope::AnalyticsRead)
        && standing.role.as_ref().is_some_and(|role| role.allows(&Scope::AnalyticsRead))
}

fn key(link: &AssistantLink) -> Key {
    (link.organization, link.account, link.assistant)
}

fn lines_of(lines: &HashMap<Key, Line>, organization: OrganizationId) -> impl Iterator<Item = &Line> {
    lines.iter().filter(move |(key, _)| key.0 == organization).map(|(_, line)| line)
}

/// Whether a link reaches an endpoint.
fn reaches(with_venues: bool, endpoint: &Endpoint) -> bool {
    with_venues || !matches!(endpoint.id, EndpointId::Venue(_))
}
