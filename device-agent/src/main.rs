//! `promenade-agent --config FILE`: parses, builds and calls.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use device_agent::{Clock, Config};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Hears beacons and tells Promenade, through power cuts and lost networks.
#[derive(Debug, Parser)]
#[command(name = "promenade-agent", version)]
struct Arguments {
    /// The configuration, in TOML; `PROMENADE_AGENT_…` variables override it.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("promenade-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let config = Config::load(&arguments.config, variables)
        .with_context(|| format!("the configuration {} does not do", arguments.config.display()))?;
    let targets: Targets = config.log.level.parse().context("[log] `level` is no level")?;
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .log_internal_errors(false);
    tracing_subscriber::registry().with(lines).with(targets).init();

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
    device_agent::run(config, Clock::system(), seed, shutdown).await?;
    Ok(())
}
