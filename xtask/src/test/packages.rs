//! The programs of others that the tests start, and how they get onto a Debian machine.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::postgres;
use crate::program;

/// A package of the distribution and how to tell that what it brings is there.
struct Needed {
    package: &'static str,
    is_there: fn() -> bool,
}

const NEEDED: [Needed; 11] = [
    Needed { package: "postgresql", is_there: || postgres::programs().is_some() },
    Needed { package: "mosquitto", is_there: || program::find("mosquitto").is_some() },
    Needed { package: "mosquitto-clients", is_there: || program::find("mosquitto_pub").is_some() },
    Needed { package: "python3-venv", is_there: python_makes_environments },
    Needed { package: "nodejs", is_there: || program::find("node").is_some() },
    Needed { package: "npm", is_there: || program::find("npm").is_some() },
    Needed { package: "chromium", is_there: || program::find("chromium").is_some() },
    Needed { package: "openssl", is_there: || program::find("openssl").is_some() },
    Needed { package: "dpkg", is_there: || program::find("dpkg-deb").is_some() },
    Needed { package: "dbus", is_there: || program::find("dbus-daemon").is_some() },
    Needed {
        package: "python3-dbusmock",
        is_there: || Path::new("/usr/lib/python3/dist-packages/dbusmock").exists(),
    },
];

/// Installs what is missing when this is root on Debian or its kin; otherwise says what to install.
pub(super) fn ensure() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if program::find("apt-get").is_none() {
        bail!("the tests need programs that are missing here; Debian's packages with them are: {list}");
    }
    if !program::is_root() {
        bail!("the tests need programs that are missing here; install them: sudo apt-get install {list}");
    }
    eprintln!("   installing what the tests need: {list}");
    install(&missing)?;
    let still = self::missing();
    if !still.is_empty() {
        bail!("apt-get installed {list}, but this is still not found: {}", still.join(" "));
    }
    Ok(())
}

fn missing() -> Vec<&'static str> {
    NEEDED.iter().filter(|needed| !(needed.is_there)()).map(|needed| needed.package).collect()
}

/// Installs packages without letting their servers start: the tests start their own, on ports of their own.
fn install(packages: &[&str]) -> Result<()> {
    let _quiet = NoServices::declare(Path::new("/usr/sbin/policy-rc.d"))?;
    program::run(apt_get().args(["update", "-qq"]))?;
    program::run(apt_get().args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn python_makes_environments() -> bool {
    program::run_quietly(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_ok()
}

/// While this lives, installing a package starts no service (Debian Policy, "policy-rc.d": exit status 101 forbids it).
struct NoServices {
    declared: Option<PathBuf>,
}

impl NoServices {
    /// Writes the policy, unless the machine has one of its own.
    fn declare(policy: &Path) -> Result<Self> {
        match OpenOptions::new().write(true).create_new(true).mode(0o755).open(policy) {
            Ok(mut file) => {
                let quiet = Self { declared: Some(policy.to_owned()) };
                file.write_all(b"#!/bin/sh\nexit 101\n")?;
                Ok(quiet)
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(Self { declared: None }),
            Err(error) => Err(error).with_context(|| format!("cannot write {}", policy.display())),
        }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(policy) = &self.declared {
            let _ = fs::remove_file(policy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_forbids_services_and_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy-rc.d");
        let quiet = NoServices::declare(&policy).unwrap();
        let status = Command::new("sh").arg(&policy).status().unwrap();
        assert_eq!(status.code(), Some(101));
        drop(quiet);
        assert!(!policy.exists());
    }

    #[test]
    fn a_policy_of_the_machine_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy-rc.d");
        fs::write(&policy, "theirs").unwrap();
        drop(NoServices::declare(&policy).unwrap());
        assert_eq!(fs::read_to_string(&policy).unwrap(), "theirs");
    }
}
