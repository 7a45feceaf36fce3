//! Who may publish and subscribe where: decided from the identity alone, the same for every version of MQTT.

use std::sync::Arc;

use protocol::{DeviceId, GrantId, KeyId, OrganizationId, Topic};
use store::{Author, Holder, Scope, ScopeSet};
use uuid::Uuid;

use crate::control::Subject;
use crate::filter::{covers, is_valid, overlaps, share};
use crate::namespace::{is_platform, is_system};
use crate::tokens::TokenWorth;

/// Whom a connection belongs to; a session is keyed by it, so that nobody takes over another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Identity {
    Device(DeviceId),
    Service(KeyId),
    /// Whoever shows an access token of this grant.
    Granted(GrantId),
    Anonymous,
}

impl Identity {
    /// As the store names it.
    pub(crate) fn holder(self) -> Holder {
        match self {
            Self::Device(device) => Holder::Device(device),
            Self::Service(key) => Holder::Key(key),
            Self::Granted(grant) => Holder::Grant(grant),
            Self::Anonymous => Holder::Anonymous,
        }
    }

    pub(crate) fn of_holder(holder: Holder) -> Self {
        match holder {
            Holder::Device(device) => Self::Device(device),
            Holder::Key(key) => Self::Service(key),
            Holder::Grant(grant) => Self::Granted(grant),
            Holder::Anonymous => Self::Anonymous,
        }
    }
}

/// Whose the topics are of clients that do not sign in.
pub(crate) const NOBODY: OrganizationId = OrganizationId::from_uuid(Uuid::nil());

/// What an identity may do.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) identity: Identity,
    /// The organization whose topics are reached.
    pub(crate) organization: OrganizationId,
    /// Nothing where the identity reaches only what is its own.
    grant: Option<Arc<Grant>>,
}

/// What is open to a service or to whoever does not sign in.
#[derive(Debug, Default)]
pub(crate) struct Grant {
    scopes: ScopeSet,
    /// In whose name orders are given; nobody's where the configuration opens something.
    author: Option<Author>,
    publish: Patterns,
    subscribe: Patterns,
}

/// Filters of free topics, and those left out of them.
#[derive(Debug, Default)]
struct Patterns {
    open: Vec<Box<str>>,
    closed: Arc<[Box<str>]>,
}

/// Where an allowed publish goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// A ping batch of the device itself.
    Pings,
    /// What beacons around the device say of themselves.
    Telemetry,
    /// What the device says of a command or of itself.
    Control(Subject),
    /// A request of the device for its next certificate.
    Renewal,
    /// What a service orders of a device.
    Order(DeviceId, Author),
    /// What a scanner heard, in a format of its own.
    Sightings,
    /// What else a scanner says, which nobody is told.
    Aside,
    /// A free topic.
    Free,
}

impl Grant {
    /// What scopes name, in the name of `author`.
    pub(crate) fn of_scopes(scopes: ScopeSet, author: Author) -> Self {
        let publish = Patterns::new(scopes.publish_filters());
        let subscribe = Patterns::new(scopes.subscribe_filters());
        Self { scopes, author: Some(author), publish, subscribe }
    }

    /// What a configuration names: filters, and behind a `!` those that are left out.
    pub(crate) fn of_filters(publish: &[String], subscribe: &[String]) -> Self {
        Self {
            scopes: ScopeSet::default(),
            author: None,
            publish: Patterns::new(publish.iter().map(String::as_str)),
            subscribe: Patterns::new(subscribe.iter().map(String::as_str)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.publish.open.is_empty() && self.subscribe.open.is_empty()
    }

    /// Topics that are never delivered, however wide the filter.
    pub(crate) fn hidden(&self) -> Arc<[Box<str>]> {
        Arc::clone(&self.subscribe.closed)
    }
}

impl Patterns {
    fn new<'a>(filters: impl Iterator<Item = &'a str>) -> Self {
        let (closed, open): (Vec<_>, Vec<_>) = filters.partition(|filter| filter.starts_with('!'));
        Self {
            open: open.into_iter().map(Box::from).collect(),
            closed: closed.into_iter().map(|filter| Box::from(&filter[1..])).collect(),
        }
    }

    /// Whether all that `asked` (a topic or a filter) matches is open. What is left out of a wider filter is not delivered.
    fn allow(&self, asked: &str) -> bool {
        self.open.iter().any(|filter| covers(filter, asked))
            && !self.closed.iter().any(|filter| covers(filter, asked))
    }
}

impl Access {
    /// A device reaches its own topics and nothing else.
    pub(crate) fn device(device: DeviceId, organization: OrganizationId) -> Self {
        Self { identity: Identity::Device(device), organization, grant: None }
    }

    /// A service with an API key reaches what its scopes name.
    pub(crate) fn service(key: KeyId, organization: OrganizationId, scopes: ScopeSet) -> Self {
        let grant = Grant::of_scopes(scopes, Author::Key(key));
        Self { identity: Identity::Service(key), organization, grant: Some(Arc::new(grant)) }
    }

    /// Whoever shows an access token reaches what its scopes name.
    pub(crate) fn granted(worth: TokenWorth) -> Self {
        let author = worth.account.map_or(Author::Client(worth.client), Author::Account);
        let grant = Grant::of_scopes(worth.scopes, author);
        let identity = Identity::Granted(worth.grant);
        Self { identity, organization: worth.organization, grant: Some(Arc::new(grant)) }
    }

    /// Whoever does not say who they are reaches what the configuration opens to them.
    pub(crate) fn anonymous(grant: Arc<Grant>) -> Self {
        Self { identity: Identity::Anonymous, organization: NOBODY, grant: Some(grant) }
    }

    /// Where a message to `topic` goes; `None` is a refusal.
    pub(crate) fn publish(&self, topic: &str) -> Option<Route> {
        if is_platform(topic) {
            let Identity::Device(device) = self.identity else { return self.order(topic) };
            return match topic.parse::<Topic>().ok()? {
                Topic::Pings(of) if of == device => Some(Route::Pings),
                Topic::CommandAck { device: of, command } if of == device => {
                    Some(Route::Control(Subject::Ack(command)))
                }
                Topic::Telemetry(of) if of == device => Some(Route::Telemetry),
                Topic::TwinReported(of) if of == device => Some(Route::Control(Subject::Reported)),
                Topic::CertificateRequest(of) if of == device => Some(Route::Renewal),
                _ => None,
            };
        }
        let open = !is_system(topic)
            && !topic.starts_with("$share/")
            && self.grant.as_ref().is_some_and(|grant| grant.publish.allow(topic));
        open.then_some(Route::Free)
    }

    /// The one topic of the platform on which services speak.
    fn order(&self, topic: &str) -> Option<Route> {
        let author = self.grant.as_ref()?.author?;
        match topic.parse::<Topic>().ok()? {
            Topic::Orders { organization, device }
                if organization == self.organization && self.allows(&Scope::CommandsWrite) =>
            {
                Some(Route::Order(device, author))
            }
            _ => None,
        }
    }

    /// Whether the identity may subscribe to `path`, which must be well formed.
    pub(crate) fn subscribe(&self, path: &str) -> bool {
        debug_assert!(is_valid(path), "checked by the caller");
        let (share, filter) = share(path);
        if let Identity::Device(device) = self.identity {
            // A device has its topics for itself.
            return share.is_none() && device_may_hear(device, filter);
        }
        if is_system(filter) {
            return self.allows(&Scope::MetricsRead);
        }
        if is_platform(filter) {
            return self.service_may_hear(filter);
        }
        self.grant.as_ref().is_some_and(|grant| grant.subscribe.allow(filter))
    }

    fn allows(&self, scope: &Scope) -> bool {
        self.grant.as_ref().is_some_and(|grant| grant.scopes.allows(scope))
    }

    /// Every kind of topic that the filter could match must be covered by a scope; a filter that starts with a wildcard
    /// would reach across organizations.
    fn service_may_hear(&self, filter: &str) -> bool {
        let own = format!("v1/organizations/{}/", self.organization);
        if !filter.starts_with(&own) {
            return false;
        }
        let kinds = [
            (format!("{own}devices/+/status"), Scope::DevicesRead),
            (format!("{own}devices/+/reported"), Scope::DevicesRead),
            (format!("{own}devices/+/acks"), Scope::DevicesRead),
            (format!("{own}venues/+/movements"), Scope::MovementsSubscribe),
            (format!("{own}venues/+/occupancy"), Scope::AnalyticsRead),
        ];
        let mut reachable = kinds.iter().filter(|(topics, _)| overlaps(topics, filter)).peekable();
        reachable.peek().is_some() && reachable.all(|(_, scope)| self.allows(scope))
    }
}

/// What the platform sends to one device, and any filter that stays inside the device's own family.
fn device_may_hear(device: DeviceId, filter: &str) -> bool {
    let own = format!("v1/{device}/");
    let Some(rest) = filter.strip_prefix(&own) else { return false };
    ["receipts", "certificate", "twin/desired", "commands/+"].iter().any(|topics| overlaps(topics, rest))
}

#[cfg(test)]
mod tests;
