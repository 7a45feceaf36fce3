//! The commit that is built: what the package is called, and the only time that is in it.

use anyhow::{Context as _, Result};

use crate::program;
use crate::workspace::Workspace;

/// What Git says of the checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    /// When it was committed, in seconds since 1970: `SOURCE_DATE_EPOCH` of <https://reproducible-builds.org/specs/source-date-epoch/>.
    pub(super) epoch: String,
    /// The same as the Debian changelog writes it (RFC 5322 section 3.3).
    pub(super) date: String,
    /// The version of the package: that of the workspace, when it was committed in UTC, and the start of its hash.
    pub(super) version: String,
}

impl Commit {
    /// The commit that is checked out. What was changed since is told by the version.
    pub(super) fn of(workspace: &Workspace) -> Result<Self> {
        let ask = |arguments: &[&str]| {
            let mut git = std::process::Command::new("git");
            program::run_quietly(git.current_dir(workspace.root()).env("TZ", "UTC").args(arguments))
                .context("the package takes its version and its time from Git, so it is built in a clone")
        };
        let said = ask(&[
            "log",
            "-1",
            "--abbrev=12",
            "--date=format-local:%Y%m%d%H%M%S|%a, %d %b %Y %H:%M:%S +0000",
            "--format=%ct|%h|%cd",
        ])?;
        let is_changed = !ask(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
        Self::read(&said, is_changed).with_context(|| format!("Git said `{said}`"))
    }

    fn read(said: &str, is_changed: bool) -> Option<Self> {
        let mut parts = said.split('|').map(str::to_owned);
        let (epoch, hash, stamp, date) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let changed = if is_changed { ".changed" } else { "" };
        let version = format!("{}+git{stamp}.{hash}{changed}", env!("CARGO_PKG_VERSION"));
        Some(Self { epoch, date, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_commits_have_later_versions() {
        let said = "1795841225|89ac5f912345|20261128044705|Sat, 28 Nov 2026 04:47:05 +0000";
        let commit = Commit::read(said, false).unwrap();
        let own = env!("CARGO_PKG_VERSION");
        assert_eq!(commit.version, format!("{own}+git20261128044705.89ac5f912345"));
        assert_eq!(commit.date, "Sat, 28 Nov 2026 04:47:05 +0000");
        assert!(Commit::read(said, true).unwrap().version.ends_with(".changed"));
        assert_eq!(Commit::read("1795841225|89ac5f912345", false), None);
    }
}
