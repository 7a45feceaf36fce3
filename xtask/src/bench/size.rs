//! `cargo xtask bench size`: how small the programs are when nothing happens.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::process::{Programs, Running, median};
use crate::program;
use crate::workspace::Workspace;

const ROUNDS: usize = 5;
/// How long a program is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(3);

/// Prints the idle server's memory and time to listen, and the agent's memory while it scans.
pub(super) fn run(workspace: &Workspace, _: &[String]) -> Result<()> {
    let programs = Programs::build(workspace)?;
    let (mut ready, mut server_mb, mut agent_mb) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir()?;
        let server = programs.serve(folder.path(), &[])?;
        ready.push(server.ready_after.as_secs_f64() * 1000.0);
        let token = programs.token(folder.path(), &[])?;
        let agent = start_agent(&programs, folder.path(), &server.mqtt, &gateway(&server.http, &token)?)?;
        rest();
        server_mb.push(server.process.resident_mb()?);
        agent_mb.push(agent.resident_mb()?);
    }
    println!("median of {ROUNDS} rounds");
    println!("  server, from start to listening   {:8.0} ms", median(ready)?);
    println!("  server, idle with one agent       {:8.1} MB resident", median(server_mb)?);
    println!("  agent, 50 advertisements a second {:8.1} MB resident", median(agent_mb)?);
    Ok(())
}

/// Registers a gateway with curl, so that the bench needs no HTTP client of its own; answers its id and secret.
pub(super) fn gateway(http: &str, token: &str) -> Result<(String, String)> {
    let said = program::run_quietly(
        std::process::Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "-X", "POST", "-H"])
            .arg(format!("Authorization: Bearer {token}"))
            .args(["-H", "Content-Type: application/json", "-d", r#"{"kind":"gateway","name":"bench"}"#])
            .arg(format!("http://{http}/api/v1/devices")),
    )?;
    let made: serde_json::Value = serde_json::from_str(&said)?;
    let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
    Ok((text("id"), text("secret")))
}

fn start_agent(
    programs: &Programs,
    folder: &std::path::Path,
    mqtt: &str,
    (id, secret): &(String, String),
) -> Result<Running> {
    let (host, port) = mqtt.rsplit_once(':').unwrap_or((mqtt, "1883"));
    let spool = folder.join("spool");
    let config = format!(
        "[device]\nid = \"{id}\"\nsecret = \"{secret}\"\n[link]\nhost = \"{host}\"\nport = {port}\n\
         [scanner]\nkind = \"simulated\"\n[spool]\ndir = \"{}\"\n",
        spool.display()
    );
    let file = folder.join("agent.toml");
    std::fs::write(&file, config)?;
    Running::start(programs.command("promenade-agent").arg("--config").arg(file))
}

#[expect(clippy::disallowed_methods, reason = "an idle program is measured by letting it idle")]
fn rest() {
    let until = Instant::now() + IDLE;
    std::thread::sleep(until - Instant::now());
}
