//! A storm of sign-ins, and how long everybody else waits meanwhile.
//!
//! Comparing a password costs a core some 20 ms on purpose. `/healthz` and refreshes of both kinds are asked at a steady
//! pace, and each takes from when it was due.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::contestant::{Contestant, Kind, Provider, person};
use super::measure::refreshing;
use super::runner::{self, Errand, Runner};
use crate::bench::http::{Connection, Request, bearer};
use crate::bench::load::{Pace, Taken, wait};
use crate::bench::table::{self, Column, middle, reached};

/// How often `/healthz` and a refresh of either kind are asked, each, in a second.
const PROBES_PER_S: f64 = 50.0;
/// On so many connections each.
const PROBES: usize = 8;
/// The accounts that the storm signs in to.
const ACCOUNTS: usize = 8;
/// How long 99 of 100 may take, milliseconds.
const AIM_MS: f64 = 50.0;

/// Who signs in meanwhile.
struct Weather {
    name: &'static str,
    clients: usize,
    is_right: bool,
}

/// In the order they are printed. The server lets 33 wait for one thread on two cores and sends others away.
const WEATHERS: &[Weather] = &[
    Weather { name: "quiet", clients: 0, is_right: true },
    Weather { name: "32 right", clients: 32, is_right: true },
    Weather { name: "200 right", clients: 200, is_right: true },
    Weather { name: "200 wrong", clients: 200, is_right: false },
];

/// What one storm came to.
#[derive(Default)]
struct Sample {
    health: Taken,
    stable: Taken,
    rotating: Taken,
    signed: Signed,
    seconds: f64,
    /// Cores that the server took.
    cores: f64,
}

/// What those who sign in met.
#[derive(Default)]
struct Signed {
    /// How long each took that was let in or told that the password is wrong, milliseconds.
    answered_ms: Vec<f64>,
    /// Those who were told to come again.
    sent_away: usize,
}

const COLUMNS: &[Column<Sample>] = &[
    Column("health p50", 2, |sample| sample.health.ms(50)),
    Column("p99 ms", 2, |sample| sample.health.ms(99)),
    Column("stable p50", 2, |sample| sample.stable.ms(50)),
    Column("p99 ms", 2, |sample| sample.stable.ms(99)),
    Column("rotating p50", 2, |sample| sample.rotating.ms(50)),
    Column("p99 ms", 2, |sample| sample.rotating.ms(99)),
    Column("late p99 ms", 2, |sample| sample.health.late_ms(99)),
    Column("answered/s", 1, |sample| Some(sample.signed.answered_ms.len() as f64 / sample.seconds)),
    Column("p50 ms", 0, |sample| sample.signed.ms(50)),
    Column("p99 ms", 0, |sample| sample.signed.ms(99)),
    Column("sent away/s", 1, |sample| Some(sample.signed.sent_away as f64 / sample.seconds)),
    Column("cores", 2, |sample| Some(sample.cores)),
];

/// Prints a line for each weather.
pub(super) fn run(contestant: &Contestant, rounds: usize, lasting: Duration) -> Result<()> {
    println!(
        "\nstorm: GET /healthz and refreshes of both kinds, each {PROBES_PER_S} a second, while others sign in"
    );
    println!("{}", table::head(&[COLUMNS]));
    let mut verdicts = Vec::new();
    for weather in WEATHERS {
        let samples = (0..rounds).map(|_| weather.take(contestant, lasting)).collect::<Result<Vec<_>>>()?;
        println!("{}", table::line(weather.name, &samples, &[COLUMNS]));
        let p99 = |one: fn(&Sample) -> &Taken| middle(&samples, |sample| one(sample).ms(99));
        let all = [p99(|one| &one.health), p99(|one| &one.stable), p99(|one| &one.rotating)];
        if let [Some(health), Some(stable), Some(rotating)] = all {
            let verdict = reached([health, stable, rotating].iter().all(|p99| *p99 < AIM_MS));
            verdicts.push(format!(
                "{}: p99 {health:.2}, {stable:.2} and {rotating:.2} ms; the aim is below {AIM_MS} ({verdict})",
                weather.name
            ));
        }
    }
    println!("{}", verdicts.join("\n"));
    Ok(())
}

impl Weather {
    fn take(&self, contestant: &Contestant, lasting: Duration) -> Result<Sample> {
        let mut provider = contestant.start()?;
        let forms = self.forms(&provider)?;
        let mut stable = refreshing(&mut provider, Kind::Confidential, PROBES)?;
        let mut rotating = refreshing(&mut provider, Kind::Public, PROBES)?;
        let health = Request::get(&provider.address, "/healthz", &[]);
        let one = || Runner::new(&provider, Errand::Same(health.clone()));
        let mut healths: Vec<_> = std::iter::repeat_with(one).take(PROBES).collect();
        let (over, address) = (AtomicBool::new(false), provider.address.as_str());
        let (before, started) = (provider.process.cpu()?, Instant::now());
        std::thread::scope(|scope| {
            let signing: Vec<_> =
                forms.iter().map(|form| scope.spawn(|| sign_in(address, form, &over))).collect();
            let probes = [&mut healths, &mut stable, &mut rotating].map(|runners| {
                scope.spawn(move || runner::run(runners, Pace::PerSecond(PROBES_PER_S), lasting))
            });
            let [health, stable, rotating] =
                probes.map(|probe| probe.join().unwrap_or_else(|_| bail!("a connection panicked")));
            over.store(true, Ordering::Relaxed);
            let seconds = started.elapsed().as_secs_f64();
            let cores = provider.process.cpu()?.saturating_sub(before).as_secs_f64() / seconds;
            let mut signed = Signed::default();
            for thread in signing {
                let one = thread.join().unwrap_or_else(|_| bail!("a sign-in panicked"))?;
                signed.answered_ms.extend(one.answered_ms);
                signed.sent_away += one.sent_away;
            }
            signed.answered_ms.sort_by(f64::total_cmp);
            Ok(Sample { health: health?, stable: stable?, rotating: rotating?, signed, seconds, cores })
        })
    }

    /// The sign-in form of each client, filled in.
    fn forms(&self, provider: &Provider) -> Result<Vec<Request>> {
        if self.clients == 0 {
            return Ok(Vec::new());
        }
        let people = (0..ACCOUNTS).map(|number| invite(provider, &format!("person{number}@example.org")));
        let people = people.collect::<Result<Vec<_>>>()?;
        let form = |number: usize| {
            let mut browser = person(&provider.address, &people[number % ACCOUNTS]);
            if !self.is_right {
                browser.knows("password", "not the password");
            }
            browser.form_of("/sign-in")
        };
        (0..self.clients).map(form).collect()
    }
}

/// Makes an account with an invitation; answers its address.
fn invite(provider: &Provider, email: &str) -> Result<String> {
    let key = provider.key.as_deref().context("there is no API key")?;
    let body = json!({"email": email, "role": "analyst"});
    let request = Request::json(&provider.address, "/api/v1/invitations", &[bearer(key)], &body);
    let invited = Connection::open(&provider.address)?.ask(&request)?;
    invited.must_be(201)?;
    let link = invited.text("link").context("an invitation without a link")?;
    person(&provider.address, email).visit(link, "/account")?;
    Ok(email.to_owned())
}

/// Signs in again and again, as a client does that comes again when it is told to.
fn sign_in(address: &str, form: &Request, over: &AtomicBool) -> Result<Signed> {
    let (mut signed, mut connection) = (Signed::default(), Connection::open(address)?);
    while !over.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let answer = connection.ask(form)?;
        match answer.status {
            303 | 422 => signed.answered_ms.push(asked.elapsed().as_secs_f64() * 1e3),
            503 => {
                signed.sent_away += 1;
                let seconds = answer.headers("retry-after").next().and_then(|text| text.parse().ok());
                wait(Duration::from_secs(seconds.unwrap_or(1)));
            }
            status => bail!("a sign-in was answered with {status}: {}", answer.body),
        }
    }
    Ok(signed)
}

impl Signed {
    fn ms(&self, percent: usize) -> Option<f64> {
        let rank = (self.answered_ms.len() * percent).div_ceil(100);
        self.answered_ms.get(rank.checked_sub(1)?).copied()
    }
}
