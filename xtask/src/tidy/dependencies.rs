//! Which package may use which: the arrows of ARCHITECTURE.md, checked on the graph that Cargo resolved.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::Problem;
use crate::workspace::Metadata;

/// Our packages, each with ours that it may use outside its tests. A new package is entered here.
const ARROWS: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("presence", &["protocol"]),
    ("store", &["protocol", "presence"]),
    ("broker", &["protocol", "presence", "store"]),
    ("identity", &["protocol", "store"]),
    ("voice", &["protocol", "store", "identity"]),
    ("api", &["protocol", "presence", "store", "identity", "voice"]),
    ("device-agent", &["protocol"]),
    ("firmware-sim", &["protocol"]),
    ("server", &["protocol", "presence", "store", "broker", "identity", "voice", "api", "firmware-sim"]),
    ("tests", &[]),
    ("xtask", &[]),
];

/// Packages that must not occur anywhere below one of ours, directly or through others.
const NEVER_BELOW: &[(&str, &[&str], &str)] = &[
    ("protocol", IO, "protocol does no I/O and reads no clock"),
    ("presence", IO, "presence does no I/O and reads no clock"),
    ("broker", &["api"], "broker and api meet in store only"),
    ("api", &["broker"], "broker and api meet in store only"),
    (
        "device-agent",
        &["store", "sqlx", "redis"],
        "the agent compiles for a small computer without a database",
    ),
];

const IO: &[&str] = &["tokio", "sqlx", "redis", "rumqttc", "rumqttd"];

/// Packages that only some of ours may name in their manifest, tests included.
const ONLY_IN: &[(&str, &[&str], &str)] = &[
    ("sqlx", &["store"], "store is the only package that knows SQL"),
    ("redis", &["store"], "store is the only package that knows Redis"),
    ("rumqttd", MQTT, "only what speaks MQTT itself knows an MQTT library"),
    ("rumqttc", MQTT, "only what speaks MQTT itself knows an MQTT library"),
];

const MQTT: &[&str] = &["broker", "device-agent", "firmware-sim", "tests"];

/// Our packages and what they use.
#[derive(Default)]
pub(super) struct Graph {
    members: Vec<Member>,
}

#[derive(Default)]
struct Member {
    name: String,
    folder: String,
    /// Named in the manifest for the program itself or its build script.
    uses: BTreeSet<String>,
    /// Named in the manifest for tests.
    tests_use: BTreeSet<String>,
    /// Everything below, through normal dependencies only, each with the way to it.
    below: BTreeMap<String, Vec<String>>,
}

impl Graph {
    /// The graph that Cargo resolved.
    pub(super) fn of(metadata: &Metadata) -> Self {
        let names: HashMap<&str, &str> =
            metadata.packages.iter().map(|package| (package.id.as_str(), package.name.as_str())).collect();
        let mut normal: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut members = Vec::new();
        for node in metadata.resolve.iter().flat_map(|resolve| &resolve.nodes) {
            let mut member = Member { name: names[node.id.as_str()].to_owned(), ..Member::default() };
            for dependency in &node.deps {
                let name = names[dependency.pkg.as_str()].to_owned();
                for kind in &dependency.dep_kinds {
                    match kind.kind.as_deref() {
                        None => {
                            normal.entry(&node.id).or_default().push(&dependency.pkg);
                            member.uses.insert(name.clone());
                        }
                        Some("dev") => drop(member.tests_use.insert(name.clone())),
                        Some(_) => drop(member.uses.insert(name.clone())),
                    }
                }
            }
            members.push((node.id.as_str(), member));
        }
        members.retain(|(id, _)| metadata.workspace_members.iter().any(|member| member == id));
        let folders: HashMap<&str, String> = metadata
            .packages
            .iter()
            .filter_map(|package| {
                let folder = package.manifest_path.parent()?.file_name()?;
                Some((package.id.as_str(), folder.to_string_lossy().into_owned()))
            })
            .collect();
        let members = members
            .into_iter()
            .map(|(id, mut member)| {
                member.folder = folders.get(id).cloned().unwrap_or_default();
                member.below = ways_down(id, &normal, &names);
                member
            })
            .collect();
        Self { members }
    }

    /// The folders of our packages.
    pub(super) fn folders(&self) -> Vec<&str> {
        self.members.iter().map(|member| member.folder.as_str()).collect()
    }
}

/// Checks the graph against the tables above.
pub(super) fn check(graph: &Graph) -> Vec<Problem> {
    let ours: BTreeSet<&str> = graph.members.iter().map(|member| member.name.as_str()).collect();
    graph.members.iter().flat_map(|member| check_member(member, &ours)).collect()
}

fn check_member(member: &Member, ours: &BTreeSet<&str>) -> Vec<Problem> {
    let name = member.name.as_str();
    let mut problems = Vec::new();
    let mut found = |rule, message: String| {
        problems.push(Problem::new(format!("{}/Cargo.toml", member.folder), rule, message));
    };

    if name != member.folder {
        found(
            "package-name",
            format!("the package `{name}` lives in the folder `{}`; name both alike", member.folder),
        );
    }
    match ARROWS.iter().find(|(package, _)| *package == name) {
        None => found(
            "dependency-direction",
            format!("`{name}` is new: enter it in xtask/src/tidy/dependencies.rs with what it may use"),
        ),
        Some((_, allowed)) => {
            for used in member.uses.iter().filter(|used| ours.contains(used.as_str())) {
                if !allowed.contains(&used.as_str()) {
                    found(
                        "dependency-direction",
                        format!("`{name}` must not depend on `{used}`; see ARCHITECTURE.md"),
                    );
                }
            }
        }
    }
    for (package, forbidden, reason) in NEVER_BELOW.iter().filter(|(package, _, _)| *package == name) {
        for (_, way) in
            member.below.iter().filter(|(below, _)| forbidden.iter().any(|one| is_part_of(below, one)))
        {
            found("dependency-tree", format!("{reason}, but `{package}` reaches {}", way.join(" -> ")));
        }
    }
    for (dependency, allowed, reason) in ONLY_IN.iter().filter(|(_, allowed, _)| !allowed.contains(&name)) {
        if member.uses.union(&member.tests_use).any(|used| is_part_of(used, dependency)) {
            found(
                "dependency-owner",
                format!("{reason}; `{dependency}` is for {} and not for `{name}`", allowed.join(", ")),
            );
        }
    }
    problems
}

/// Whether a package is the one meant or one of its parts, as `sqlx-core` is of `sqlx`.
fn is_part_of(package: &str, meant: &str) -> bool {
    package.strip_prefix(meant).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Every package below `from` with a shortest way to it, `from` left out.
fn ways_down(
    from: &str,
    arrows: &HashMap<&str, Vec<&str>>,
    names: &HashMap<&str, &str>,
) -> BTreeMap<String, Vec<String>> {
    let mut ways: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut seen = BTreeSet::from([from.to_owned()]);
    let mut queue = VecDeque::from([(from.to_owned(), Vec::<String>::new())]);
    while let Some((package, way)) = queue.pop_front() {
        for next in arrows.get(package.as_str()).into_iter().flatten() {
            if seen.insert((*next).to_owned()) {
                let name = names[next].to_owned();
                let longer = [way.as_slice(), std::slice::from_ref(&name)].concat();
                ways.entry(name).or_insert_with(|| longer.clone());
                queue.push_back(((*next).to_owned(), longer));
            }
        }
    }
    ways
}

#[cfg(test)]
mod tests;
