//! Who may publish and subscribe where: decided from the identity alone, the same for every version of MQTT.

use protocol::{DeviceId, KeyId, OrganizationId, Topic};
use store::{Scope, ScopeSet};

use crate::filter::{covers, is_valid, overlaps};

/// Whom a connection belongs to; a session is keyed by it, so that nobody takes over another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    Device(DeviceId),
    Service(KeyId),
    Anonymous,
}

/// What an identity may do.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) identity: Identity,
    /// The organization whose topics a service reaches, or a device belongs to.
    pub(crate) organization: Option<OrganizationId>,
    scopes: ScopeSet,
    publish: Vec<String>,
    subscribe: Vec<String>,
}

/// Where an allowed publish goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// A ping batch of the device itself.
    Pings,
    /// A free topic.
    Free,
}

impl Access {
    /// A device reaches its own topics and nothing else.
    pub(crate) fn device(device: DeviceId, organization: OrganizationId) -> Self {
        Self {
            identity: Identity::Device(device),
            organization: Some(organization),
            scopes: ScopeSet::default(),
            publish: Vec::new(),
            subscribe: Vec::new(),
        }
    }

    /// A service reaches what its scopes name.
    pub(crate) fn service(key: KeyId, organization: OrganizationId, scopes: ScopeSet) -> Self {
        let publish = scopes.publish_filters().map(str::to_owned).collect();
        let subscribe = scopes.subscribe_filters().map(str::to_owned).collect();
        Self {
            identity: Identity::Service(key),
            organization: Some(organization),
            scopes,
            publish,
            subscribe,
        }
    }

    /// Whoever does not say who they are reaches what the configuration opens to them.
    pub(crate) fn anonymous(publish: Vec<String>, subscribe: Vec<String>) -> Self {
        Self {
            identity: Identity::Anonymous,
            organization: None,
            scopes: ScopeSet::default(),
            publish,
            subscribe,
        }
    }

    /// Where a message to `topic` goes; `None` is a refusal.
    pub(crate) fn publish(&self, topic: &str) -> Option<Route> {
        if is_reserved(topic) {
            let Identity::Device(device) = self.identity else { return None };
            return match topic.parse::<Topic>().ok()? {
                Topic::Pings(of) if of == device => Some(Route::Pings),
                _ => None,
            };
        }
        let open = !topic.starts_with('$') && self.publish.iter().any(|filter| covers(filter, topic));
        open.then_some(Route::Free)
    }

    /// Whether the identity may subscribe to `filter`, which must be well formed.
    pub(crate) fn subscribe(&self, filter: &str) -> bool {
        debug_assert!(is_valid(filter), "checked by the caller");
        if !is_reserved(filter) && !filter.starts_with(['+', '#', '$']) {
            return self.subscribe.iter().any(|allowed| covers(allowed, filter));
        }
        match self.identity {
            Identity::Device(device) => device_may_hear(device, filter),
            Identity::Service(_) => self.service_may_hear(filter),
            Identity::Anonymous => false,
        }
    }

    /// Every kind of topic that the filter could match must be covered by a scope; a filter that starts with a wildcard
    /// would reach across organizations.
    fn service_may_hear(&self, filter: &str) -> bool {
        let Some(organization) = self.organization else { return false };
        let own = format!("v1/organizations/{organization}/");
        if !filter.starts_with(&own) {
            return false;
        }
        let kinds = [
            (format!("{own}devices/+/status"), Scope::DevicesRead),
            (format!("{own}devices/+/reported"), Scope::DevicesRead),
            (format!("{own}devices/+/acks"), Scope::DevicesRead),
            (format!("{own}venues/+/movements"), Scope::MovementsSubscribe),
        ];
        let mut reachable = kinds.iter().filter(|(topics, _)| overlaps(topics, filter)).peekable();
        reachable.peek().is_some() && reachable.all(|(_, scope)| self.scopes.allows(scope))
    }
}

/// Names that only the platform gives a meaning: free topics never reach them.
fn is_reserved(name: &str) -> bool {
    name == "v1" || name.starts_with(Topic::PREFIX)
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
    use protocol::Timestamp;

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
        for refused in [
            format!("v1/{other}/pings"),
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
        assert!(access("movements:subscribe devices:read").subscribe(&all));
        assert!(!access("*").subscribe(&format!("v1/organizations/{other}/#")));
        assert!(!access("*").subscribe("v1/organizations/+/venues/+/movements"));
        assert!(!access("*").subscribe("#"));
        assert_eq!(access("*").publish(&format!("v1/organizations/{own}/venues/x/movements")), None);
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
        let everything = Access::anonymous(vec!["#".into()], vec!["#".into()]);
        assert_eq!(everything.publish("v1/x"), None);
        assert!(!everything.subscribe("v1/x") && !everything.subscribe("$SYS/#"));
    }
}
