//! `promenade-sim`: simulated days, recorded air and load, all through real connections.

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use firmware_sim::load::{self, Encoding, LoadPlan, Pattern};
use firmware_sim::replay::{Recording, replay};
use firmware_sim::{
    Appliances, Day, Fleet, FleetOptions, ProgressLine, Registrar, Scenario, Simulation, report,
};
use protocol::Timestamp;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How long the platform may take to work through a day after its last batch.
const PATIENCE: Duration = Duration::from_mins(3);

/// Simulates a day at a venue, replays recorded air, or makes load.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    day: DayArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Replays recordings, shifted to end now, and tells how right the platform's zones are.
    Replay {
        /// The directory with `*.mbd.csv` and `sensors.dev`.
        dir: PathBuf,
        #[command(flatten)]
        platform: Platform,
    },
    /// Publishes prepared batches as fast as they are acknowledged, or loads any broker with one of the patterns; prints
    /// one line of JSON.
    Load(LoadArgs),
}

#[derive(Args)]
struct DayArgs {
    /// A scenario file, or the name of a shipped one, as demo, mall or quiet; a wrong name is answered with all.
    scenario: Option<String>,
    #[command(flatten)]
    platform: Platform,
    /// What everything random is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The day, YYYY-MM-DD; without it the last one that is over.
    #[arg(long)]
    day: Option<jiff::civil::Date>,
    /// At most so many simulated seconds in a real one.
    #[arg(long)]
    speed: Option<f64>,
    /// Let appliances run on after the day, until this is interrupted.
    #[arg(long)]
    stay: bool,
}

/// Where the platform is.
#[derive(Args)]
struct Platform {
    /// HOST:PORT of MQTT.
    #[arg(long, default_value = "127.0.0.1:1883")]
    mqtt: String,
    /// The HTTP API.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    http: String,
    /// An API key that may register venues and devices and read analytics and stays.
    #[arg(long, default_value = "")]
    token: String,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
struct LoadArgs {
    #[command(subcommand)]
    pattern: Option<Pattern>,
    #[command(flatten)]
    platform: Platform,
    /// How many connections.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Pings in a batch.
    #[arg(long, default_value_t = 10)]
    pings: usize,
    /// json or cbor.
    #[arg(long, default_value = "json")]
    encoding: Encoding,
    /// For how long to send.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// At most so many batches over all connections.
    #[arg(long)]
    batches: Option<u64>,
    /// Different identifiers.
    #[arg(long, default_value_t = 1_000)]
    subjects: u32,
    /// Most batches of a connection that wait for their acknowledgement.
    #[arg(long, default_value_t = 64)]
    window: u16,
    /// What the batches are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Publish to this topic of any broker instead, without registering or signing in, and count what reaches a subscriber.
    #[arg(long)]
    plain_topic: Option<String>,
    /// Sign in and go, again and again, instead of sending batches.
    #[arg(long, conflicts_with = "plain_topic")]
    sign_ins: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();
    let cli = Cli::parse();
    let done = match (cli.command, cli.day) {
        (Some(Command::Replay { dir, platform }), _) => replay_recordings(&dir, &platform).await,
        (Some(Command::Load(args)), _) => make_load(&args).await,
        (None, args) => simulate(&args).await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("promenade-sim: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs a day and prints the table; false when the numbers disagree.
async fn simulate(args: &DayArgs) -> anyhow::Result<bool> {
    let name = args.scenario.as_deref().context("name a scenario, `replay DIR` or `load`; see --help")?;
    let scenario = scenario(name)?;
    let now = now();
    let date = args.day.map_or_else(|| Day::last_before(&scenario.venue, now), Ok)?;
    let simulation = Simulation::new(scenario, args.seed, date)?.at_speed(args.speed);
    let day = simulation.day();
    eprintln!("{}, {date}: {} people", simulation.scenario().venue.name, simulation.shoppers().len());
    let registrar = args.platform.registrar(now);
    let registered = simulation.register(&registrar).await.context("registering the venue")?;
    let options = FleetOptions::to(&args.platform.mqtt)?;
    let appliances = Appliances::start(&options, registered.appliances, now, args.seed);
    let mut fleet = Fleet::new(&options, registered.gateways, now, args.seed);
    let mut line = ProgressLine::default();
    let sent = simulation.run(&mut fleet, |progress| line.show(day, progress)).await?;
    line.end(&sent);
    registrar.settled(registered.venue, (day.from, day.to), day.to, PATIENCE).await?;
    let footfall = registrar.footfall(registered.venue, day.from, day.to).await?;
    let comparison = report::compare(&simulation.truth(), &footfall, simulation.scenario().bounds);
    println!("{comparison}");
    if sent.refused > 0 {
        println!("{} batches were refused, so less was counted than was sent", sent.refused);
    }
    if args.stay {
        eprintln!("{} appliances stay until this is interrupted", appliances.deeds().len());
        tokio::signal::ctrl_c().await?;
    }
    for (device, deeds) in appliances.deeds() {
        eprintln!("{device}: {} commands run, {} refused", deeds.ran.len(), deeds.refused);
    }
    Ok(comparison.agrees())
}

async fn replay_recordings(dir: &Path, platform: &Platform) -> anyhow::Result<bool> {
    let recording = Recording::read(dir)?;
    let now = now();
    let options = FleetOptions::to(&platform.mqtt)?;
    for accuracy in replay(&recording, &platform.registrar(now), &options, now).await? {
        println!("{accuracy}");
    }
    Ok(true)
}

async fn make_load(args: &LoadArgs) -> anyhow::Result<bool> {
    if let Some(Pattern::Commands(commands)) = &args.pattern {
        let devices = commands.connect().await?;
        println!("{}", serde_json::json!({"ready": devices.ids().len()}));
        // Whoever reads the line sends commands and then closes our input.
        let input =
            tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
        let result = devices.answer_until(async { drop(input.await) }).await?;
        println!("{}", serde_json::to_string(&result)?);
        return Ok(true);
    }
    if let Some(pattern) = &args.pattern {
        let (result, held) = pattern.run().await?;
        println!("{}", serde_json::to_string(&result)?);
        if matches!(pattern, Pattern::Idle(_)) {
            // Whoever reads the line looks at the broker and then closes our input.
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
        }
        drop(held);
        return Ok(true);
    }
    let now = now();
    let plan = LoadPlan {
        mqtt: args.platform.mqtt.clone(),
        connections: args.connections,
        pings: args.pings,
        encoding: args.encoding,
        window: args.window,
        subjects: args.subjects,
        time: Duration::try_from_secs_f64(args.seconds).context("--seconds")?,
        batches: args.batches,
        // Event time runs faster than the clock, so it begins well before now.
        start: now.minus(24 * 3_600_000),
        seed: args.seed,
    };
    let mut taken = true;
    let line = if let Some(topic) = &args.plain_topic {
        serde_json::to_string(&load::relay(&plan, topic).await?)?
    } else {
        let devices = load::register(&plan, &args.platform.registrar(now)).await?;
        if args.sign_ins {
            println!("{}", serde_json::to_string(&load::sign_ins(&plan, &devices).await?)?);
            return Ok(true);
        }
        let result = load::run(&plan, &devices).await?;
        taken = result.refusals == 0;
        serde_json::to_string(&result)?
    };
    println!("{line}");
    Ok(taken)
}

fn scenario(name: &str) -> anyhow::Result<Scenario> {
    if !Path::new(name).exists() {
        return Ok(Scenario::shipped(name)?);
    }
    let text = std::fs::read_to_string(name).with_context(|| name.to_owned())?;
    Scenario::parse(&text).with_context(|| name.to_owned())
}

impl Platform {
    fn registrar(&self, now: Timestamp) -> Registrar {
        Registrar::new(&self.http, &self.token, &format!("sim-{}-{}", now.0, std::process::id()))
    }
}

/// The only place where this program reads the time: what is simulated is given a time, what is replayed is shifted to it.
#[expect(
    clippy::disallowed_methods,
    reason = "the program's entry is its clock; the library takes it as an argument"
)]
fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_lines_of_the_contract_are_understood() {
        Cli::command().debug_assert();
        let platform = ["--mqtt", "h:1", "--http", "http://h:2", "--token", "t"];
        let parse = |words: &[&str]| Cli::try_parse_from([&["promenade-sim"], words, &platform].concat());
        let day = parse(&["demo", "--seed", "7", "--day", "2026-11-21"]).unwrap();
        assert_eq!(
            (day.day.scenario.as_deref(), day.day.seed, day.command.is_none()),
            (Some("demo"), 7, true)
        );
        assert_eq!((day.day.platform.mqtt.as_str(), day.day.platform.token.as_str()), ("h:1", "t"));
        let replay = parse(&["replay", "office"]).unwrap();
        assert!(
            matches!(replay.command, Some(Command::Replay { platform, .. }) if platform.http == "http://h:2")
        );
        let load = parse(&["load", "--connections", "4", "--pings", "50", "--encoding", "cbor"]).unwrap();
        assert!(
            matches!(load.command, Some(Command::Load(args)) if args.encoding == Encoding::Cbor && args.pings == 50)
        );
        let pattern = |words: &[&str]| {
            let parsed = Cli::try_parse_from([&["promenade-sim", "load"], words].concat());
            parsed.map(|cli| matches!(cli.command, Some(Command::Load(LoadArgs { pattern: Some(_), .. }))))
        };
        for name in ["idle", "connects", "fan-in", "fan-out", "steady", "flood", "commands", "echo"] {
            let words = [name, "--mqtt", "h:1", "--watch", "7", "--tls", "ca.pem"];
            assert!(pattern(&words).unwrap(), "{name}");
        }
        assert!(pattern(&["fan-out", "--qos", "2"]).is_err());
        assert!(parse(&[]).unwrap().day.scenario.is_none());
        assert!(parse(&["demo", "--colour", "red"]).is_err());
        assert!(parse(&["load", "--encoding", "xml"]).is_err());
    }
}
