//! Where the workspace is, and what Cargo knows about it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// The checkout that we work on.
pub(crate) struct Workspace {
    root: PathBuf,
}

/// The part of `cargo metadata --format-version 1` that the tasks read.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    /// Every package of the graph, ours and others'.
    pub(crate) packages: Vec<Package>,
    /// The ids of our own packages.
    pub(crate) workspace_members: Vec<String>,
    /// The resolved graph; null with `--no-deps`.
    pub(crate) resolve: Option<Resolve>,
    /// Where Cargo builds.
    pub(crate) target_directory: PathBuf,
}

/// A package as Cargo names it.
#[derive(Deserialize)]
pub(crate) struct Package {
    /// Opaque, unique in the graph.
    pub(crate) id: String,
    pub(crate) name: String,
    /// The absolute path of its `Cargo.toml`.
    pub(crate) manifest_path: PathBuf,
    /// An SPDX expression, if it says one.
    pub(crate) license: Option<String>,
}

/// Which package uses which.
#[derive(Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

/// One package and the packages it uses.
#[derive(Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) deps: Vec<Dependency>,
}

/// One arrow of the graph.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    /// The id of the package used.
    pub(crate) pkg: String,
    /// In which ways it is used; more than one when it is, say, both a normal and a dev-dependency.
    pub(crate) dep_kinds: Vec<DependencyKind>,
}

/// The way a dependency is used.
#[derive(Deserialize)]
pub(crate) struct DependencyKind {
    /// Null for a normal dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
}

impl Workspace {
    /// The workspace that Cargo runs us in; the one we were built in when we run without Cargo.
    ///
    /// Two checkouts that share a target folder share this program too, so what Cargo says now goes first.
    pub(crate) fn here() -> Self {
        let package =
            std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let package = Path::new(&package);
        Self { root: package.parent().unwrap_or(package).to_owned() }
    }

    /// The folder with the root manifest.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A Cargo command that runs at the root, by the same Cargo that started this program.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        command
    }

    /// The packages and the resolved graph, with the features of the whole workspace.
    pub(crate) fn metadata(&self) -> Result<Metadata> {
        self.read_metadata(&[])
    }

    /// The same for one target, such as `aarch64-unknown-linux-gnu`.
    pub(crate) fn metadata_for(&self, target: &str) -> Result<Metadata> {
        self.read_metadata(&["--filter-platform", target])
    }

    /// The folder Cargo builds into, wherever the environment put it.
    pub(crate) fn target(&self) -> Result<PathBuf> {
        Ok(self.read_metadata(&["--no-deps"])?.target_directory)
    }

    fn read_metadata(&self, arguments: &[&str]) -> Result<Metadata> {
        let output = self
            .cargo()
            .args(["metadata", "--format-version", "1", "--quiet"])
            .args(arguments)
            .output()
            .context("`cargo metadata` could not be started")?;
        ensure!(
            output.status.success(),
            "`cargo metadata` failed:\n{}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
        serde_json::from_slice(&output.stdout).context("`cargo metadata` answered something unexpected")
    }
}
