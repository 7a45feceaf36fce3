//! `promenade-agent --config FILE`, `promenade-agent check` and `promenade-agent enrol`: parses, builds and calls.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use device_agent::check::Verdict;
use device_agent::config::{ConfigError, EnrolmentConfig};
use device_agent::enrolment::{Progress, enrol, forget};
use device_agent::identity::{Credentials, IdentityFile};
use device_agent::log::Log;
use device_agent::notify::Notifier;
use device_agent::spool::{Spool, SpoolError};
use device_agent::{Clock, Config};
use protocol::DeviceKind;
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
    /// Asks the platform to let this device in: shows a code, and keeps what the device signs in with.
    Enrol(Enrol),
}

#[derive(Debug, Args)]
struct Enrol {
    /// The platform's own address, as `https://id.example.org`; without it, that of the configuration.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The configuration; without it, everything is as it is by default.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A file with the claim key of the fleet.
    #[arg(long, value_name = "FILE")]
    claim_key_file: Option<PathBuf>,
    /// The serial number, instead of that of the machine.
    #[arg(long)]
    serial: Option<String>,
    /// What the device is.
    #[arg(long)]
    kind: Option<DeviceKind>,
    /// The authorities that may vouch for the platform, instead of those of the system.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Asks for a certificate instead of a secret.
    #[arg(long)]
    certificate: bool,
    /// Allows http to others than this machine, where everybody on the way reads what the device gets.
    #[arg(long)]
    insecure_http: bool,
    /// Gives up the identity that the device has.
    #[arg(long)]
    replace: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let ended = match Arguments::parse() {
        Arguments { command: Some(Command::Check { config }), .. } => Ok(check(&config).await),
        Arguments { command: Some(Command::Enrol(enrol)), .. } => come_in(enrol).await,
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

async fn come_in(arguments: Enrol) -> anyhow::Result<ExitCode> {
    let told = match &arguments.config {
        Some(path) => Config::load(path, variables())
            .with_context(|| format!("the configuration {} does not do", path.display()))?,
        None => Config::parse("scanner.kind = \"bluetooth\"", [])?,
    };
    if let Some(id) = told.device.id {
        anyhow::bail!(
            "the configuration says already that this device is {id}: take that out of [device] first"
        );
    }
    let file = IdentityFile::new(told.identity_file());
    let enrolment = arguments.lay_over(told.enrolment.clone())?;
    // Open until the end: an agent at work would go on as who it was, and send what it hears as who it has become.
    let mut spool = Spool::open(&told.spool, seed()?).map_err(|error| match error {
        SpoolError::InUse { .. } => {
            anyhow::Error::new(error).context("stop the agent first (`systemctl stop promenade-agent`)")
        }
        SpoolError::Io { .. } => error.into(),
    })?;
    file.prepare(arguments.replace)?;

    let is_terminal = std::io::stdout().is_terminal();
    let mut show = |progress: Progress<'_>| match progress {
        Progress::Code(codes) => println!("{}", codes.show(is_terminal)),
        Progress::Wait(wait, Some(why)) => println!("{why}; it goes on in {} s", wait.as_secs()),
        Progress::Wait(_, None) => {}
    };
    let (device, credentials) = enrol(&enrolment, &Clock::system(), seed()?, &mut show).await?;
    let is_certified = matches!(credentials, Credentials::Certificate(_));
    file.create(device, credentials)?;
    println!("This device is {device} from now on. What it signs in with is in {}.", file.path().display());
    if is_certified && !told.link.tls {
        println!("It signs in with a certificate, which needs `tls = true` in [link].");
    }
    if arguments.replace {
        let forgotten = forget(&told, &mut spool).context(
            "something of the device before is left, and would be sent as this one: delete it before you start the agent",
        )?;
        println!(
            "What belonged to the device before is forgotten: {} batches that were not delivered ({} pings, {} bytes of the \
             spool), and its commands.",
            forgotten.batches, forgotten.pings, forgotten.bytes
        );
    }
    Ok(ExitCode::SUCCESS)
}

impl Enrol {
    /// What is asked, by the arguments first and then by the configuration.
    fn lay_over(&self, told: Option<EnrolmentConfig>) -> anyhow::Result<EnrolmentConfig> {
        let server = self.server.clone().or_else(|| told.as_ref().map(|told| told.server.clone()));
        let server = server.context("--server URL is missing")?;
        let mut config = told.unwrap_or_else(|| EnrolmentConfig::at(server.clone()));
        config.server = server;
        config.claim_key_file = self.claim_key_file.clone().or(config.claim_key_file);
        config.serial = self.serial.clone().or(config.serial);
        config.ca = self.ca.clone().or(config.ca);
        config.kind = self.kind.unwrap_or(config.kind);
        config.certificate |= self.certificate;
        config.insecure_http |= self.insecure_http;
        config.validate(|holds, sentence| if holds { Ok(()) } else { Err(ConfigError::Value(sentence)) })?;
        Ok(config)
    }
}

fn seed() -> anyhow::Result<u64> {
    getrandom::u64().map_err(|error| anyhow::anyhow!("the system gives no randomness: {error}"))
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
    let seed = seed()?;
    let notifier = Notifier::from_variables(|name| std::env::var_os(name))
        .context("the service manager in NOTIFY_SOCKET cannot be told")?;
    device_agent::run_notifying(config, clock, seed, notifier, log, shutdown).await?;
    Ok(())
}
