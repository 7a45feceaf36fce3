//! A Python environment of the project's own with the clients of MQTT, `OAuth2` and `OpenAPI` that many people use.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::program;

/// Pinned, so that a test fails because of us and not because of a release of theirs.
const CLIENTS: [(&str, &str); 7] = [
    ("paho-mqtt", "2.1.0"),
    ("aiomqtt", "2.5.1"),
    ("requests", "2.34.2"),
    ("Authlib", "1.9.10"),
    ("requests-oauthlib", "2.0.0"),
    ("idpyoidc", "5.0.0"),
    ("schemathesis", "4.32.5"),
];

/// The Python of an environment below `target` that has the clients; made when it is not there yet.
pub(super) fn with_clients(target: &Path) -> Result<PathBuf> {
    let environment = target.join("xtask").join("venv");
    let python = environment.join("bin").join("python");
    if CLIENTS.iter().all(|(package, version)| installed(&python, package).as_deref() == Some(version)) {
        return Ok(python);
    }
    let list = CLIENTS.map(|(package, version)| format!("{package}=={version}"));
    eprintln!("   making a Python environment with {}", list.join(" "));
    program::run_quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    program::run_quietly(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(&list),
    )
    .with_context(|| {
        format!("{} could not be installed; the tests with other people's clients need them", list.join(" "))
    })?;
    Ok(python)
}

/// The version of a package in the environment of that Python.
fn installed(python: &Path, package: &str) -> Option<String> {
    let question = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))";
    program::run_quietly(Command::new(python).args(["-c", question, package])).ok()
}
