//! Fleets, walkers and radio from one seed; replays recorded air; the load generator.
//!
//! Everything follows from a scenario, a seed and a date the caller gives; nothing here reads the time of day. A day goes
//! like this:
//!
//! ```no_run
//! use firmware_sim::{Fleet, FleetOptions, Registrar, Scenario, Simulation, report};
//!
//! # async fn day() -> anyhow::Result<()> {
//! let (seed, now) = (1, protocol::Timestamp(1_795_400_000_000));
//! let simulation = Simulation::new(Scenario::shipped("demo")?, seed, "2026-11-21".parse()?)?;
//! let registrar = Registrar::new("http://127.0.0.1:8080", "a token", "a name for this run");
//! let registered = simulation.register(&registrar).await?;
//! let mut fleet = Fleet::new(&FleetOptions::to("127.0.0.1:1883")?, registered.gateways, now, seed);
//! simulation.run(&mut fleet, |progress| eprintln!("{:.0} %", progress.share * 100.0)).await?;
//! let day = simulation.day();
//! let patience = std::time::Duration::from_secs(120);
//! registrar.settled(registered.venue, (day.from, day.to), day.to, patience).await?;
//! let footfall = registrar.footfall(registered.venue, day.from, day.to).await?;
//! let comparison = report::compare(&simulation.truth(), &footfall, simulation.scenario().bounds);
//! println!("{comparison}");
//! # Ok(())
//! # }
//! ```

pub mod appliance;
mod chance;
mod day;
mod fault;
pub mod fleet;
mod floor;
mod gateway;
mod hearing;
pub mod load;
mod progress;
mod radio;
pub mod registrar;
pub mod replay;
pub mod report;
pub mod scenario;
pub mod simulation;
pub mod truth;
mod walker;

pub use appliance::{Appliance, Appliances};
pub use chance::Span;
pub use day::{Day, DayError};
pub use fleet::{Credentials, Fleet, FleetError, FleetOptions, Uplink};
pub use floor::{Point, Polygon};
pub use progress::ProgressLine;
pub use registrar::{Footfall, Registrar, RegistrarError, rfc3339};
pub use report::Comparison;
pub use scenario::{Scenario, ScenarioError};
pub use simulation::{Progress, Registration, Simulation, Step};
pub use truth::Truth;
pub use walker::{Path, Shopper};
