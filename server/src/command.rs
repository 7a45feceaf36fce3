//! The commands of the program, one file each.

mod ca;
mod demo;
mod doctor;
mod explain;
mod operator;
mod pseudonyms;
mod rotate_keys;
mod serve;
mod token;

pub(crate) use ca::Ca;
pub(crate) use demo::Demo;
pub(crate) use doctor::doctor;
pub(crate) use explain::Explain;
pub(crate) use operator::{OperatorKey, Sign};
pub(crate) use pseudonyms::Pseudonyms;
pub(crate) use rotate_keys::rotate_keys;
pub(crate) use serve::serve;
pub(crate) use token::Token;

use std::io::IsTerminal as _;

use anyhow::Context;
use server::config::{Log, LogFormat};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Logs go to standard error: standard output belongs to what a command answers.
fn start_logging(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.filter).with_context(|| format!("log.filter `{}`", log.filter))?;
    // A log that nobody reads any more must not end the server: what cannot be written is dropped without a word.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false);
    match log.format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime does not start")
}

/// Cancelled by SIGTERM or SIGINT; a second signal ends the process at once.
fn until_signalled() -> anyhow::Result<CancellationToken> {
    let shutdown = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // Whoever tells the server to read its certificates again must not end one that has none.
    let _heard = signal(SignalKind::hangup())?;
    let token = shutdown.clone();
    tokio::spawn(async move {
        for round in 0..2 {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if round == 1 {
                std::process::exit(130);
            }
            token.cancel();
            tracing::info!("stopping: finishing what was taken in");
        }
    });
    Ok(shutdown)
}
