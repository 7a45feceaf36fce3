//! `cargo xtask demo`: the whole system on one simulated day.

use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;

/// Becomes `promenade demo`, so that Ctrl-C reaches the server and lets it shut down in order.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    eprintln!("== demo");
    eprintln!("   Building the release server; the first time this takes a few minutes.");
    eprintln!(
        "   Then a day in a shop is simulated, sent through MQTT, counted, and compared with the truth."
    );
    let error = workspace
        .cargo()
        .args(["run", "--release", "--package", "server", "--", "demo"])
        .args(arguments)
        .exec();
    Err(error).context("`cargo run` could not be started")
}
