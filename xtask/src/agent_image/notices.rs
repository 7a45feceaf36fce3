//! The licences of what is linked into the program: each permissive one asks for its own notice in copies.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::workspace::{Metadata, Package};

/// How files begin that hold a licence or a notice, in capital letters.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"];

/// The texts of every package of others that this one is built of, each text once.
pub(super) fn of(metadata: &Metadata, package: &str) -> Result<String> {
    let mut texts = BTreeMap::<String, BTreeSet<&str>>::new();
    let mut without = BTreeSet::new();
    for package in linked(metadata, package)? {
        let folder = package.manifest_path.parent().context("a manifest without a folder")?;
        let files = files_of(folder)?;
        for file in &files {
            let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let text = String::from_utf8_lossy(&text).trim().to_owned();
            texts.entry(text).or_default().insert(&package.name);
        }
        if files.is_empty() {
            without.insert(format!(
                "{}: {}",
                package.name,
                package.license.as_deref().unwrap_or("no licence")
            ));
        }
    }
    let mut notices =
        String::from("What promenade-agent is linked with, and the licences and notices of that.\n");
    for (text, names) in &texts {
        let names = names.iter().copied().collect::<Vec<_>>().join(", ");
        let _ = write!(notices, "\n==== {names}\n\n{text}\n");
    }
    if !without.is_empty() {
        let lines = without.into_iter().collect::<Vec<_>>().join("\n");
        let _ = write!(notices, "\n==== These say their licence and bring no text of it\n\n{lines}\n");
    }
    Ok(notices)
}

/// The packages of others that end up in the program: not what only builds or tests it.
fn linked<'a>(metadata: &'a Metadata, package: &str) -> Result<Vec<&'a Package>> {
    let resolve = metadata.resolve.as_ref().context("no resolved graph")?;
    let start = metadata
        .packages
        .iter()
        .find(|candidate| candidate.name == package && metadata.workspace_members.contains(&candidate.id));
    let start = start.with_context(|| format!("there is no package {package}"))?;
    let (mut open, mut seen) = (vec![start.id.as_str()], BTreeSet::new());
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            let node = resolve.nodes.iter().find(|node| node.id == id).context("a hole in the graph")?;
            let used = node.deps.iter().filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            open.extend(used.map(|dep| dep.pkg.as_str()));
        }
    }
    let of_others = metadata.packages.iter().filter(|package| {
        seen.contains(package.id.as_str()) && !metadata.workspace_members.contains(&package.id)
    });
    Ok(of_others.collect())
}

/// Files with a licence or a notice in a package's folder, and in those of C that it brings along.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = vec![folder.to_owned()];
    if let Ok(vendored) = fs::read_dir(folder.join("vendor")) {
        folders.extend(vendored.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()));
    }
    let mut files = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
            if path.is_file() && NAMES.iter().any(|start| name.starts_with(start)) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn what_is_linked_is_named_and_what_only_tests_is_not() {
        let metadata = Workspace::here().metadata_for("aarch64-unknown-linux-gnu").unwrap();
        let notices = of(&metadata, "device-agent").unwrap();
        let heads: Vec<_> = notices.lines().filter(|line| line.starts_with("====")).collect();
        let is_named = |name: &str| heads.iter().any(|head| head[5..].split(", ").any(|other| other == name));
        assert!(is_named("btleplug") && is_named("tokio"), "{heads:#?}");
        assert!(!is_named("proptest") && !is_named("cc") && !is_named("protocol"), "{heads:#?}");
        assert!(notices.contains("Academic Free License"), "libdbus is linked in, too");
        assert!(of(&metadata, "nothing").is_err());
    }
}
