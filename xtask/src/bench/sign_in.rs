//! `cargo xtask bench sign-in`: how many devices may come back at once.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::process::{Programs, median};
use crate::program;
use crate::workspace::Workspace;

const ROUNDS: usize = 3;

/// Prints sign-ins a second, and for each second of the server's processor time.
pub(super) fn run(workspace: &Workspace, _: &[String]) -> Result<()> {
    let programs = Programs::build(workspace)?;
    let (mut per_second, mut per_cpu_second) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir()?;
        let server = programs.serve(folder.path(), &[])?;
        let token = programs.token(folder.path(), &[])?;
        let before = server.process.cpu()?;
        let mut load = programs.command("promenade-sim");
        load.args(["load", "--sign-ins", "--connections", "50", "--seconds", "4", "--mqtt", &server.mqtt]);
        load.args(["--http", &format!("http://{}", server.http), "--token", &token]);
        let result: Value = serde_json::from_str(&program::run_quietly(&mut load)?)?;
        let cpu = server.process.cpu_at_rest()?.saturating_sub(before).as_secs_f64();
        let number = |name: &str| result[name].as_f64().with_context(|| format!("no {name} in {result}"));
        per_second.push(number("sign_ins_per_s")?);
        per_cpu_second.push(number("sign_ins")? / cpu);
    }
    println!("connect, sign in, disconnect; 50 at a time, median of {ROUNDS} rounds of 4 s");
    println!("  sign-ins a second               {:8.0}", median(per_second)?);
    println!("  sign-ins a server CPU-second    {:8.0}", median(per_cpu_second)?);
    Ok(())
}
