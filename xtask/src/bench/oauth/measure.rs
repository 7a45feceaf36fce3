//! What is measured of one kind of request, and how it is measured once.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::contestant::{Contestant, Kind, Provider};
use super::runner::{self, Errand, Runner};
use super::sample::Sample;
use crate::bench::http::{Request, bearer};
use crate::bench::load::{Pace, Taken};
use crate::bench::{machine, process};

/// How long each program does the work before it is measured: the yardstick compiles what it does often.
const WARMING: Duration = Duration::from_secs(1);

/// One table.
pub(super) struct Measure {
    /// What `--only` looks at.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) task: Task,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Refresh(Kind),
    /// A code for a browser whose person agreed before.
    Authorize,
    /// Such a code for tokens.
    Exchange,
    /// A call of our HTTP API, with what it is shown.
    Get(Shown),
}

/// What a call shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// An access token.
    Token,
    /// An API key.
    Key,
    /// Nothing: the least that any request costs.
    Nothing,
}

/// How long and on how many connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) lasting: Duration,
    pub(super) connections: usize,
}

/// Everything, in the order it is printed.
pub(super) const MEASURES: &[Measure] = &[
    Measure {
        name: "refresh stable",
        title: "POST /oauth/token, refresh tokens of a client with a secret, which stay",
        task: Task::Refresh(Kind::Confidential),
    },
    Measure {
        name: "refresh rotating",
        title: "POST /oauth/token, refresh tokens of a client without a secret, which rotate",
        task: Task::Refresh(Kind::Public),
    },
    Measure {
        name: "authorize",
        title: "GET /oauth/authorize by the browser of somebody who agreed before: a code each",
        task: Task::Authorize,
    },
    Measure {
        name: "exchange",
        title: "POST /oauth/token, codes for an access and a refresh token",
        task: Task::Exchange,
    },
    Measure {
        name: "call token",
        title: "GET /api/v1/venues with an access token",
        task: Task::Get(Shown::Token),
    },
    Measure { name: "call key", title: "GET /api/v1/venues with an API key", task: Task::Get(Shown::Key) },
    Measure { name: "healthz", title: "GET /healthz", task: Task::Get(Shown::Nothing) },
];

impl Measure {
    /// Whether a server has it.
    pub(super) fn is_of(&self, contestant: &Contestant) -> bool {
        matches!(contestant, Contestant::Promenade(_)) || !matches!(self.task, Task::Get(_))
    }

    /// One run at a fresh server: as fast as it answers and, for the token endpoint, at half of that.
    pub(super) fn take(&self, contestant: &Contestant, size: Size) -> Result<Sample> {
        let mut provider = contestant.start()?;
        let mut runners = self.runners(&mut provider, size)?;
        // Codes are shared out between warming, measuring and half of the load, and are good for a minute; what else is asked
        // for has no end.
        let leave =
            |runners: &mut Vec<Runner>, share| runners.iter_mut().for_each(|runner| runner.leave(share));
        leave(&mut runners, 0.6);
        runner::run(&mut runners, Pace::Answered, WARMING)?;
        leave(&mut runners, 0.5);
        let mut sample = metered(&provider, || runner::run(&mut runners, Pace::Answered, size.lasting))?;
        if matches!(self.task, Task::Refresh(_) | Task::Exchange) {
            leave(&mut runners, 0.0);
            let rate = sample.per_s.context("no rate")? / 2.0;
            let half = runner::run(&mut runners, Pace::PerSecond(rate), size.lasting)?;
            sample.half_per_s = Some(half.per_s());
            (sample.half_p50_ms, sample.half_p99_ms) = (half.ms(50), half.ms(99));
            sample.half_late_ms = half.late_ms(99);
        }
        Ok(sample)
    }

    /// The connections. Each has tokens or codes of its own, as each home and each phone has.
    fn runners(&self, provider: &mut Provider, size: Size) -> Result<Vec<Runner>> {
        match self.task {
            Task::Refresh(kind) => refreshing(provider, kind, size.connections),
            Task::Authorize => authorizing(provider, size.connections),
            Task::Exchange => {
                let mut runners = authorizing(provider, size.connections)?;
                runner::run(&mut runners, Pace::Answered, size.lasting * 2)?;
                let client = provider.client(Kind::Confidential);
                let exchange = |runner: Runner| {
                    let codes = runner.into_codes();
                    let requests = codes.iter().map(|code| client.exchange(code)).collect();
                    Runner::new(provider, Errand::Exchange(requests, 0))
                };
                Ok(runners.into_iter().map(exchange).collect())
            }
            Task::Get(shown) => {
                let (path, more) = match shown {
                    Shown::Nothing => ("/healthz", Vec::new()),
                    Shown::Key => {
                        let key = provider.key.as_deref().context("there is no API key")?;
                        ("/api/v1/venues", vec![bearer(key)])
                    }
                    Shown::Token => {
                        let tokens = provider.tokens(Kind::Confidential)?;
                        let token = tokens.text("access_token").context("no access token")?;
                        ("/api/v1/venues", vec![bearer(token)])
                    }
                };
                let request = Request::get(&provider.address, path, &more);
                let same = || Runner::new(provider, Errand::Same(request.clone()));
                Ok(std::iter::repeat_with(same).take(size.connections).collect())
            }
        }
    }
}

/// Connections with a refresh token each.
pub(super) fn refreshing(provider: &mut Provider, kind: Kind, connections: usize) -> Result<Vec<Runner>> {
    let one = |_| {
        let tokens = provider.tokens(kind)?;
        let token = tokens.text("refresh_token").context("no refresh token")?;
        let client = provider.client(kind).clone();
        let request = client.refresh(token);
        Ok(Runner::new(provider, Errand::Refresh(client, request)))
    };
    (0..connections).map(one).collect()
}

fn authorizing(provider: &mut Provider, connections: usize) -> Result<Vec<Runner>> {
    provider.code(Kind::Confidential)?;
    let request = provider.authorize(Kind::Confidential);
    let one = || Runner::new(provider, Errand::Authorize(request.clone(), Vec::new()));
    Ok(std::iter::repeat_with(one).take(connections).collect())
}

/// What a load came to and what it cost; what the server put off until later is in it.
fn metered(provider: &Provider, load: impl FnOnce() -> Result<Taken>) -> Result<Sample> {
    let (server, own, machine) = (provider.process.cpu()?, process::own_cpu()?, machine::busy());
    let started = Instant::now();
    let taken = load()?;
    let seconds = started.elapsed().as_secs_f64();
    let own = process::own_cpu()?.saturating_sub(own);
    let ours = provider.process.cpu()?.saturating_sub(server) + own;
    let elsewhere = machine::busy().zip(machine).map(|(now, before)| now.saturating_sub(before));
    let server = provider.process.cpu_at_rest()?.saturating_sub(server);
    let each_us = |time: Duration| Some(time.as_secs_f64() * 1e6 / taken.count().max(1) as f64);
    Ok(Sample {
        per_s: Some(taken.per_s()),
        server_us: each_us(server),
        load_us: each_us(own),
        p50_ms: taken.ms(50),
        p99_ms: taken.ms(99),
        elsewhere: elsewhere.map(|busy| busy.saturating_sub(ours).as_secs_f64() / seconds),
        ..Sample::default()
    })
}
