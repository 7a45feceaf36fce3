//! Debian's archive, asked for packages of two architectures without touching what the machine itself knows of it.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::Target;
use crate::program;

/// A version of Rust: major, minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rust(u32, u32);

/// Lists and settings of APT in a folder of ours.
pub(super) struct Archive {
    folder: PathBuf,
    target: Target,
}

/// What the archive says of a package.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    version: String,
    /// The names that it depends on; of alternatives the first.
    depends: Vec<String>,
}

/// Debian has Rust twice: the second is the one that it keeps new for browsers.
const RUSTS: [&str; 2] = ["rustc", "rustc-web"];

impl Rust {
    /// The oldest that the project compiles with.
    pub(super) fn needed() -> Result<Self> {
        Self::parse(env!("CARGO_PKG_RUST_VERSION")).context("rust-version in Cargo.toml")
    }

    /// Of `1.96.0`, `1.96` or Debian's `1.96.0+dfsg1-1`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| number.parse().ok());
        Some(Self(numbers.next()??, numbers.next()??))
    }
}

impl fmt::Display for Rust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.0, self.1)
    }
}

impl Archive {
    /// Fetches the lists of the machine's own sources, for its architecture and the target's.
    pub(super) fn open(folder: &Path, target: Target) -> Result<Self> {
        for part in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let archive = Self { folder: folder.to_owned(), target };
        program::run_quietly(archive.ask("apt-get").args(["update", "-qq"]))
            .context("Debian's archive cannot be reached")?;
        Ok(archive)
    }

    /// Everything that compiles for the target, and what runs it here.
    pub(super) fn toolchain(&self) -> Result<BTreeSet<String>> {
        let needed = Rust::needed()?;
        let mut newest = None;
        for name in RUSTS {
            let Ok(entry) = self.entry(name) else { continue };
            newest = newest.max(Rust::parse(&entry.version).map(|version| (version, name)));
        }
        let (rust, rustc) = newest.context("this Debian has no Rust")?;
        ensure!(rust >= needed, "the newest Rust of this Debian is {rust}, and the project needs {needed}");
        let library = rustc.replacen("rustc", "libstd-rust", 1);
        let architecture = self.target.debian();
        self.with_what_they_need([
            rustc.to_owned(),
            format!("{library}-dev:{architecture}"),
            format!("gcc-{}", self.target.tools()),
            format!("libc6-dev-{architecture}-cross"),
            "qemu-user-static".to_owned(),
        ])
    }

    /// These packages and those of a toolchain that they depend on; what any machine that compiles has is left out.
    fn with_what_they_need(&self, packages: impl IntoIterator<Item = String>) -> Result<BTreeSet<String>> {
        let mut all = BTreeSet::new();
        let mut open: Vec<String> = packages.into_iter().collect();
        while let Some(package) = open.pop() {
            if !all.insert(package.clone()) {
                continue;
            }
            let foreign = package.split_once(':').map(|(_, architecture)| architecture);
            for name in self.entry(&package)?.depends {
                match foreign {
                    None if is_of_a_toolchain(self.target, &name) => open.push(name),
                    // Of the target only the library is needed, and not what its compiler would run on.
                    Some(foreign) if name.starts_with("libstd-rust") => {
                        open.push(format!("{name}:{foreign}"));
                    }
                    _ => {}
                }
            }
        }
        Ok(all)
    }

    /// Downloads them; a file of an earlier attempt is kept if it is whole, which APT sees by its hash.
    pub(super) fn download(&self, packages: &BTreeSet<String>, into: &Path) -> Result<Vec<PathBuf>> {
        fs::create_dir_all(into)?;
        self.clear(packages, into)?;
        program::run_quietly(self.ask("apt-get").current_dir(into).arg("download").args(packages)).context(
            "Debian's packages could not be downloaded; what is there is kept for the next attempt",
        )?;
        debs(into)
    }

    /// Deletes packages of an earlier attempt that are not, or no longer, among these: what is there is unpacked, and an
    /// older version would lie beside the newer.
    fn clear(&self, packages: &BTreeSet<String>, folder: &Path) -> Result<()> {
        let files = debs(folder)?;
        if files.is_empty() {
            return Ok(());
        }
        let wanted = packages.iter().map(|package| {
            let version = self.entry(package)?.version;
            Ok(file_start(package, &version))
        });
        let wanted = wanted.collect::<Result<BTreeSet<_>>>()?;
        for file in files {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let start = name.rsplit_once('_').map_or(name, |(start, _)| start);
            if !wanted.contains(start) {
                fs::remove_file(&file)?;
            }
        }
        Ok(())
    }

    fn entry(&self, package: &str) -> Result<Entry> {
        let said = program::run_quietly(self.ask("apt-cache").args(["show", "--no-all-versions", package]))?;
        Entry::parse(&said).with_context(|| format!("the archive says nothing of {package}"))
    }

    fn ask(&self, tool: &str) -> Command {
        let mut command = Command::new(tool);
        let (lists, cache) = (self.folder.join("lists"), self.folder.join("cache"));
        for setting in [
            "APT::Architectures::=amd64".to_owned(),
            format!("APT::Architectures::={}", self.target.debian()),
            format!("Dir::State::Lists={}", lists.display()),
            format!("Dir::Cache={}", cache.display()),
            // The user that APT downloads as may not write here.
            "APT::Sandbox::User=root".to_owned(),
        ] {
            command.args(["-o", &setting]);
        }
        command.env("LC_ALL", "C");
        command
    }
}

impl Entry {
    /// Of the first paragraph that `apt-cache show` prints (Debian Policy chapter 5).
    fn parse(said: &str) -> Option<Self> {
        let field = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let depends = field("Depends").unwrap_or_default().split(", ");
        let name = |part: &str| Some(part.split([' ', ':', '(']).next()?.to_owned());
        let depends = depends.filter_map(name).filter(|name| !name.is_empty()).collect();
        Some(Self { version: field("Version")?.to_owned(), depends })
    }
}

/// The name of the file that `apt-get download` makes, but for the architecture: it writes `:` as `%3a`.
fn file_start(package: &str, version: &str) -> String {
    let name = package.split(':').next().unwrap_or_default();
    format!("{name}_{}", version.replace(':', "%3a"))
}

/// The packages in a folder, sorted.
fn debs(folder: &Path) -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let mut files: Vec<_> =
        files.into_iter().filter(|file| file.extension().is_some_and(|end| end == "deb")).collect();
    files.sort();
    Ok(files)
}

/// Whether a package belongs to a compiler for the target. The libraries that watch memory and threads do not.
fn is_of_a_toolchain(target: Target, name: &str) -> bool {
    let cross = format!("-{}-cross", target.debian());
    ["libstd-rust", "libllvm", "qemu-user"].iter().any(|start| name.starts_with(start))
        || name.contains(target.tools())
        || (name.ends_with(&cross)
            && ["libc6", "libgcc", "linux-libc"].iter().any(|start| name.starts_with(start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_archive_says_is_read() {
        let said = "Package: gcc-aarch64-linux-gnu\nVersion: 4:12.2.0-3\n\
                    Depends: cpp-aarch64-linux-gnu (= 4:12.2.0-3), gcc-12-aarch64-linux-gnu (>= 12.2.0-1~), libc-dev | musl:any\n\n\
                    Package: other\nVersion: 1\n";
        let depends = ["cpp-aarch64-linux-gnu", "gcc-12-aarch64-linux-gnu", "libc-dev"].map(str::to_owned);
        let entry = Entry { version: "4:12.2.0-3".to_owned(), depends: depends.to_vec() };
        assert_eq!(Entry::parse(said), Some(entry));
        assert_eq!(Entry::parse("N: No packages found"), None);
        assert_eq!(Entry::parse("Version: 1").unwrap().depends, Vec::<String>::new());
    }

    #[test]
    fn versions_of_rust_are_compared_by_their_numbers() {
        assert!(Rust::parse("1.96.0+dfsg1-1~deb12u2") > Rust::parse("1.95"));
        assert!(Rust::parse("1.100.0") > Rust::parse("1.95.0"));
        assert!(Rust::parse("1.63.0+dfsg1-2") < Some(Rust::needed().unwrap()));
        assert_eq!(Rust::parse("nightly"), None);
    }

    #[test]
    fn a_download_is_known_by_its_version() {
        assert_eq!(file_start("gcc-aarch64-linux-gnu", "4:12.2.0-3"), "gcc-aarch64-linux-gnu_4%3a12.2.0-3");
        assert_eq!(file_start("libstd-rust-dev:arm64", "1.96.0~dfsg"), "libstd-rust-dev_1.96.0~dfsg");
    }

    #[test]
    fn only_what_compiles_is_taken_along() {
        for name in
            ["libllvm22", "binutils-aarch64-linux-gnu", "libgcc-12-dev-arm64-cross", "libstd-rust-web-1.96"]
        {
            assert!(is_of_a_toolchain(Target::Aarch64, name), "{name}");
        }
        for name in ["libc6", "libgcc-s1", "libasan8-arm64-cross", "binutils", "libc6-dev-armhf-cross"] {
            assert!(!is_of_a_toolchain(Target::Aarch64, name), "{name}");
        }
    }
}
