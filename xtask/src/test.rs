//! `cargo xtask test`: every check and every test, with the servers that the tests need.
//!
//! The tests find what they need in the environment: `PROMENADE_TEST_POSTGRES` is the URL of a server where they may
//! create databases, `PROMENADE_TEST_PYTHON` a Python with paho-mqtt, `PROMENADE_TEST_PI_AGENT` a program that runs the agent
//! as a Raspberry Pi has it, and `PROMENADE_TEST_LONG=1` asks for large counts.

mod doc_tests;
mod packages;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::postgres::Postgres;
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{agent_image, node, program, python, tidy};

/// Runs the checks (unless there is a filter), then the tests, and closes with one line.
pub(crate) fn run(workspace: &Workspace, long: bool, filters: &[String]) -> Result<()> {
    let mut steps = Steps::of("test");
    let outcome = run_steps(workspace, long, filters, &mut steps);
    let summary = steps.summary(outcome.is_ok());
    if let Err(error) = outcome {
        eprintln!("xtask: {error:#}");
        bail!(summary);
    }
    eprintln!("xtask: {summary}");
    Ok(())
}

fn run_steps(workspace: &Workspace, long: bool, filters: &[String], steps: &mut Steps) -> Result<()> {
    if filters.is_empty() {
        check(workspace, steps)?;
    } else {
        eprintln!("== only the tests named; format, lints, tidy and licences are skipped");
    }
    let (postgres, python, modules) = steps.take("prepare", || {
        packages::ensure()?;
        let python = python::with_clients(&workspace.target()?)?;
        let modules = node::with_clients(&workspace.target()?)?;
        Ok((Postgres::start()?, python, modules))
    })?;
    // Programs and tests in one go: building them apart would compile many dependencies twice, because Cargo
    // chooses their features for what is built together.
    steps
        .take("build", || program::run(workspace.cargo().args(["build", "--workspace", "--all-targets"])))?;

    let pi_agent = agent_image::is_tested(filters).then(|| {
        let built = steps.take("agent image", || agent_image::for_the_tests(workspace));
        // All other tests can be run without it.
        let say = |error: &anyhow::Error| {
            eprintln!("== THE AGENT FOR A RASPBERRY PI WAS NOT BUILT, so its test will fail: {error:#}");
        };
        built.inspect_err(say).ok()
    });
    let pi_agent = pi_agent.flatten();

    let environment = Environment { postgres: postgres.url(), python, modules, pi_agent, long };
    if filters.is_empty() && doc_tests::exist(workspace.root())? {
        steps.take("doc tests", || {
            program::run(environment.give(workspace.cargo().args(["test", "--workspace", "--doc"])))
        })?;
    }
    steps.take("tests", || program::run(environment.give(&mut runner(workspace, long, filters))))
}

/// What needs no server: format, lints, our own rules, licences and bans.
fn check(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    steps.take("format", || {
        program::run(workspace.cargo().args(["fmt", "--all", "--check"]))
            .context("`cargo fmt --all` puts it right")
    })?;
    steps.take("clippy", || {
        let lint = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
        program::run(workspace.cargo().args(lint))
    })?;
    steps.take("tidy", || tidy::run(workspace))?;
    steps.take("deny", || {
        if !answers(workspace.cargo().args(["deny", "--version"])) {
            eprintln!("   cargo-deny is missing; installing it, once (a few minutes)");
            program::run(workspace.cargo().args(["install", "cargo-deny", "--locked"]))?;
        }
        // Warnings (two versions of one package) are for whoever runs cargo-deny by hand; they would fill pages here.
        let check = ["deny", "--log-level", "error", "check", "bans", "licenses", "sources"];
        program::run(workspace.cargo().args(check))
    })
}

/// The command that runs the tests: cargo-nextest where it is installed, else Cargo's own runner.
fn runner(workspace: &Workspace, long: bool, filters: &[String]) -> Command {
    let mut command = workspace.cargo();
    if answers(workspace.cargo().args(["nextest", "--version"])) {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
        command.args(["--profile", if long { "long" } else { "default" }]).args(filters);
    } else {
        eprintln!(
            "   cargo-nextest is not installed; `cargo test` runs the tests, one binary after the other"
        );
        command.args(["test", "--workspace", "--all-targets", "--no-fail-fast", "--"]).args(filters);
    }
    command
}

/// Whether a subcommand of Cargo is installed.
fn answers(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// What the tests find in their environment.
struct Environment {
    postgres: String,
    python: PathBuf,
    /// Where Node.js finds MQTT.js.
    modules: PathBuf,
    /// The agent of a Raspberry Pi, when its test is asked for and it could be built.
    pi_agent: Option<PathBuf>,
    long: bool,
}

impl Environment {
    fn give<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("PROMENADE_TEST_POSTGRES", &self.postgres)
            .env("PROMENADE_TEST_PYTHON", &self.python)
            .env("PROMENADE_TEST_NODE_PATH", &self.modules)
            .env("PATH", search_path());
        match &self.pi_agent {
            Some(agent) => command.env("PROMENADE_TEST_PI_AGENT", agent),
            None => command.env_remove("PROMENADE_TEST_PI_AGENT"),
        };
        if self.long {
            command.env("PROMENADE_TEST_LONG", "1");
        } else {
            command.env_remove("PROMENADE_TEST_LONG");
        }
        command
    }
}

/// Our search path with the folders of servers behind it, so that tests find `mosquitto` as any user.
fn search_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let servers = program::SERVER_FOLDERS.iter().map(PathBuf::from);
    std::env::join_paths(std::env::split_paths(&path).chain(servers)).unwrap_or(path)
}
