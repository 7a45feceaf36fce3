//! The program `promenade`: one machine's broker and API.

mod command;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use rustix::fs::Mode;
use rustix::process::umask;
use server::Config;
use server::config::Address;

/// Presence, visits and footfall from what beacons, gateways and phones hear.
#[derive(Debug, Parser)]
#[command(name = "promenade", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve MQTT and HTTP from a data directory.
    Serve(Serving),
    /// Simulate yesterday in a shop, print the counts true beside measured, then serve them.
    Demo(command::Demo),
    /// Make an API key; the key alone is on the last line.
    Token(command::Token),
    /// Make a certificate authority, for TLS and for devices that sign in with certificates.
    Ca(command::Ca),
    /// Let new keys sign tokens from now on; a running server takes them up within a minute.
    RotateKeys(Place),
    /// Begin epochs of the pseudonyms that subjects are known by, and destroy their keys.
    Pseudonyms(command::Pseudonyms),
    /// Look for what could be wrong.
    Doctor(Place),
    /// Say why a device is offline, refused, throttled or silent.
    Explain(command::Explain),
    /// Make a key for signing orders to devices; its public half alone is on the last line.
    OperatorKey(command::OperatorKey),
    /// Sign an order to a device.
    Sign(command::Sign),
}

/// Which data and settings a command works on.
#[derive(Debug, Clone, Args)]
struct Place {
    /// The data directory.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The configuration file.
    #[arg(long)]
    config: Option<PathBuf>,
}

/// A place and the addresses to serve on.
#[derive(Debug, Clone, Args)]
struct Serving {
    #[command(flatten)]
    place: Place,
    /// Where the HTTP interface listens.
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// Where MQTT over TCP listens, or `off`.
    #[arg(long, value_name = "ADDR")]
    mqtt: Option<Address>,
    /// Where MQTT over TLS listens.
    #[arg(long, value_name = "ADDR")]
    mqtts: Option<Address>,
    /// Where MQTT over WebSocket listens.
    #[arg(long, value_name = "ADDR")]
    ws: Option<Address>,
    /// Where MQTT over WebSocket and TLS listens.
    #[arg(long, value_name = "ADDR")]
    wss: Option<Address>,
}

impl Place {
    fn load(&self) -> anyhow::Result<Config> {
        let mut config = Config::load(self.config.as_deref(), std::env::vars())?;
        if let Some(data) = &self.data {
            config.data.clone_from(data);
        }
        Ok(config)
    }
}

impl Serving {
    fn load(&self) -> anyhow::Result<Config> {
        let mut config = self.place.load()?;
        config.listen.http = self.http.unwrap_or(config.listen.http);
        let listen = &mut config.listen;
        listen.mqtt = self.mqtt.unwrap_or(listen.mqtt);
        listen.mqtts = self.mqtts.unwrap_or(listen.mqtts);
        listen.ws = self.ws.unwrap_or(listen.ws);
        listen.wss = self.wss.unwrap_or(listen.wss);
        Ok(config)
    }
}

fn main() -> ExitCode {
    // Keys of pseudonyms and devices are among what is written, and the data directory may be an old one that others can enter.
    umask(Mode::RWXG | Mode::RWXO);
    let outcome = match Cli::parse().command {
        Command::Serve(serving) => command::serve(&serving),
        Command::Demo(demo) => demo.run(),
        Command::Token(token) => token.run(),
        Command::Ca(ca) => ca.run(),
        Command::RotateKeys(place) => command::rotate_keys(&place),
        Command::Pseudonyms(pseudonyms) => pseudonyms.run(),
        Command::Doctor(place) => command::doctor(&place),
        Command::Explain(explain) => explain.run(),
        Command::OperatorKey(key) => key.run(),
        Command::Sign(sign) => sign.run(),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("promenade: {error:#}");
        ExitCode::FAILURE
    })
}
