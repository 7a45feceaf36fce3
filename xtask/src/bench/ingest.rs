//! `cargo xtask bench ingest`: ping batches over real sockets until they are committed.
//!
//! Each line is a fresh server with a fresh database. Two yardsticks run beside it on the same machine in the same run: how
//! many batches one core can only decode, and how many Mosquitto relays to one subscriber without storing them.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use serde_json::Value;

use super::process::{Programs, Running, free_port, median, wait_for_port};
use crate::postgres::Postgres;
use crate::program;
use crate::workspace::Workspace;

/// What the bench may be told.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench ingest")]
struct Options {
    /// Rounds of each line; the median is printed.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each round sends, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Connections that send.
    #[arg(long, default_value_t = 50)]
    connections: usize,
    /// Batches of a connection that wait for their acknowledgement at once.
    #[arg(long, default_value_t = 64)]
    window: u16,
    /// Only lines whose name contains this, such as `sqlite`, `json` or `x50`.
    #[arg(long)]
    only: Option<String>,
}

/// One line of the table.
struct Round {
    batches_per_s: f64,
    pings_per_s: f64,
    batches_per_cpu_s: f64,
    cpu_per_million_pings: f64,
    p50_ms: f64,
    p99_ms: f64,
    decode_only_per_s: f64,
}

const HEAD: &str = "                        batches/s    pings/s  batches/CPU-s    pings/CPU-s  CPU-s/Mpings  p50 ms  p99 ms  decode-only/s";

/// Runs every line.
pub(super) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let options = Options::parse_from(std::iter::once("ingest".to_owned()).chain(arguments.iter().cloned()));
    let programs = Programs::build(workspace)?;
    println!(
        "{} connections, {} batches under way on each, {} s a round, median of {} rounds; CPU is the server's",
        options.connections, options.window, options.seconds, options.rounds
    );
    println!("{HEAD}");
    let lines = |name: &str| options.only.as_deref().is_none_or(|only| name.contains(only));
    let postgres = lines("postgres").then(Postgres::start).transpose()?;
    for engine in ["sqlite", "postgres"] {
        for pings in [1, 10, 50] {
            for encoding in ["json", "cbor"] {
                let name = format!("{engine} {encoding} x{pings}");
                if lines(&name) {
                    let database = postgres.as_ref().filter(|_| engine == "postgres");
                    print(&name, &options, || promenade(&programs, &options, pings, encoding, database))?;
                }
            }
        }
    }
    for pings in [1, 10, 50] {
        for encoding in ["json", "cbor"] {
            let name = format!("mosquitto {encoding} x{pings}");
            if lines(&name) {
                print(&name, &options, || mosquitto(&programs, &options, pings, encoding))?;
            }
        }
    }
    Ok(())
}

fn print(name: &str, options: &Options, round: impl Fn() -> Result<Round>) -> Result<()> {
    let rounds: Vec<Round> = (0..options.rounds).map(|_| round()).collect::<Result<_>>()?;
    let middle = |value: fn(&Round) -> f64| median(rounds.iter().map(value).collect());
    let cpu = middle(|round| round.cpu_per_million_pings)?;
    println!(
        "{name:<20} {:>12.0} {:>10.0} {:>14.0} {:>14.0} {:>13.2} {:>7.1} {:>7.1} {:>14.0}",
        middle(|round| round.batches_per_s)?,
        middle(|round| round.pings_per_s)?,
        middle(|round| round.batches_per_cpu_s)?,
        1e6 / cpu,
        cpu,
        middle(|round| round.p50_ms)?,
        middle(|round| round.p99_ms)?,
        middle(|round| round.decode_only_per_s)?,
    );
    Ok(())
}

fn promenade(
    programs: &Programs,
    options: &Options,
    pings: usize,
    encoding: &str,
    postgres: Option<&Postgres>,
) -> Result<Round> {
    let folder = tempfile::tempdir()?;
    let database = postgres.map(fresh_database).transpose()?;
    let mut settings = vec![("PROMENADE_MQTT__PINGS__PER_MINUTE", "4000000000")];
    if let Some(url) = &database {
        settings.push(("PROMENADE_DATABASE__URL", url));
    }
    let server = programs.serve(folder.path(), &settings)?;
    let token = programs.token(folder.path(), &settings)?;
    let before = server.process.cpu()?;
    let mut load = load(programs, options, pings, encoding, &server.mqtt);
    load.args(["--http", &format!("http://{}", server.http), "--token", &token]);
    let result = result(&mut load)?;
    if result["refusals"].as_u64() != Some(0) {
        bail!("batches were refused: {result}");
    }
    round(&result, "batches_per_s", server.process.cpu_at_rest()?.saturating_sub(before))
}

fn mosquitto(programs: &Programs, options: &Options, pings: usize, encoding: &str) -> Result<Round> {
    let folder = tempfile::tempdir()?;
    let port = free_port()?;
    let file = folder.path().join("mosquitto.conf");
    // Without delay and without bounds on what waits for the subscriber: its best case.
    let config = format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\n\
         max_inflight_messages 0\npersistence false\n"
    );
    std::fs::write(&file, config)?;
    let path = program::find("mosquitto").context("mosquitto is missing; `cargo xtask test` installs it")?;
    let broker = Running::start(Command::new(path).arg("-c").arg(&file))?;
    wait_for_port(port)?;
    let before = broker.cpu()?;
    let mut load = load(programs, options, pings, encoding, &format!("127.0.0.1:{port}"));
    let result = result(load.args(["--plain-topic", "bench"]))?;
    round(&result, "delivered_per_s", broker.cpu_at_rest()?.saturating_sub(before))
}

fn load(programs: &Programs, options: &Options, pings: usize, encoding: &str, mqtt: &str) -> Command {
    let mut command = programs.command("promenade-sim");
    // A hundred subjects heard by every gateway: event time runs fast, so that nearly all of it is also counted.
    command.args(["load", "--mqtt", mqtt, "--encoding", encoding, "--subjects", "100"]);
    command.args(["--pings", &pings.to_string(), "--seconds", &options.seconds.to_string()]);
    command.args([
        "--connections",
        &options.connections.to_string(),
        "--window",
        &options.window.to_string(),
    ]);
    command.stderr(Stdio::inherit());
    command
}

fn result(command: &mut Command) -> Result<Value> {
    let output = command.output()?;
    if !output.status.success() {
        bail!("the load generator failed ({})", output.status);
    }
    serde_json::from_slice(&output.stdout).context("the load generator's result")
}

fn round(result: &Value, rate: &str, cpu: Duration) -> Result<Round> {
    let number = |name: &str| result[name].as_f64().with_context(|| format!("no {name} in {result}"));
    let (cpu, batches, pings) = (cpu.as_secs_f64(), number("batches")?, number("pings")?);
    Ok(Round {
        batches_per_s: number(rate)?,
        pings_per_s: number(rate)? * pings / batches,
        batches_per_cpu_s: batches / cpu,
        cpu_per_million_pings: cpu * 1e6 / pings,
        p50_ms: number("p50_us")? / 1000.0,
        p99_ms: number("p99_us")? / 1000.0,
        decode_only_per_s: number("decode_only_per_s")?,
    })
}

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// An empty database of that server; answers its URL.
pub(super) fn fresh_database(postgres: &Postgres) -> Result<String> {
    let server = postgres.url();
    let name = format!("bench_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    program::run_quietly(Command::new("psql").args([
        &server,
        "-q",
        "-c",
        &format!("CREATE DATABASE {name}"),
    ]))?;
    let (server, _) = server.rsplit_once('/').unwrap_or((&server, ""));
    Ok(format!("{server}/{name}"))
}
