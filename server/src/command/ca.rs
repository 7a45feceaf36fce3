//! `promenade ca`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use api::authority::{Authority, CERTIFICATE, ServerName};
use clap::{Args, Subcommand};
use server::DataDir;
use store::Clock;

use crate::Place;

/// The certificate authority of this installation.
#[derive(Debug, Args)]
pub(crate) struct Ca {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the authority, in the folder `ca` of the data directory. Nothing is overwritten.
    Init(Init),
}

#[derive(Debug, Args)]
struct Init {
    #[command(flatten)]
    place: Place,
    /// What the authority is called.
    #[arg(long, default_value = "Promenade", value_parser = name)]
    name: String,
    /// Also make a certificate for the server, good for each of these names and addresses. Beside an authority that is there
    /// already, only this is made.
    #[arg(long, value_name = "NAME-OR-IP", num_args = 1..)]
    server: Vec<ServerName>,
}

impl Ca {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let Command::Init(init) = &self.command;
        init.run()
    }
}

impl Init {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self.place.load()?;
        let data = DataDir::open(&config.data)?;
        let (folder, now) = (config.authority(), Clock::System.now());
        let authority = match Authority::open(&folder)? {
            Some(_) if self.server.is_empty() => {
                bail!("there is an authority in {} already; nothing is overwritten", folder.display())
            }
            Some(authority) => authority,
            None => {
                let authority = Authority::init(&folder, &self.name, now)?;
                println!("The authority `{}` is in {}. Guard its key.", self.name, folder.display());
                authority
            }
        };
        if !self.server.is_empty() {
            authority.make_server(&folder, &self.server, now).context("the server's certificate")?;
            let names: Vec<String> = self.server.iter().map(ToString::to_string).collect();
            println!("The server has a certificate for {}. Serve with it:", names.join(", "));
            println!("  promenade serve --data {} --mqtts 0.0.0.0:8883", data.path().display());
        }
        println!("Clients trust the server by {}.", folder.join(CERTIFICATE).display());
        println!(
            "Certificates for devices: POST /api/v1/devices/DEVICE/credentials with {{\"kind\":\"certificate\"}}"
        );
        if data.is_served()? {
            println!("A server is running: start it again, so that it uses them.");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A common name (RFC 5280 appendix A.1, `ub-common-name`).
fn name(text: &str) -> anyhow::Result<String> {
    if !(1..=64).contains(&text.chars().count()) || text.chars().any(char::is_control) {
        bail!("must have 1 to 64 characters");
    }
    Ok(text.to_owned())
}
