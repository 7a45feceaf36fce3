//! `cargo xtask bench NAME`: a table of benches, each a function in a module of its own below `bench/`.
//!
//! A bench starts real programs, loads them over real sockets and prints numbers; it never passes or fails.

mod agent;
mod broker;
mod commands;
mod http;
mod ingest;
mod load;
mod machine;
mod oauth;
mod process;
mod sign_in;
mod size;
mod table;

use anyhow::{Result, bail};

use crate::workspace::Workspace;

/// A bench as the command line knows it.
struct Bench {
    name: &'static str,
    /// One line for the list.
    about: &'static str,
    run: fn(&Workspace, &[String]) -> Result<()>,
}

/// Every bench there is.
const BENCHES: &[Bench] = &[
    Bench {
        name: "ingest",
        about: "ping batches over real sockets into SQLite and PostgreSQL, beside Mosquitto relaying the same",
        run: ingest::run,
    },
    Bench {
        name: "broker",
        about: "connections and messages of any kind, beside Mosquitto and whatever else is named",
        run: broker::run,
    },
    Bench {
        name: "commands",
        about: "orders to devices and back through the HTTP API, beside an echo through Mosquitto and two commits",
        run: commands::run,
    },
    Bench {
        name: "oauth",
        about: "tokens, checked calls and a storm of sign-ins, beside oidc-provider doing the same in memory",
        run: oauth::run,
    },
    Bench {
        name: "agent",
        about: "processor time and memory of the agent at 500 advertisements a second, beside Theengs Gateway",
        run: agent::run,
    },
    Bench { name: "sign-in", about: "devices that sign in and go, again and again", run: sign_in::run },
    Bench { name: "size", about: "memory and start of the idle server, memory of the agent", run: size::run },
];

/// Runs the bench of that name; without a name, lists them all.
pub(crate) fn run(workspace: &Workspace, name: Option<&str>, arguments: &[String]) -> Result<()> {
    let Some(name) = name else {
        eprintln!("{}", listed(BENCHES));
        return Ok(());
    };
    match BENCHES.iter().find(|bench| bench.name == name) {
        Some(bench) => (bench.run)(workspace, arguments),
        None => bail!("there is no bench `{name}`. {}", listed(BENCHES)),
    }
}

fn listed(benches: &[Bench]) -> String {
    if benches.is_empty() {
        return "No bench exists yet.".to_owned();
    }
    benches.iter().fold("The benches:".to_owned(), |list, bench| {
        format!("{list}\n  {:<10} {}", bench.name, bench.about)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_the_list() {
        let error = run(&Workspace::here(), Some("warp"), &[]).unwrap_err().to_string();
        assert!(error.starts_with("there is no bench `warp`. "), "{error}");
        assert!(error.ends_with(&listed(BENCHES)), "{error}");
    }

    #[test]
    fn the_list_shows_each_bench_with_its_line() {
        let benches = [
            Bench { name: "one", about: "the first", run: |_, _| Ok(()) },
            Bench { name: "two", about: "the second", run: |_, _| Ok(()) },
        ];
        assert_eq!(listed(&benches), "The benches:\n  one        the first\n  two        the second");
    }
}
