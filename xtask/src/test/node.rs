//! A folder of the project's own with the MQTT client of the JavaScript world.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::program;

/// Pinned, so that a test fails because of us and not because of a release of theirs.
const CLIENT: (&str, &str) = ("mqtt", "5.16.0");

/// The modules below `target` that have MQTT.js; installed when it is not there yet.
pub(super) fn with_client(target: &Path) -> Result<PathBuf> {
    let folder = target.join("xtask").join("node");
    let modules = folder.join("node_modules");
    let (package, version) = CLIENT;
    if installed(&modules.join(package)).as_deref() == Some(version) {
        return Ok(modules);
    }
    eprintln!("   installing {package} {version} for Node.js");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    program::run_quietly(
        Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--no-save", "--loglevel=error", "--prefix"])
            .arg(&folder)
            .arg(format!("{package}@{version}")),
    )
    .with_context(|| {
        format!("{package} could not be installed; the tests with other people's clients need it")
    })?;
    Ok(modules)
}

/// The version in the `package.json` of a module.
fn installed(module: &Path) -> Option<String> {
    let text = std::fs::read_to_string(module.join("package.json")).ok()?;
    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(json["version"].as_str()?.to_owned())
}
