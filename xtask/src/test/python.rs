//! A Python environment of the project's own with the MQTT client that many devices use.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::program;

/// Pinned, so that a test fails because of us and not because of a release of theirs.
const PAHO: (&str, &str) = ("paho-mqtt", "2.1.0");

/// The Python of an environment below `target` that has paho-mqtt; made when it is not there yet.
pub(super) fn with_paho(target: &Path) -> Result<PathBuf> {
    let environment = target.join("xtask").join("venv");
    let python = environment.join("bin").join("python");
    let (package, version) = PAHO;
    if installed(&python, package).as_deref() == Some(version) {
        return Ok(python);
    }
    eprintln!("   making a Python environment with {package} {version}");
    program::run_quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    program::run_quietly(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .arg(format!("{package}=={version}")),
    )
    .with_context(|| {
        format!("{package} could not be installed; the tests with other people's clients need it")
    })?;
    Ok(python)
}

/// The version of a package in the environment of that Python.
fn installed(python: &Path, package: &str) -> Option<String> {
    let question = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))";
    program::run_quietly(Command::new(python).args(["-c", question, package])).ok()
}
