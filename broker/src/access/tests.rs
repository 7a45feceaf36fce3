//! Who reaches what, and what nobody reaches.

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
    assert_eq!(access.publish(&format!("v1/{me}/telemetry")), Some(Route::Telemetry));
    let reported = Some(Route::Control(Subject::Reported));
    assert_eq!(access.publish(&format!("v1/{me}/twin/reported")), reported);
    assert_eq!(access.publish(&format!("v1/{me}/certificate/request")), Some(Route::Renewal));
    let command = CommandId::new(Timestamp(1), [7; 10]);
    let ack = Some(Route::Control(Subject::Ack(command)));
    assert_eq!(access.publish(&format!("v1/{me}/commands/{command}/ack")), ack);
    for refused in [
        format!("v1/{other}/pings"),
        format!("v1/{other}/telemetry"),
        format!("v1/{other}/twin/reported"),
        format!("v1/{other}/commands/{command}/ack"),
        format!("v1/{me}/commands/{command}"),
        format!("v1/{me}/receipts"),
        format!("v1/{me}/certificate"),
        format!("v1/{other}/certificate/request"),
        format!("v1/{me}/twin/desired"),
        format!("v1/organizations/{organization}/devices/{me}/status"),
        "a/b".to_owned(),
        "v1".to_owned(),
        "$SYS/x".to_owned(),
    ] {
        assert_eq!(access.publish(&refused), None, "{refused}");
    }
    for allowed in ["receipts", "certificate", "twin/desired", "commands/+", "commands/#", "#", "twin/+"] {
        assert!(access.subscribe(&format!("v1/{me}/{allowed}")), "{allowed}");
    }
    for refused in [
        format!("v1/{me}/pings"),
        format!("v1/{me}/certificate/request"),
        format!("v1/{other}/certificate"),
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
