//! Environments of the project's own with packages of the Python world: clients for the tests, a yardstick for a bench.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::program;

/// Clients of MQTT, `OAuth2` and `OpenAPI` that many people use. Pinned, so that a test fails because of us and not because
/// of a release of theirs.
const CLIENTS: [(&str, &str); 7] = [
    ("paho-mqtt", "2.1.0"),
    ("aiomqtt", "2.5.1"),
    ("requests", "2.34.2"),
    ("Authlib", "1.9.10"),
    ("requests-oauthlib", "2.0.0"),
    ("idpyoidc", "5.0.0"),
    ("schemathesis", "4.32.5"),
];

/// The Python of an environment below `target` that has the clients.
pub(crate) fn with_clients(target: &Path) -> Result<PathBuf> {
    with(&target.join("xtask").join("venv"), &CLIENTS)
        .context("the tests with other people's clients need them")
}

/// The Python of an environment that has these packages; made when it is not there yet.
pub(crate) fn with(environment: &Path, packages: &[(&str, &str)]) -> Result<PathBuf> {
    let python = environment.join("bin").join("python");
    if packages.iter().all(|(package, version)| installed(&python, package).as_deref() == Some(*version)) {
        return Ok(python);
    }
    let list: Vec<_> = packages.iter().map(|(package, version)| format!("{package}=={version}")).collect();
    eprintln!("   making a Python environment with {}", list.join(" "));
    program::run_quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment))?;
    program::run_quietly(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(&list),
    )
    .with_context(|| format!("{} could not be installed", list.join(" ")))?;
    Ok(python)
}

/// The version of a package in the environment of that Python.
fn installed(python: &Path, package: &str) -> Option<String> {
    let question = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))";
    program::run_quietly(Command::new(python).args(["-c", question, package])).ok()
}
