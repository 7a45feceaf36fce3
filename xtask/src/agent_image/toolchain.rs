//! What compiles for another processor: the machine's own tools, or Debian's in a folder of ours.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::Target;
use super::debian::{Archive, Rust};
use crate::program;
use crate::workspace::Workspace;

/// Written into the folder when everything is in it.
const COMPLETE: &str = "complete";

/// A Rust that has the standard library of the target, a C compiler and a linker for it.
#[derive(Debug)]
pub(super) struct Toolchain {
    target: Target,
    /// The folder that it was unpacked into, which looks like the root of a Debian; none where it is installed.
    unpacked: Option<PathBuf>,
}

impl Toolchain {
    /// The machine's; else the one in the folder, which is made if it is not there or too old.
    pub(super) fn of(workspace: &Workspace, target: Target, folder: &Path) -> Result<Self> {
        if is_installed(workspace, target) {
            return Ok(Self { target, unpacked: None });
        }
        let root = folder.join("root");
        if !root.join(COMPLETE).exists() || compiler_of(&root)? < Rust::needed()? {
            unpack(target, folder, &root)?;
        }
        Ok(Self { target, unpacked: Some(root) })
    }

    /// The folder that everything of it is below.
    pub(super) fn root(&self) -> &Path {
        self.unpacked.as_deref().unwrap_or(Path::new("/"))
    }

    /// A tool for programs of the target, such as `readelf`.
    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.tool(name));
        if let Some(root) = &self.unpacked {
            command.env("LD_LIBRARY_PATH", libraries_of(root));
        }
        command
    }

    /// Where a tool is. On a machine with the same processor it has its plain name.
    fn tool(&self, name: &str) -> PathBuf {
        let prefixed = format!("{}-{name}", self.target.tools());
        self.program(&prefixed).unwrap_or_else(|| PathBuf::from(name))
    }

    /// A program that came with it, or is installed where it is.
    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        match &self.unpacked {
            Some(root) => Some(root.join("usr/bin").join(name)).filter(|path| path.exists()),
            None => program::find(name),
        }
    }

    /// Lets Cargo use it, and whatever compiles C for Cargo.
    pub(super) fn give(&self, cargo: &mut Command) {
        let triple = self.target.triple();
        let (small, large) = (triple.replace('-', "_"), triple.replace('-', "_").to_uppercase());
        cargo.env(format!("CARGO_TARGET_{large}_LINKER"), self.tool("gcc"));
        cargo.env(format!("CC_{small}"), self.tool("gcc")).env(format!("AR_{small}"), self.tool("ar"));
        if let Some(root) = &self.unpacked {
            cargo.env("RUSTC", root.join("usr/bin/rustc"));
            cargo.env("LD_LIBRARY_PATH", libraries_of(root));
        }
    }
}

/// Whether the machine's Rust has the target, and the machine a C compiler for it.
fn is_installed(workspace: &Workspace, target: Target) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(workspace.root()).args(["--print", "target-libdir", "--target", target.triple()]);
    let has_target = program::run_quietly(&mut rustc).is_ok_and(|folder| Path::new(&folder).is_dir());
    let has_compiler = std::env::consts::ARCH == target.processor()
        || program::find(&format!("{}-gcc", target.tools())).is_some();
    has_target && has_compiler
}

/// The search path of shared libraries that the tools in the folder need.
fn libraries_of(root: &Path) -> OsString {
    let own = root.join("usr/lib/x86_64-linux-gnu");
    let others = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(own.clone()).chain(std::env::split_paths(&others)))
        .unwrap_or_else(|_| own.into_os_string())
}

/// The version of the Rust in the folder.
fn compiler_of(root: &Path) -> Result<Rust> {
    let mut rustc = Command::new(root.join("usr/bin/rustc"));
    let said = program::run_quietly(rustc.arg("--version").env("LD_LIBRARY_PATH", libraries_of(root)))?;
    // `rustc 1.96.0 (ac68faa20 2026-05-25)`
    Rust::parse(said.split(' ').nth(1).unwrap_or_default()).with_context(|| format!("rustc said `{said}`"))
}

/// Downloads Debian's tools and unpacks them. A broken attempt leaves nothing that the next one would take for whole.
fn unpack(target: Target, folder: &Path, root: &Path) -> Result<()> {
    let missing = format!(
        "the agent for {0} needs a Rust with the target {1} (`rustup target add {1}`) and {2}-gcc",
        target.processor(),
        target.triple(),
        target.tools()
    );
    for tool in ["apt-get", "apt-cache", "dpkg"] {
        if program::find(tool).is_none() {
            bail!("{missing}; on Debian they are downloaded, but here is no {tool}");
        }
    }
    ensure!(
        std::env::consts::ARCH == "x86_64",
        "{missing}; they are downloaded for x86-64 alone, and this is {}",
        std::env::consts::ARCH
    );
    eprintln!("   downloading Debian's compilers for {}, once: 250 MB", target.processor());
    let (archive, debs) = (folder.join("apt"), folder.join("debs"));
    let files = Archive::open(&archive, target)
        .and_then(|archive| archive.download(&archive.toolchain()?, &debs))
        .with_context(|| missing.clone())?;

    let fresh = folder.join("root.new");
    for old in [&fresh, root] {
        if old.exists() {
            fs::remove_dir_all(old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
    }
    fs::create_dir_all(&fresh)?;
    for file in &files {
        program::run_quietly(Command::new("dpkg").arg("-x").arg(file).arg(&fresh))?;
    }
    name_plainly(target, &fresh.join("usr").join(target.tools()).join("lib"))?;
    fs::rename(&fresh, root)?;
    let rust = compiler_of(root)?;
    ensure!(rust >= Rust::needed()?, "Debian's Rust is too old: {rust}");
    fs::write(root.join(COMPLETE), "")?;
    // They are unpacked.
    fs::remove_dir_all(&debs)?;
    fs::remove_dir_all(&archive)?;
    Ok(())
}

/// `libc.so` is a script of the linker that names its parts where Debian installs them (ld, "Commands Dealing with Files");
/// by their names alone they are found beside it.
fn name_plainly(target: Target, libraries: &Path) -> Result<()> {
    let script = libraries.join("libc.so");
    let text = fs::read_to_string(&script).with_context(|| format!("cannot read {}", script.display()))?;
    fs::write(&script, text.replace(&format!("/usr/{}/lib/", target.tools()), ""))?;
    Ok(())
}
