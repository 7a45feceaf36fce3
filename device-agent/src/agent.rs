//! The agent at work: one loop that owns the scanner, the spool, the commands and the link.

use std::time::Duration;

use protocol::Ping;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info};

use crate::Clock;
use crate::aggregate::Aggregator;
use crate::commands::{self, Commands, CommandsError};
use crate::config::{BatchesConfig, Config, ConfigError};
use crate::enrolment::{self, EnrolmentError};
use crate::health::{self, Facts, Health};
use crate::identity::{Identity, IdentityError, IdentityFile};
use crate::link::{self, Link, TlsError};
use crate::notify::Notifier;
use crate::privacy::{self, Privacy};
use crate::scan::{Heard, ScanError, Scanner};
use crate::spool::{self, Spool, SpoolError};

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
    Identity(#[from] IdentityError),
    /// It could not come in.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    /// The scanner.
    #[error(transparent)]
    Scan(#[from] ScanError),
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
/// `seed` is the source of all its randomness (names of boots, jitter) and must be another at each start. Failures of
/// the network and of the disk are waited out; only what cannot heal is an error.
pub async fn run(
    config: Config,
    clock: Clock,
    seed: u64,
    shutdown: CancellationToken,
) -> Result<Summary, AgentError> {
    run_notifying(config, clock, seed, Notifier::default(), shutdown).await
}

/// As [`run`], and tells the service manager.
pub async fn run_notifying(
    config: Config,
    clock: Clock,
    seed: u64,
    notifier: Notifier,
    shutdown: CancellationToken,
) -> Result<Summary, AgentError> {
    config.validate()?;
    let spool = Spool::open(&config.spool, seed)?;
    let identity = tokio::select! {
        identity = identity(&config, &clock, seed, &notifier) => identity?,
        () = shutdown.cancelled() => return Ok(Summary::default()),
    };
    let dir = config.commands_dir();
    let commands = Commands::open(identity.device, config.commands, config.appliance.as_ref(), &dir, &clock)?;
    let privacy = Privacy::open(config.privacy, &config.spool.dir).map_err(AgentError::Privacy)?;
    let scanner = Scanner::open(&config.scanner, &clock, seed)?;
    let exit_at_end = config.scanner.exit_at_end();
    let mut agent = Agent {
        health: Health::new(&config.spool.dir),
        spool,
        commands,
        privacy,
        scanner,
        link: Link::new(identity, config.link, seed)?,
        aggregator: Aggregator::new(),
        pings: Vec::new(),
        flush_at: clock.elapsed() + config.batches.interval(),
        look_at: clock.elapsed(),
        alive_at: clock.elapsed(),
        batches: config.batches,
        notifier,
        clock,
        heard: 0,
        unspooled: 0,
    };
    agent.commands.report(privacy::PART, agent.privacy.report());
    info!(boot = %agent.spool.boot(), bytes = agent.spool.bytes(), "the agent works");
    agent.notifier.ready();
    let mut listening = true;
    loop {
        if !listening && exit_at_end && agent.spool.is_empty() {
            break;
        }
        let due = agent.work();
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

/// Who this device is; it comes in first if it is to do that by itself.
async fn identity(
    config: &Config,
    clock: &Clock,
    seed: u64,
    notifier: &Notifier,
) -> Result<Identity, AgentError> {
    let Some(enrolment) = &config.enrolment else { return Ok(Identity::require(config)?) };
    if let Some(identity) = Identity::open(config)? {
        return Ok(identity);
    }
    if enrolment.certificate && !config.link.tls {
        return Err(IdentityError::NeedsTls.into());
    }
    let file = IdentityFile::new(config.identity_file());
    Ok(enrolment::come_in(enrolment, &file, clock, seed, notifier).await?)
}

#[derive(Debug)]
struct Agent {
    spool: Spool,
    commands: Commands,
    privacy: Privacy,
    health: Health,
    scanner: Scanner,
    link: Link,
    notifier: Notifier,
    aggregator: Aggregator,
    /// Closed and not yet in the spool.
    pings: Vec<Ping>,
    /// When pings go to the spool however few they are, in elapsed time.
    flush_at: Duration,
    /// When to see what changed of the device itself, in elapsed time.
    look_at: Duration,
    /// When the service manager is told again that the agent works, in elapsed time.
    alive_at: Duration,
    batches: BatchesConfig,
    clock: Clock,
    heard: u64,
    unspooled: u64,
}

impl Agent {
    fn hear(&mut self, heard: Heard) {
        self.heard += 1;
        if let Some(heard) = self.privacy.hide(heard) {
            self.aggregator.push(heard, self.clock.elapsed(), &mut self.pings);
        }
    }

    /// Does what is due, and says when something will be due next.
    fn work(&mut self) -> Duration {
        let now = self.clock.elapsed();
        if now >= self.flush_at {
            self.flush_at = now + self.batches.interval();
            self.aggregator.close_quiet(now, &mut self.pings);
            self.spool_pings(1);
        } else {
            self.spool_pings(self.batches.max_pings);
        }
        self.tell_state(now);
        // What was taken is answered before it is begun.
        let unheard = self.link.tell(&mut self.commands, &self.clock);
        let due = [
            unheard,
            self.link.work(&mut self.spool, &self.clock),
            self.link.renew(self.commands.reckoning().now(&self.clock), &self.clock),
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
        for telemetry in self.scanner.telemetry() {
            debug!(id = %telemetry.id, tlm = ?telemetry.tlm, "a beacon tells how it is");
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
        }
    }

    /// Puts pings into the spool, as long as there are at least so many.
    fn spool_pings(&mut self, least: usize) {
        while self.pings.len() >= least.max(1) {
            let rest = self.pings.split_off(self.batches.max_pings.min(self.pings.len()));
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
