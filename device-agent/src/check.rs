//! What is wrong with an installation, in words for whoever stands before the device.
//!
//! Nothing is changed by it, and an agent at work is not disturbed.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use crate::Clock;
use crate::config::{ApplianceConfig, Config, DeviceConfig, ScannerConfig};
use crate::health::Machine;
use crate::identity::{Identity, IdentityError, Validity};
use crate::link::{TrialError, try_sign_in};
use crate::reckoning::Reckoning;
use crate::scan::try_adapter;

/// How long to listen for a first advertisement.
const LISTENING: Duration = Duration::from_secs(10);

const DAY_MS: u64 = 24 * 3_600_000;

/// When somebody should see to a certificate that the agent does not renew.
const FEW_DAYS: u64 = 10;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub subject: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// In words.
    pub words: String,
}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and should be looked after.
    Doubtful,
    /// It does not work.
    Wrong,
}

/// Looks at everything that an agent with this configuration needs.
pub async fn check(path: &Path, variables: Vec<(String, String)>, clock: &Clock) -> Vec<Finding> {
    let config = match Config::load(path, variables.clone()) {
        Ok(config) => config,
        Err(error) => {
            let why = std::error::Error::source(&error).map_or(String::new(), |why| format!(" ({why})"));
            return vec![wrong("configuration", format!("{}: {error}{why}", path.display()))];
        }
    };
    let mut findings = vec![good("configuration", format!("{} can be read", path.display()))];
    findings.extend(secret(path, variables));
    findings.push(disk(&config));
    findings.push(time(&config, clock));
    findings.extend(programs(&config));
    findings.push(adapter(&config.scanner).await);
    match Identity::require(&config) {
        Ok(identity) => {
            findings.extend(certificate(&config, &identity, clock));
            findings.push(server(&config, &identity).await);
        }
        Err(IdentityError::Missing(_)) if config.enrolment.is_some() => {
            findings.push(doubtful(
                "identity",
                "there is none yet: the agent asks for one when it starts".into(),
            ));
        }
        Err(error) => findings.push(wrong("identity", error.to_string())),
    }
    findings
}

/// Whether somebody else can read the secret.
fn secret(path: &Path, variables: Vec<(String, String)>) -> Option<Finding> {
    let text = fs::read_to_string(path).ok()?;
    let config = Config::parse(&text, variables).ok()?;
    // The secret is in the configuration itself, or in a file of its own.
    let file = match config.device {
        DeviceConfig { id: None, .. } => config.identity_file(),
        DeviceConfig { secret_file: Some(file), .. } => file,
        DeviceConfig { .. } => path.to_owned(),
    };
    let mode = fs::metadata(&file).ok()?.permissions().mode();
    (mode & 0o007 != 0).then(|| {
        doubtful("secret", format!("everybody on this machine can read it: chmod o-rwx {}", file.display()))
    })
}

fn disk(config: &Config) -> Finding {
    let dir = &config.spool.dir;
    let shown = dir.display();
    let attempt = dir.join("check.tmp");
    match fs::write(&attempt, b"a check").and_then(|()| fs::remove_file(&attempt)) {
        Ok(()) => {
            let percent = Machine::this(dir).disk_percent().unwrap_or(0);
            let words = format!("{shown} can be written, its disk is {percent} % full");
            if percent >= 95 { doubtful("disk", words) } else { good("disk", words) }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => doubtful(
            "disk",
            format!("{shown} is not there yet: the agent makes it if it may, or systemd does"),
        ),
        Err(error) => wrong("disk", format!("{shown} cannot be written by this user: {error}")),
    }
}

fn time(config: &Config, clock: &Clock) -> Finding {
    if Reckoning::new(config.commands.clock).own(clock).is_none() {
        let words = "the clock was not set: pings are refused, and commands with a deadline; is there a network time \
                     server (`timedatectl`)?";
        return wrong("clock", words.into());
    }
    match Machine::this(&config.spool.dir).is_synchronized() {
        Some(false) => doubtful("clock", "it can be right, but was not set over the network yet".into()),
        _ => good("clock", "it can be right".into()),
    }
}

/// Whether the programs that drive the appliance are there; nothing where none do.
fn programs(config: &Config) -> Option<Finding> {
    let Some(ApplianceConfig::Programs(programs)) = &config.appliance else { return None };
    let dirs = std::env::var_os("PATH").unwrap_or_default();
    let is_program = |path: &Path| {
        fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    let is_there = |program: &str| {
        let on_the_path = || std::env::split_paths(&dirs).any(|dir| is_program(&dir.join(program)));
        if program.contains('/') { is_program(Path::new(program)) } else { on_the_path() }
    };
    let named = programs.programs.named();
    let missing: Vec<String> = named
        .filter(|(_, line)| !is_there(&line.program))
        .map(|(name, line)| format!("{} (`{name}`)", line.program))
        .collect();
    Some(if missing.is_empty() {
        good("programs", "all that drive the appliance are there".into())
    } else {
        wrong("programs", format!("not there, or none that can be run: {}", missing.join(", ")))
    })
}

async fn adapter(scanner: &ScannerConfig) -> Finding {
    let ScannerConfig::Bluetooth(config) = scanner else {
        return good("adapter", "none is needed, as nothing is heard by Bluetooth".into());
    };
    match try_adapter(config, LISTENING).await {
        Ok(trial) if trial.heard => good("adapter", format!("{} hears something", trial.name)),
        Ok(trial) => doubtful(
            "adapter",
            format!("{} scans, but heard nothing in {} s", trial.name, LISTENING.as_secs()),
        ),
        Err(sentence) => wrong("adapter", sentence),
    }
}

/// How long the certificate is still good, if the device has one.
fn certificate(config: &Config, identity: &Identity, clock: &Clock) -> Option<Finding> {
    let pem = match (identity.pair(), &config.link.certificate) {
        (Some(own), _) => own.certificate.clone(),
        // What is wrong with the file is told beside the server.
        (None, file) => fs::read_to_string(file.as_ref()?).ok()?,
    };
    let left_ms = Validity::of(&pem).ok()?.not_after.since(clock.now());
    let days = left_ms.unsigned_abs() / DAY_MS;
    Some(match (left_ms < 0, identity.pair().is_some()) {
        (true, true) => wrong(
            "certificate",
            format!(
                "it is over since {days} days: let the device in anew with `promenade-agent enrol --replace`"
            ),
        ),
        (true, false) => {
            wrong("certificate", format!("it is over since {days} days: put another in its place"))
        }
        (false, true) => good("certificate", format!("it is good for {days} days, and renewed before")),
        (false, false) if days < FEW_DAYS => {
            doubtful("certificate", format!("it is good for {days} days, and nobody renews it but you"))
        }
        (false, false) => good("certificate", format!("it is good for {days} days")),
    })
}

async fn server(config: &Config, identity: &Identity) -> Finding {
    let (host, port) = (&config.link.host, config.link.port);
    match try_sign_in(identity, &config.link).await {
        Ok(()) if config.link.tls => good("server", format!("{host}:{port} lets this device in, over TLS")),
        Ok(()) => {
            good("server", format!("{host}:{port} lets this device in; the way to it is not encrypted"))
        }
        Err(error) => {
            let hint = match &error {
                TrialError::Unreachable(_) => {
                    "is its name right, and is there a network and no firewall between?"
                }
                TrialError::Tls(_) => "are `ca`, the host's name and the clock right?",
                TrialError::Stranger(_) if config.link.tls => "is this the port with TLS, 8883 by custom?",
                TrialError::Stranger(_) => "does this port need `tls = true`?",
                TrialError::Silent => "is it the right port, and is there a firewall between?",
                TrialError::Files(_) | TrialError::Refused(_) => "",
            };
            wrong(
                "server",
                format!("{host}:{port}: {error}{}{hint}", if hint.is_empty() { "" } else { "; " }),
            )
        }
    }
}

fn good(subject: &'static str, words: String) -> Finding {
    Finding { subject, verdict: Verdict::Good, words }
}

fn doubtful(subject: &'static str, words: String) -> Finding {
    Finding { subject, verdict: Verdict::Doubtful, words }
}

fn wrong(subject: &'static str, words: String) -> Finding {
    Finding { subject, verdict: Verdict::Wrong, words }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Good => "good",
            Verdict::Doubtful => "look",
            Verdict::Wrong => "WRONG",
        };
        write!(f, "{verdict:5}  {:13}  {}", self.subject, self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_are_not_there_are_named() {
        let config = |on: &str| {
            let text = format!(
                "[device]\nid = \"019c5a8e-7d3f-7c4a-9b21-5f3e8d2a6c10\"\n[scanner]\nkind = \"simulated\"\n\
                 [appliance]\nkind = \"programs\"\ntype = \"kiosk\"\ncapabilities.on_off = {{}}\n\
                 programs.on = [\"{on}\"]\nprograms.off = [\"sh\"]\n"
            );
            Config::parse(&text, []).unwrap()
        };
        assert_eq!(programs(&config("/bin/sh")).unwrap().verdict, Verdict::Good);
        for missing in ["/nonexistent/on", "no-such-program", "/", "/etc/passwd"] {
            let finding = programs(&config(missing)).unwrap();
            assert_eq!(finding.verdict, Verdict::Wrong);
            assert_eq!(finding.words, format!("not there, or none that can be run: {missing} (`on`)"));
        }
    }
}
