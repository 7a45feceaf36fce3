//! The agent at work: one loop that owns the scanner, the spool, the commands and the link.

use std::time::Duration;

use protocol::{DeviceId, Ping};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use crate::Clock;
use crate::advertise::Advertising;
use crate::aggregate::Aggregator;
use crate::commands::{self, Commands, CommandsError};
use crate::config::{Config, ConfigError};
use crate::enrolment::{EnrolmentError, come_in};
use crate::health::{self, Facts, Health};
use crate::link::{self, Link, TlsError};
use crate::log::Log;
use crate::notify::Notifier;
use crate::privacy::{self, Privacy};
use crate::scan::{Heard, ScanError, Scanner};
use crate::spool::{self, Spool, SpoolError};
use crate::status::{MOST_COMMANDS, Snapshot, Status};
use crate::telemetry::Passing;

/// How often it is seen what changed of the device itself, at most: not for each advertisement.
const LOOK: Duration = Duration::from_secs(1);

/// Why an agent cannot work.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Who this device is.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    /// The scanner.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The system gives no thread for advertising.
    #[error("there can be no thread for advertising")]
    Advertising(#[source] std::io::Error),
    /// The spool could not be opened.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Commands could not be taken up where they were left.
    #[error(transparent)]
    Commands(#[from] CommandsError),
    /// A certificate, or something like it.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The key of pseudonyms that the desired twin gave.
    #[error("the key of pseudonyms cannot be read")]
    Privacy(#[source] std::io::Error),
}

/// What an agent did from start to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Advertisements heard.
    pub heard: u64,
    /// Pings lost before they were on disk, because the disk would not take them.
    pub unspooled: u64,
    /// The spool's counters.
    pub spool: spool::Counters,
    /// The link's counters.
    pub link: link::Counters,
    /// What became of commands.
    pub commands: commands::Counters,
}

/// Runs an agent until `shutdown`, or until its recording is over and receipted if it is told to stop then.
///
/// `seed` is the source of all its randomness (names of boots, jitter) but for the keys of certificates, which are the
/// system's, and must be another at each start. Failures of the network and of the disk are waited out; only what cannot
/// heal is an error.
pub async fn run(
    config: Config,
    clock: Clock,
    seed: u64,
    shutdown: CancellationToken,
) -> Result<Summary, AgentError> {
    let log = Log::new(clock.clone());
    run_notifying(config, clock, seed, Notifier::default(), log, shutdown).await
}

/// As [`run`], tells the service manager, and gives lines of the log to whoever asks for them in a command.
pub async fn run_notifying(
    config: Config,
    clock: Clock,
    seed: u64,
    notifier: Notifier,
    log: Log,
    shutdown: CancellationToken,
) -> Result<Summary, AgentError> {
    config.validate()?;
    let spool = Spool::open(&config.spool, seed)?;
    let identity = tokio::select! {
        // Boxed, as the agent at work has nothing of it.
        identity = Box::pin(come_in(&config, &clock, seed, &notifier)) => identity?,
        () = shutdown.cancelled() => return Ok(Summary::default()),
    };
    let advertising = Advertising::begin(&config, seed).map_err(AgentError::Advertising)?;
    let commands = Commands::open(identity.device, &config, log, &clock)?;
    let privacy = Privacy::open(config.privacy, &config.spool.dir).map_err(AgentError::Privacy)?;
    let scanner = Scanner::open(&config.scanner, commands.tuning().interest(), &clock, seed)?;
    let exit_at_end = config.scanner.exit_at_end();
    let mut agent = Agent {
        device: identity.device,
        status: Status::open(config.status, &clock).await,
        health: Health::new(&config.spool.dir),
        spool,
        flush_at: clock.elapsed() + commands.tuning().interval(),
        commands,
        privacy,
        scanner,
        link: Link::new(identity, config.link, seed)?,
        passing: Passing::default(),
        advertising,
        aggregator: Aggregator::new(),
        pings: Vec::new(),
        look_at: clock.elapsed(),
        alive_at: clock.elapsed(),
        max_pings: config.batches.max_pings,
        notifier,
        clock,
        heard: 0,
        unspooled: 0,
    };
    info!(boot = %agent.spool.boot(), bytes = agent.spool.bytes(), "the agent works");
    agent.notifier.ready();
    let mut listening = true;
    loop {
        if !listening && exit_at_end && agent.spool.is_empty() {
            break;
        }
        let due = agent.work();
        if agent.commands.is_leaving() {
            info!("the agent ends, to be begun anew");
            break;
        }
        let open = listening && (!agent.scanner.is_patient() || agent.spool.has_room());
        tokio::select! {
            () = shutdown.cancelled() => break,
            event = agent.link.event() => {
                let desired = agent.link.take(event, &mut agent.spool, &mut agent.commands, &agent.clock);
                if let Some(desired) = desired {
                    agent.privacy.desire(&desired);
                    agent.look_at = agent.clock.elapsed();
                }
            }
            heard = agent.scanner.next(&agent.clock), if open => match heard {
                Ok(Some(heard)) => agent.hear(heard),
                Ok(None) => {
                    info!("the recording is over");
                    listening = false;
                    agent.spool_everything();
                }
                Err(error) => {
                    agent.spool_everything();
                    return Err(error.into());
                }
            },
            () = agent.commands.ended() => {}
            question = agent.status.asked() => {
                // Whoever asked may be gone by now.
                let _ = question.send(agent.snapshot());
            }
            () = agent.clock.until(due) => {}
        }
    }
    agent.notifier.stopping();
    agent.spool_everything();
    let summary = agent.summary();
    agent.link.close().await;
    info!(?summary, "the agent stops");
    Ok(summary)
}

#[derive(Debug)]
struct Agent {
    device: DeviceId,
    spool: Spool,
    commands: Commands,
    privacy: Privacy,
    health: Health,
    scanner: Scanner,
    link: Link,
    passing: Passing,
    advertising: Option<Advertising>,
    notifier: Notifier,
    status: Status,
    aggregator: Aggregator,
    /// Closed and not yet in the spool.
    pings: Vec<Ping>,
    /// When pings go to the spool however few they are, in elapsed time.
    flush_at: Duration,
    /// When to see what changed of the device itself, in elapsed time.
    look_at: Duration,
    /// When the service manager is told again that the agent works, in elapsed time.
    alive_at: Duration,
    /// Most pings in a batch.
    max_pings: usize,
    clock: Clock,
    heard: u64,
    unspooled: u64,
}

impl Agent {
    fn hear(&mut self, heard: Heard) {
        self.heard += 1;
        if let Some(heard) = self.privacy.hide(heard) {
            self.status.hear(&heard, &self.clock);
            self.aggregator.push(heard, self.clock.elapsed(), &mut self.pings);
        }
    }

    /// Does what is due, and says when something will be due next.
    fn work(&mut self) -> Duration {
        let now = self.clock.elapsed();
        let interval = self.commands.tuning().interval();
        // It may have become shorter since.
        self.flush_at = self.flush_at.min(now + interval);
        if now >= self.flush_at {
            self.flush_at = now + interval;
            self.aggregator.close_quiet(now, &mut self.pings);
            self.spool_pings(1);
        } else {
            self.spool_pings(self.max_pings);
        }
        self.tell_state(now);
        // What was taken is answered before it is begun.
        let unheard = self.link.tell(&mut self.commands, &self.clock);
        let due = [
            unheard,
            self.link.work(&mut self.spool, &self.clock),
            self.link.renew(&self.clock),
            self.commands.work(&self.clock),
            self.link.tell(&mut self.commands, &self.clock),
        ];
        // What is due is not looked at before the next look.
        let look_at = self.health.due().max(self.look_at);
        let always = self.flush_at.min(look_at).min(self.alive_at);
        due.into_iter().flatten().fold(always, Duration::min)
    }

    /// That it works, and what changed of the device itself.
    fn tell_state(&mut self, now: Duration) {
        if now >= self.alive_at {
            self.alive_at = match self.notifier.interval() {
                Some(interval) => {
                    self.notifier.alive();
                    now + interval
                }
                None => Duration::MAX,
            };
        }
        if now < self.look_at {
            return;
        }
        self.look_at = now + LOOK;
        if self.privacy.has_changed() {
            self.commands.report(privacy::PART, self.privacy.report());
        }
        if let Some(certificate) = self.link.certificate_report() {
            self.commands.report(link::CERTIFICATE_PART, certificate);
        }
        let facts = self.facts();
        if let Some(health) = self.health.look(&facts, now) {
            self.commands.report(health::PART, health);
        }
        // What beacons said stays with the scanner while nobody can be told.
        if self.link.is_joined()
            && let Some(message) = self.passing.message(|| self.scanner.telemetry(), &self.privacy, now)
            && self.link.pass_on(&message)
        {
            debug!(beacons = message.beacons.len(), "what beacons say of themselves is passed on");
            self.passing.sent(now);
        }
    }

    fn facts(&self) -> Facts {
        let adapter = self.scanner.adapter();
        let missed = adapter.as_ref().map_or(0, |adapter| adapter.missed);
        let reckoning = self.commands.reckoning();
        Facts {
            heard: self.heard,
            spool_bytes: self.spool.bytes(),
            lost: self.unspooled + self.spool.counters().given_up_pings + missed,
            withheld: self.privacy.withheld(),
            clock_known: reckoning.now(&self.clock).is_some(),
            clock_behind_ms: reckoning.behind_ms(&self.clock),
            adapter,
            advertising: self.advertising.as_ref().map(Advertising::state),
        }
    }

    fn snapshot(&self) -> Snapshot {
        let (heard, heard_per_s) = self.status.lately(&self.clock);
        Snapshot {
            device: self.device,
            version: env!("CARGO_PKG_VERSION"),
            now: self.clock.now(),
            link: self.link.standing(&self.clock),
            reported: self.commands.state(),
            spool_bytes: self.spool.bytes(),
            heard_per_s,
            heard,
            commands: self.commands.latest(MOST_COMMANDS),
        }
    }

    /// Puts pings into the spool, as long as there are at least so many.
    fn spool_pings(&mut self, least: usize) {
        while self.pings.len() >= least.max(1) {
            let rest = self.pings.split_off(self.max_pings.min(self.pings.len()));
            let batch = std::mem::replace(&mut self.pings, rest);
            let pings = batch.len();
            if let Err(error) = self.spool.append(batch) {
                self.unspooled += pings as u64;
                error!(%error, source = ?std::error::Error::source(&error), pings, total = self.unspooled, "pings are lost");
            }
        }
    }

    fn spool_everything(&mut self) {
        self.aggregator.close_all(&mut self.pings);
        self.spool_pings(1);
    }

    fn summary(&self) -> Summary {
        Summary {
            heard: self.heard,
            unspooled: self.unspooled,
            spool: self.spool.counters(),
            link: self.link.counters(),
            commands: self.commands.counters(),
        }
    }
}
