//! Made-up graphs against the tables.

use serde_json::{Value, json};

use super::*;

/// A graph as Cargo prints it: `(from, to, kind)`; the first names are ours.
fn graph(ours: &[&str], arrows: &[(&str, &str, Option<&str>)]) -> Graph {
    let names: BTreeSet<&str> =
        ours.iter().copied().chain(arrows.iter().flat_map(|(from, to, _)| [*from, *to])).collect();
    let packages: Vec<Value> = names
        .iter()
        .map(|name| json!({"id": format!("id of {name}"), "name": name, "manifest_path": format!("/w/{name}/Cargo.toml")}))
        .collect();
    let nodes: Vec<Value> = names
        .iter()
        .map(|name| {
            let deps: Vec<Value> = arrows
                .iter()
                .filter(|(from, _, _)| from == name)
                .map(|(_, to, kind)| json!({"pkg": format!("id of {to}"), "dep_kinds": [{"kind": kind}]}))
                .collect();
            json!({"id": format!("id of {name}"), "deps": deps})
        })
        .collect();
    let members: Vec<String> = ours.iter().map(|name| format!("id of {name}")).collect();
    let metadata = json!({
        "packages": packages, "workspace_members": members,
        "resolve": {"nodes": nodes}, "target_directory": "/w/target",
    });
    Graph::of(&serde_json::from_value(metadata).unwrap())
}

fn messages(graph: &Graph) -> Vec<String> {
    check(graph).iter().map(ToString::to_string).collect()
}

#[test]
fn the_arrows_of_the_architecture_are_fine() {
    let graph = graph(
        &["protocol", "presence", "store", "broker", "tests"],
        &[
            ("presence", "protocol", None),
            ("store", "presence", None),
            ("store", "sqlx", None),
            ("sqlx", "tokio", None),
            ("broker", "store", None),
            ("broker", "rumqttd", None),
            ("tests", "rumqttc", Some("dev")),
            ("tests", "store", Some("dev")),
        ],
    );
    assert_eq!(messages(&graph), [""; 0]);
}

#[test]
fn an_arrow_against_the_direction_is_named() {
    let graph = graph(&["protocol", "presence"], &[("protocol", "presence", None)]);
    assert_eq!(
        messages(&graph),
        [
            "protocol/Cargo.toml: dependency-direction: `protocol` must not depend on `presence`; see ARCHITECTURE.md"
        ]
    );
}

#[test]
fn a_hidden_runtime_is_found_with_the_way_to_it() {
    let graph = graph(&["presence"], &[("presence", "innocent", None), ("innocent", "tokio-util", None)]);
    assert_eq!(
        messages(&graph),
        ["presence/Cargo.toml: dependency-tree: presence does no I/O and reads no clock, \
          but `presence` reaches innocent -> tokio-util"]
    );
}

#[test]
fn what_only_tests_or_builds_of_others_use_is_not_below() {
    let graph = graph(
        &["protocol"],
        &[
            ("protocol", "proptest", Some("dev")),
            ("proptest", "tokio", None),
            ("protocol", "serde", None),
            ("serde", "redis", Some("build")),
        ],
    );
    assert_eq!(messages(&graph), [""; 0]);
}

#[test]
fn databases_belong_to_store_even_in_tests() {
    let graph = graph(&["api"], &[("api", "sqlx", Some("dev"))]);
    assert_eq!(
        messages(&graph),
        [
            "api/Cargo.toml: dependency-owner: store is the only package that knows SQL; `sqlx` is for store and not for `api`"
        ]
    );
}

#[test]
fn broker_and_api_stay_apart_both_ways() {
    for (from, to) in [("broker", "api"), ("api", "broker")] {
        let found = check(&graph(&[from, to], &[(from, to, None)]));
        let rules: Vec<&str> = found.iter().map(|problem| problem.rule).collect();
        assert_eq!(rules, ["dependency-direction", "dependency-tree"], "{from} -> {to}");
    }
}

#[test]
fn the_agent_reaches_no_database_however_far() {
    let graph = graph(&["device-agent"], &[("device-agent", "handy", None), ("handy", "sqlx-core", None)]);
    assert_eq!(
        messages(&graph),
        [
            "device-agent/Cargo.toml: dependency-tree: the agent compiles for a small computer without a database, \
          but `device-agent` reaches handy -> sqlx-core"
        ]
    );
}

#[test]
fn a_new_package_must_be_entered_and_named_as_its_folder() {
    let mut graph = graph(&["gadget"], &[]);
    graph.members[0].folder = "gizmo".to_owned();
    let rules: Vec<&str> = check(&graph).iter().map(|problem| problem.rule).collect();
    assert_eq!(rules, ["package-name", "dependency-direction"]);
}

#[test]
fn a_name_that_only_begins_alike_is_another_package() {
    assert!(is_part_of("sqlx", "sqlx") && is_part_of("sqlx-sqlite", "sqlx"));
    assert!(!is_part_of("sqlxen", "sqlx") && !is_part_of("my-sqlx", "sqlx"));
}
