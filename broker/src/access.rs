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
    /// What the device says of a command or of itself.
    Control(Subject),
    /// What a service orders of a device.
    Order(DeviceId, Author),
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
                Topic::TwinReported(of) if of == device => Some(Route::Control(Subject::Reported)),
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
    ["receipts", "twin/desired", "commands/+"].iter().any(|topics| overlaps(topics, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{AccountId, ClientId, CommandId, Timestamp};

    fn ids() -> (DeviceId, DeviceId, OrganizationId, OrganizationId, KeyId) {
        let at = Timestamp(1);
        (
            DeviceId::new(at, [1; 10]),
            DeviceId::new(at, [2; 10]),
            OrganizationId::new(at, [3; 10]),
            OrganizationId::new(at, [4; 10]),
            KeyId::new(at, [5; 10]),
        )
    }

    #[test]
    fn a_device_reaches_its_own_topics_in_their_direction() {
        let (me, other, organization, ..) = ids();
        let access = Access::device(me, organization);
        assert_eq!(access.publish(&format!("v1/{me}/pings")), Some(Route::Pings));
        let reported = Some(Route::Control(Subject::Reported));
        assert_eq!(access.publish(&format!("v1/{me}/twin/reported")), reported);
        let command = CommandId::new(Timestamp(1), [7; 10]);
        let ack = Some(Route::Control(Subject::Ack(command)));
        assert_eq!(access.publish(&format!("v1/{me}/commands/{command}/ack")), ack);
        for refused in [
            format!("v1/{other}/pings"),
            format!("v1/{other}/twin/reported"),
            format!("v1/{other}/commands/{command}/ack"),
            format!("v1/{me}/commands/{command}"),
            format!("v1/{me}/receipts"),
            format!("v1/{me}/twin/desired"),
            format!("v1/organizations/{organization}/devices/{me}/status"),
            "a/b".to_owned(),
            "v1".to_owned(),
            "$SYS/x".to_owned(),
        ] {
            assert_eq!(access.publish(&refused), None, "{refused}");
        }
        for allowed in ["receipts", "twin/desired", "commands/+", "commands/#", "#", "twin/+"] {
            assert!(access.subscribe(&format!("v1/{me}/{allowed}")), "{allowed}");
        }
        for refused in [
            format!("v1/{me}/pings"),
            format!("v1/{other}/receipts"),
            "#".to_owned(),
            "+/+/receipts".to_owned(),
            "v1/+/receipts".to_owned(),
            "v1/#".to_owned(),
            "a/b".to_owned(),
            "$SYS/#".to_owned(),
            "$share/g/v1/#".to_owned(),
        ] {
            assert!(!access.subscribe(&refused), "{refused}");
        }
    }

    #[test]
    fn a_service_hears_what_its_scopes_cover_inside_its_organization() {
        let (_, _, own, other, key) = ids();
        let access = |scopes: &str| Access::service(key, own, scopes.parse().expect("scopes"));
        let movements = format!("v1/organizations/{own}/venues/+/movements");
        assert!(access("movements:subscribe").subscribe(&movements));
        assert!(!access("devices:read").subscribe(&movements));
        let all = format!("v1/organizations/{own}/#");
        assert!(!access("movements:subscribe").subscribe(&all));
        assert!(!access("movements:subscribe devices:read").subscribe(&all));
        assert!(access("movements:subscribe devices:read analytics:read").subscribe(&all));
        let occupancy = format!("v1/organizations/{own}/venues/+/occupancy");
        assert!(access("analytics:read").subscribe(&occupancy));
        assert!(!access("movements:subscribe").subscribe(&occupancy));
        assert!(!access("*").subscribe(&format!("v1/organizations/{other}/#")));
        assert!(!access("*").subscribe("v1/organizations/+/venues/+/movements"));
        assert!(!access("*").subscribe("#"));
        assert_eq!(access("*").publish(&format!("v1/organizations/{own}/venues/x/movements")), None);
    }

    #[test]
    fn a_service_orders_in_its_own_name_inside_its_organization() {
        let (device, _, own, other, key) = ids();
        let access = |scopes: &str| Access::service(key, own, scopes.parse().expect("scopes"));
        let orders = |organization| Topic::Orders { organization, device }.to_string();
        let by_key = Some(Route::Order(device, Author::Key(key)));
        assert_eq!(access("commands:write").publish(&orders(own)), by_key);
        assert_eq!(access("commands:write").publish(&orders(other)), None);
        assert_eq!(access("devices:read devices:write mqtt:publish:#").publish(&orders(own)), None);
        assert_eq!(Access::device(device, own).publish(&orders(own)), None);
        let everything = Arc::new(Grant::of_filters(&["#".into()], &["#".into()]));
        assert_eq!(Access::anonymous(everything).publish(&orders(NOBODY)), None);
        assert!(!access("*").subscribe(&orders(own)), "orders are for the platform alone");
        let client = ClientId::new(Timestamp(1), [8; 10]);
        let worth = |account| TokenWorth {
            organization: own,
            account,
            client,
            grant: GrantId::new(Timestamp(1), [9; 10]),
            scopes: "commands:write".parse().expect("scopes"),
            terms: 0,
            expires_at: Timestamp(2),
        };
        let person = AccountId::new(Timestamp(1), [10; 10]);
        for (account, author) in [(None, Author::Client(client)), (Some(person), Author::Account(person))] {
            let ordered = Access::granted(worth(account)).publish(&orders(own));
            assert_eq!(ordered, Some(Route::Order(device, author)));
        }
    }

    #[test]
    fn free_topics_need_a_filter_that_names_them() {
        let (_, _, own, _, key) = ids();
        let access = Access::service(
            key,
            own,
            "mqtt:publish:plant/# mqtt:subscribe:plant/+/state".parse().expect("scopes"),
        );
        assert_eq!(access.publish("plant/1/on"), Some(Route::Free));
        assert_eq!(access.publish("other/1"), None);
        assert!(access.subscribe("plant/+/state") && access.subscribe("plant/1/state"));
        assert!(!access.subscribe("plant/#") && !access.subscribe("#"));
        let grant = Grant::of_filters(&["#".into()], &["#".into(), "!secret/#".into()]);
        let everything = Access::anonymous(Arc::new(grant));
        assert_eq!(everything.publish("v1/x"), None);
        assert_eq!(everything.publish("$SYS/x"), None);
        assert_eq!(everything.publish("$other/x"), Some(Route::Free));
        assert!(everything.subscribe("#") && everything.subscribe("$share/g/a/#"));
        assert!(!everything.subscribe("v1/x") && !everything.subscribe("$SYS/#"));
        assert!(!everything.subscribe("secret/x") && !everything.subscribe("$share/g/secret/#"));
    }

    #[test]
    fn the_server_tells_of_itself_to_those_who_may_read_its_metrics() {
        let (me, _, own, _, key) = ids();
        let access = |scopes: &str| Access::service(key, own, scopes.parse().expect("scopes"));
        assert!(access("metrics:read").subscribe("$SYS/#") && access("*").subscribe("$SYS/broker/version"));
        assert!(!access("devices:read mqtt:subscribe:#").subscribe("$SYS/#"));
        assert!(!Access::device(me, own).subscribe("$SYS/#"));
        assert_eq!(access("*").publish("$SYS/broker/version"), None);
    }
}
