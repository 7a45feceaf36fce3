//! A folder of the project's own with the clients of MQTT and of `OpenID`, and a provider, of the JavaScript world.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::program;

/// Pinned, so that a test fails because of us and not because of a release of theirs.
const CLIENTS: [(&str, &str); 3] =
    [("mqtt", "5.16.0"), ("openid-client", "6.9.0"), ("oidc-provider", "9.13.3")];

/// The modules below `target` that have the clients; installed when they are not there yet.
pub(super) fn with_clients(target: &Path) -> Result<PathBuf> {
    let folder = target.join("xtask").join("node");
    let modules = folder.join("node_modules");
    let is_there =
        |(package, version): &(&str, &str)| installed(&modules.join(package)).as_deref() == Some(*version);
    if CLIENTS.iter().all(is_there) {
        return Ok(modules);
    }
    let list = CLIENTS.map(|(package, version)| format!("{package}@{version}"));
    eprintln!("   installing {} for Node.js", list.join(" "));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    program::run_quietly(
        Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--no-save", "--loglevel=error", "--prefix"])
            .arg(&folder)
            .args(&list),
    )
    .with_context(|| {
        format!("{} could not be installed; the tests with other people's clients need them", list.join(" "))
    })?;
    Ok(modules)
}

/// The version in the `package.json` of a module.
fn installed(module: &Path) -> Option<String> {
    let text = std::fs::read_to_string(module.join("package.json")).ok()?;
    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(json["version"].as_str()?.to_owned())
}
