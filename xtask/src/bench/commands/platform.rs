//! A server with devices that answer every command at once, and orders to them at a fixed rate.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::sample::Sample;
use super::{Options, Run, google};
use crate::bench::http::{Answer, Connection, Request, bearer};
use crate::bench::load::{self, Pace};
use crate::bench::process::{self, Programs, Running, Server};
use crate::bench::{ingest, machine};
use crate::postgres::Postgres;

/// How long it is loaded before it is measured.
const WARMING: Duration = Duration::from_secs(1);

/// A server and its devices; both end with this value.
pub(super) struct Platform {
    server: Server,
    devices: Running,
    connections: usize,
    /// An order to each device.
    orders: Vec<Request>,
    /// The same from Google.
    executes: Vec<Request>,
    /// Orders given so far.
    given: u64,
    folder: TempDir,
}

impl Platform {
    /// Starts a server on an empty database, registers the devices and connects them.
    pub(super) fn start(options: &Options, programs: &Programs, postgres: Option<&Postgres>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let database = postgres.map(ingest::fresh_database).transpose()?;
        let settings: Vec<_> = database.iter().map(|url| ("PROMENADE_DATABASE__URL", url.as_str())).collect();
        let settings = [&settings[..], &google::SETTINGS].concat();
        let (server, set_up) = programs.serve_anew(folder.path(), &settings)?;
        let token = programs.token(folder.path(), &settings)?;
        let (list, count) = (folder.path().join("devices.txt"), options.devices.to_string());
        let mut load = programs.command("promenade-sim");
        load.args(["load", "commands", "--sources", "4", "--devices", &count, "--mqtt", &server.mqtt]);
        load.args(["--http", &format!("http://{}", server.http), "--token", &token, "--list"]).arg(&list);
        load.args(["--profile", &google::profile()]);
        if options.done_only {
            load.arg("--done-only");
        }
        let (devices, line) = Running::start_until_it_speaks(&mut load)?;
        ensure!(line.contains("ready"), "the devices did not connect: {line}");
        let order = json!({"name": "bench.answer", "args": {"on": true, "text": "x".repeat(60)}});
        let to = |device: &str| {
            let path = format!("/api/v1/devices/{device}/commands?wait=10s");
            Request::json(&server.http, &path, &[bearer(&token)], &order)
        };
        let ids = fs::read_to_string(&list)?;
        let ids: Vec<_> = ids.lines().collect();
        let orders = ids.iter().copied().map(to).collect();
        let executes = if options.executes > 0 {
            google::executes(&server.http, &token, &set_up, &ids)?
        } else {
            Vec::new()
        };
        let connections = options.connections;
        Ok(Self { server, devices, connections, orders, executes, given: 0, folder })
    }

    /// Where the server has its data.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// One run of orders through the API.
    pub(super) fn take(&mut self, run: Run) -> Result<Sample> {
        let (sample, given) = self.load(run, &self.orders, |answer| answer.text("status") == Some("done"))?;
        self.given += given;
        Ok(sample)
    }

    /// One run of orders from Google.
    pub(super) fn execute(&mut self, run: Run) -> Result<Sample> {
        let (sample, given) = self.load(run, &self.executes, google::is_done)?;
        self.given += given;
        Ok(sample)
    }

    /// One run and how many it asked: a second that does not count, then the time that does. What the server put off until later
    /// is in its processor time.
    fn load(
        &self,
        run: Run,
        requests: &[Request],
        is_done: impl Fn(&Answer) -> bool + Sync,
    ) -> Result<(Sample, u64)> {
        let open = || Connection::open(&self.server.http);
        let mut connections =
            std::iter::repeat_with(open).take(self.connections).collect::<Result<Vec<_>>>()?;
        let missed = AtomicU32::new(0);
        let order = |connection: &mut Connection, number: u32| -> Result<bool> {
            let answer = connection.ask(&requests[number as usize % requests.len()])?;
            ensure!(matches!(answer.status, 200 | 202), "{}: {}", answer.status, answer.body);
            if !is_done(&answer) {
                missed.fetch_add(1, Ordering::Relaxed);
            }
            Ok(true)
        };
        let pace = Pace::PerSecond(run.rate.into());
        let warmed = load::run(&mut connections, pace, WARMING, order)?;
        let (server, machine) = (self.server.process.cpu()?, machine::busy());
        let (own, devices, started) = (process::own_cpu()?, self.devices.cpu()?, Instant::now());
        let taken = load::run(&mut connections, pace, run.lasting, order)?;
        let seconds = started.elapsed().as_secs_f64();
        let load = (process::own_cpu()? + self.devices.cpu()?).saturating_sub(own + devices);
        let ours = self.server.process.cpu()?.saturating_sub(server) + load;
        let elsewhere = machine::busy().zip(machine).map(|(now, before)| now.saturating_sub(before));
        let server = self.server.process.cpu_at_rest()?.saturating_sub(server);
        let given = (warmed.count() + taken.count()) as u64;
        let each_us = |time: Duration| Some(time.as_secs_f64() * 1e6 / taken.count().max(1) as f64);
        let sample = Sample {
            p50_ms: taken.ms(50),
            p99_ms: taken.ms(99),
            late_ms: taken.late_ms(99),
            per_s: Some(taken.per_s()),
            server_us: each_us(server),
            load_us: each_us(load),
            missed: Some(missed.into_inner().into()),
            elsewhere: elsewhere.map(|busy| busy.saturating_sub(ours).as_secs_f64() / seconds),
        };
        Ok((sample, given))
    }

    /// Ends the devices; fails unless each command came once.
    pub(super) fn stop(self) -> Result<()> {
        let line: Value = serde_json::from_str(&self.devices.finish()?).context("the devices' result")?;
        let count = |name: &str| line[name].as_u64().with_context(|| format!("no {name} in {line}"));
        let (came, again) = (count("total")?, count("again")?);
        if (came, again) != (self.given, 0) {
            eprintln!("   of {} commands {came} came to their devices, {again} of them again", self.given);
        }
        Ok(())
    }
}
