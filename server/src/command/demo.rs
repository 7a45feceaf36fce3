//! `promenade demo`.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use firmware_sim::appliance::Appliances;
use firmware_sim::{
    Comparison, Day, Fleet, FleetOptions, ProgressLine, Registrar, Scenario, Simulation, report, rfc3339,
};
use protocol::VenueId;
use server::{Config, DataDir, Listeners, Service};
use store::{Clock, Organization, Scope, ScopeSet, Store};

use super::{runtime, start_logging, until_signalled};
use crate::Serving;

/// How long the service may take to work through the day after its last ping.
const PATIENCE: Duration = Duration::from_mins(5);

/// Simulates yesterday, compares, then serves.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    #[command(flatten)]
    serving: Serving,
    /// A shipped scenario, as demo, mall or quiet; a wrong name is answered with all.
    #[arg(long, default_value = "demo")]
    scenario: String,
    /// At most so many simulated seconds in a real one; as fast as it goes if left out.
    #[arg(long, value_name = "X")]
    speed: Option<f64>,
    /// What everything random is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stop after the table; the exit status says whether true and measured agree.
    #[arg(long)]
    exit: bool,
}

/// What somebody who wants to look at the result needs.
struct Result {
    venue: VenueId,
    comparison: Comparison,
    day: Day,
    token: String,
    /// Those of the scenario, at work until this is dropped.
    appliances: Appliances,
}

impl Demo {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let mut config = self.serving.load()?;
        // A day in seconds is far more than a gateway sends in a minute.
        config.mqtt.pings.per_minute = u32::MAX;
        if self.serving.place.config.is_none() {
            config.log.filter = "warn".into();
        }
        start_logging(&config.log)?;
        // Where no folder was asked for, one that is gone with the demo.
        let scratch = tempfile::Builder::new().prefix("promenade-demo-").tempdir()?;
        if self.serving.place.data.is_none() {
            scratch.path().clone_into(&mut config.data);
        }
        runtime()?.block_on(self.simulate_and_serve(&config))
    }

    async fn simulate_and_serve(&self, config: &Config) -> anyhow::Result<ExitCode> {
        let data = DataDir::open(&config.data)?;
        let _lock = data.lock()?;
        let shutdown = until_signalled()?;
        let listeners = Listeners::bind(config).await?;
        let mqtt =
            listeners.mqtt.mqtt.as_ref().context("the demo's gateways speak MQTT over TCP: switch it on")?;
        let (http, mqtt) = (listeners.http.local_addr()?, mqtt.local_addr()?);
        let service = Service::open(config, &data.database_url(config), Clock::System, http).await?;
        let (store, organization) = (service.store.clone(), service.organization.clone());
        let serving = tokio::spawn(service.run(listeners, shutdown.clone()));
        let (http, mqtt) = (http.to_string(), mqtt.to_string());
        let result = tokio::select! {
            result = self.simulate(&store, &organization, &http, &mqtt) => Some(result),
            () = shutdown.cancelled() => None,
        };
        let agrees = match &result {
            Some(Ok(result)) => {
                println!("{}", result.comparison);
                if !self.exit {
                    say_where_to_look(result, &http, &mqtt);
                    shutdown.cancelled().await;
                }
                result.comparison.agrees()
            }
            _ => false,
        };
        shutdown.cancel();
        serving.await.context("the service stopped")??;
        result.transpose()?;
        Ok(if agrees { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn simulate(
        &self,
        store: &Store,
        organization: &Organization,
        http: &str,
        mqtt: &str,
    ) -> anyhow::Result<Result> {
        let now = Clock::System.now();
        let scopes: ScopeSet = [Scope::All].into_iter().collect();
        let (_, secret) = store.create_key(organization.id, "demo", &scopes, None, now).await?;
        let token = secret.text();
        let scenario = Scenario::shipped(&self.scenario)?;
        let date = Day::last_before(&scenario.venue, now)?;
        let simulation = Simulation::new(scenario, self.seed, date)?.at_speed(self.speed);
        let name = &simulation.scenario().venue.name;
        println!(
            "{name} on {date}: {} people, everything simulated from seed {}",
            simulation.shoppers().len(),
            self.seed
        );
        let registrar = Registrar::new(&format!("http://{http}"), &token, &format!("demo-{}", now.0));
        let registered = simulation.register(&registrar).await.context("registering the venue")?;
        let options = FleetOptions::to(mqtt)?;
        let appliances = Appliances::start(&options, registered.appliances, now, self.seed);
        let mut fleet = Fleet::new(&options, registered.gateways, now, self.seed);
        let day = simulation.day().clone();
        let mut line = ProgressLine::default();
        let sent = simulation.run(&mut fleet, |progress| line.show(&day, progress)).await?;
        line.end(&sent);
        registrar.settled(registered.venue, (day.from, day.to), day.to, PATIENCE).await?;
        let footfall = registrar.footfall(registered.venue, day.from, day.to).await?;
        let comparison = report::compare(&simulation.truth(), &footfall, simulation.scenario().bounds);
        Ok(Result { venue: registered.venue, comparison, day, token, appliances })
    }
}

fn say_where_to_look(result: &Result, http: &str, mqtt: &str) {
    let Result { venue, day, token, appliances, .. } = result;
    println!("Serving until Ctrl-C. Look at");
    println!("  http://{http}/api/docs");
    println!("  curl -H 'Authorization: Bearer {token}' \\");
    println!(
        "    'http://{http}/api/v1/venues/{venue}/footfall?from={}&to={}&bucket=hour'",
        rfc3339(day.from),
        rfc3339(day.to)
    );
    if let Some((device, _)) = appliances.deeds().first() {
        println!("Tell the first of its appliances to make itself known:");
        println!("  curl -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \\");
        println!(
            "    'http://{http}/api/v1/devices/{device}/commands?wait=5s' -d '{{\"name\":\"identify\"}}'"
        );
    }
    println!("MQTT listens on {mqtt}.");
    let _ = std::io::stdout().flush();
}
