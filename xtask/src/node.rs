//! Folders of the project's own with packages of the JavaScript world: clients for the tests, a yardstick for a bench.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::program;

/// Pinned, so that a test fails because of us and not because of a release of theirs.
const CLIENTS: [(&str, &str); 4] = [
    ("mqtt", "5.16.0"),
    ("openid-client", "6.9.0"),
    ("oidc-provider", "9.13.3"),
    ("playwright-core", "1.65.1"),
];

/// The modules below `target` that have the clients of MQTT and of `OpenID`, a provider, and what moves a browser.
pub(crate) fn with_clients(target: &Path) -> Result<PathBuf> {
    with(&target.join("xtask").join("node"), &CLIENTS)
        .context("the tests with other people's clients need them")
}

/// The modules of a folder that have these packages and no others; installed when they are not there yet.
pub(crate) fn with(folder: &Path, packages: &[(&str, &str)]) -> Result<PathBuf> {
    let modules = folder.join("node_modules");
    let is_there =
        |(package, version): &(&str, &str)| installed(&modules.join(package)).as_deref() == Some(*version);
    if packages.iter().all(is_there) {
        return Ok(modules);
    }
    let list: Vec<_> = packages.iter().map(|(package, version)| format!("{package}@{version}")).collect();
    eprintln!("   installing {} for Node.js", list.join(" "));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    program::run_quietly(
        Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--no-save", "--loglevel=error", "--prefix"])
            .arg(folder)
            .args(&list),
    )
    .with_context(|| format!("{} could not be installed", list.join(" ")))?;
    Ok(modules)
}

/// The version in the `package.json` of a module.
fn installed(module: &Path) -> Option<String> {
    let text = std::fs::read_to_string(module.join("package.json")).ok()?;
    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(json["version"].as_str()?.to_owned())
}
