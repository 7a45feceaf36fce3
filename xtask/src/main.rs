//! The task runner: `cargo xtask demo`, `test`, `bench`, `agent-image` and `tidy`.
//!
//! Everything a contributor or the build machine runs goes through here, so that both run the same thing.

mod agent_image;
mod bench;
mod demo;
mod node;
mod postgres;
mod program;
mod python;
mod steps;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::agent_image::Target;
use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", about = "Builds, tests and shows Promenade.", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Simulates a day in a shop, prints what was counted beside what was true, then serves.
    Demo {
        /// Passed on to `promenade demo`, for example `--exit` or `--scenario mall`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Runs every check and every test; with a filter, only the tests it names.
    Test {
        /// Runs the large counts too: more kills, bigger fleets, longer days.
        #[arg(long)]
        long: bool,
        /// Parts of test names; the checks are skipped. What follows `--` goes to the test runner as it is.
        filters: Vec<String>,
    },
    /// Runs a bench and prints its numbers; without a name, lists the benches.
    Bench {
        /// The bench to run.
        name: Option<String>,
        /// Passed on to the bench.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Builds the agent for a Raspberry Pi: the program and its Debian package.
    AgentImage {
        /// The processor that it is for.
        #[arg(long, value_enum, default_value_t)]
        target: Target,
    },
    /// Checks what the compiler cannot: the direction of dependencies, migrations, module docs, links.
    Tidy,
}

fn main() -> ExitCode {
    let workspace = Workspace::here();
    let outcome = match Arguments::parse().task {
        Task::Demo { arguments } => demo::run(&workspace, &arguments),
        Task::Test { long, filters } => test::run(&workspace, long, &filters),
        Task::Bench { name, arguments } => bench::run(&workspace, name.as_deref(), &arguments),
        Task::AgentImage { target } => agent_image::run(&workspace, target),
        Task::Tidy => tidy::run(&workspace),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
