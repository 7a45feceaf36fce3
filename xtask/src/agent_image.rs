//! `cargo xtask agent-image`: the agent for a Raspberry Pi, as a program and as a Debian package.
//!
//! Nothing is installed for it. A Rust with the target and a C compiler for it are used where the machine has them;
//! elsewhere Debian's are unpacked into a folder below `target`, which stays for the next time.

mod commit;
mod debian;
mod emulator;
mod executable;
mod notices;
mod package;
mod toolchain;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use self::commit::Commit;
use self::executable::Executable;
use self::package::Package;
use self::toolchain::Toolchain;
use crate::program;
use crate::workspace::Workspace;

/// The end-to-end test that runs what is built here.
const TEST: &str = "emulated::an_emulated_agent_counts_the_same_people";

/// The profile of the root manifest that it is built with.
const PROFILE: &str = "pi";
/// What Cargo is told to build.
const PACKAGE: [&str; 6] = ["build", "--locked", "--package", "device-agent", "--bin", "promenade-agent"];

/// A processor that the agent is built for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// 64-bit ARM: a Raspberry Pi 3, 4, 5 or Zero 2 with a 64-bit system.
    #[default]
    Aarch64,
}

impl Target {
    /// As Rust calls it.
    fn triple(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// As C compilers and their tools call it.
    fn tools(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64-linux-gnu",
        }
    }

    /// As Debian calls it.
    fn debian(self) -> &'static str {
        match self {
            Self::Aarch64 => "arm64",
        }
    }

    /// As the emulator and the standard library call it.
    fn processor(self) -> &'static str {
        match self {
            Self::Aarch64 => "aarch64",
        }
    }
}

/// Builds the program and the package, and says where they are.
pub(crate) fn run(workspace: &Workspace, target: Target) -> Result<()> {
    let image = Image::build(workspace, target)?;
    let kb = |path: &Path| fs::metadata(path).map(|data| data.len() / 1000);
    println!("{}  {} kB", image.program.display(), kb(&image.program)?);
    println!("{}  {} kB, needs {}", image.package.display(), kb(&image.package)?, image.depends);
    Ok(())
}

/// Whether one of these filters asks for the test that runs it; without any, all tests are asked for, and what flags of the
/// test runner ask for is not known.
pub(crate) fn is_tested(filters: &[String]) -> bool {
    let asks = |filter: &String| filter.starts_with('-') || TEST.contains(filter.as_str());
    filters.is_empty() || filters.iter().any(asks)
}

/// Builds everything; answers a program that runs the agent on this machine.
pub(crate) fn for_the_tests(workspace: &Workspace) -> Result<PathBuf> {
    let image = Image::build(workspace, Target::default())?;
    emulator::runnable(&image.toolchain, Target::default(), &image.program, &image.folder)
}

/// Builds the program for this machine as it is for the other, and says where it is.
pub(crate) fn native(workspace: &Workspace) -> Result<PathBuf> {
    program::run(workspace.cargo().args(PACKAGE).args(["--quiet", "--profile", PROFILE]))?;
    Ok(workspace.target()?.join(PROFILE).join("promenade-agent"))
}

/// What was built.
struct Image {
    toolchain: Toolchain,
    /// Where toolchain, build and package are.
    folder: PathBuf,
    program: PathBuf,
    package: PathBuf,
    /// The packages that it needs, as Debian writes them.
    depends: String,
}

impl Image {
    fn build(workspace: &Workspace, target: Target) -> Result<Self> {
        let folder = workspace.target()?.join("cross");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        // Two at once would unpack into the same folder. Released when the file is closed.
        let lock = File::create(folder.join("lock"))?;
        lock.lock().context("cannot wait for another build of the agent")?;

        let toolchain = Toolchain::of(workspace, target, &folder)?;
        let program = compile(workspace, target, &toolchain, &folder)?;
        let depends = Executable::read(&program, toolchain.command("readelf"))?.depends()?;
        let commit = Commit::of(workspace)?;
        let notices = notices::of(&workspace.metadata_for(target.triple())?, "device-agent")?;
        let package = Package {
            root: workspace.root(),
            target,
            commit: &commit,
            program: &program,
            depends: &depends,
            notices: &notices,
        };
        let package = package.build(&folder.join("package"))?;
        Ok(Self { toolchain, folder, program, package, depends })
    }
}

/// Compiles the agent; the paths of this machine are not in it.
fn compile(workspace: &Workspace, target: Target, toolchain: &Toolchain, folder: &Path) -> Result<PathBuf> {
    let build = folder.join("build");
    let mut cargo = workspace.cargo();
    cargo.args(PACKAGE);
    cargo.args(["--profile", PROFILE, "--target", target.triple()]).arg("--target-dir").arg(&build);
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).context("no home of Cargo")?;
    let remapped = [(home.as_path(), "/cargo"), (workspace.root(), "/promenade")];
    let flags = remapped.map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display()));
    // Cargo parts flags in this variable by a character that is in no path.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    toolchain.give(&mut cargo);
    program::run(&mut cargo)?;
    Ok(build.join(target.triple()).join(PROFILE).join("promenade-agent"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_built_for_its_test_and_for_all_tests_alone() {
        let filters = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert!(is_tested(&[]));
        assert!(is_tested(&filters(&["restart", "emulated"])));
        assert!(is_tested(&filters(&["--test-threads", "1"])));
        assert!(!is_tested(&filters(&["restart", "agent::everything"])));
    }
}
