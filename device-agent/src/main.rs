//! `promenade-agent --config FILE` and `promenade-agent check --config FILE`: parses, builds and calls.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use device_agent::check::Verdict;
use device_agent::log::Log;
use device_agent::notify::Notifier;
use device_agent::{Clock, Config};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Hears beacons and tells Promenade, through power cuts and lost networks.
#[derive(Debug, Parser)]
#[command(
    name = "promenade-agent",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The configuration, in TOML; `PROMENADE_AGENT_…` variables override it.
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Says in plain words what is wrong: configuration, disk, clock, adapter, server.
    Check {
        /// The configuration, in TOML; `PROMENADE_AGENT_…` variables override it.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let ended = match Arguments::parse() {
        Arguments { command: Some(Command::Check { config }), .. } => Ok(check(&config).await),
        Arguments { config: Some(config), .. } => run(&config).await.map(|()| ExitCode::SUCCESS),
        Arguments { config: None, .. } => Err(anyhow::anyhow!("--config FILE is missing")),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("promenade-agent: {error:#}");
        ExitCode::FAILURE
    })
}

async fn check(config: &Path) -> ExitCode {
    let findings = device_agent::check::check(config, variables().collect(), &Clock::system()).await;
    let mut status = ExitCode::SUCCESS;
    for finding in findings {
        println!("{finding}");
        if finding.verdict == Verdict::Wrong {
            status = ExitCode::FAILURE;
        }
    }
    status
}

fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

async fn run(config: &Path) -> anyhow::Result<()> {
    let config = Config::load(config, variables())
        .with_context(|| format!("the configuration {} does not do", config.display()))?;
    let targets: Targets = config.log.level.parse().context("[log] `level` is no level")?;
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .log_internal_errors(false);
    let clock = Clock::system();
    let log = Log::new(clock.clone());
    tracing_subscriber::registry().with(lines).with(log.clone()).with(targets).init();

    let shutdown = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    let seed =
        getrandom::u64().map_err(|error| anyhow::anyhow!("the system gives no randomness: {error}"))?;
    let notifier = Notifier::from_variables(|name| std::env::var_os(name))
        .context("the service manager in NOTIFY_SOCKET cannot be told")?;
    device_agent::run_notifying(config, clock, seed, notifier, log, shutdown).await?;
    Ok(())
}
