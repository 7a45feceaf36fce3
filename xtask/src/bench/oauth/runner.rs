//! A connection and what it asks for, again and again.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::contestant::{Client, Provider, code_of};
use crate::bench::http::{Connection, Request};
use crate::bench::load::{self, Pace, Taken};

/// A connection with an errand.
pub(super) struct Runner {
    address: String,
    /// None while it rests.
    connection: Option<Connection>,
    errand: Errand,
}

/// Each keeps what the next request needs.
pub(super) enum Errand {
    /// The same request, which is answered with 200.
    Same(Request),
    /// A refresh with the newest token.
    Refresh(Client, Request),
    /// Another code, for the browser of somebody who agreed before; the codes are kept.
    Authorize(Request, Vec<String>),
    /// Codes to be exchanged, until so many are left.
    Exchange(Vec<Request>, usize),
}

/// Lets all of them run until the time is over or nothing is left to do, and closes their connections.
pub(super) fn run(runners: &mut [Runner], pace: Pace, lasting: Duration) -> Result<Taken> {
    let taken = load::run(runners, pace, lasting, |runner, _| runner.run());
    runners.iter_mut().for_each(Runner::rest);
    taken
}

impl Runner {
    pub(super) fn new(provider: &Provider, errand: Errand) -> Self {
        Self { address: provider.address.clone(), connection: None, errand }
    }

    /// Asks once; false when nothing is left to ask for.
    fn run(&mut self) -> Result<bool> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(Connection::open(&self.address)?),
        };
        match &mut self.errand {
            Errand::Same(request) => connection.ask(request)?.must_be(200)?,
            Errand::Refresh(client, request) => {
                let answer = connection.ask(request)?;
                answer.must_be(200)?;
                if client.rotates() {
                    let next = answer.text("refresh_token").context("no other refresh token came")?;
                    *request = client.refresh(next);
                }
            }
            Errand::Authorize(request, codes) => {
                let answer = connection.ask(request)?;
                let to = answer.location().with_context(|| format!("{} and no code", answer.status))?;
                codes.push(code_of(to)?);
            }
            Errand::Exchange(requests, leave) if requests.len() <= *leave => return Ok(false),
            Errand::Exchange(requests, _) => {
                let request = requests.pop().context("no code is left")?;
                connection.ask(&request)?.must_be(200)?;
            }
        }
        Ok(true)
    }

    /// Lets it stop before its codes are used up, when this share of what it has now is left; other errands have no end.
    pub(super) fn leave(&mut self, share: f64) {
        if let Errand::Exchange(requests, leave) = &mut self.errand {
            *leave = (requests.len() as f64 * share) as usize;
        }
    }

    /// Closes the connection, which a server does itself when it is idle for long.
    fn rest(&mut self) {
        self.connection = None;
    }

    /// The codes that came.
    pub(super) fn into_codes(self) -> Vec<String> {
        match self.errand {
            Errand::Authorize(_, codes) => codes,
            _ => Vec::new(),
        }
    }
}
