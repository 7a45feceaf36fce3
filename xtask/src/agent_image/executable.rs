//! What a program for Linux asks of the system that runs it, as `readelf` of binutils reads it.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::program;

/// The needs of a program.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Executable {
    /// The shared libraries that it names (`DT_NEEDED`).
    libraries: Vec<String>,
    /// The newest version of symbols of glibc that it uses: major, minor.
    glibc: (u32, u32),
}

impl Executable {
    /// Reads them from the file.
    pub(super) fn read(file: &Path, mut readelf: Command) -> Result<Self> {
        readelf.args(["--dynamic", "--version-info", "--wide"]).arg(file).env("LC_ALL", "C");
        Self::parse(&program::run_quietly(&mut readelf)?)
    }

    fn parse(said: &str) -> Result<Self> {
        let libraries: Vec<_> = said
            .lines()
            .filter(|line| line.contains("(NEEDED)"))
            .filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned()))
            .collect();
        let words = said.split_whitespace().filter_map(|word| word.strip_prefix("GLIBC_"));
        let versions = words.filter_map(|version| {
            // `2.2.5` is as old as `2.2`.
            let mut numbers = version.split('.').map(|number| number.parse().ok());
            Some((numbers.next()??, numbers.next()??))
        });
        let glibc = versions.max().unwrap_or_default();
        ensure!(!libraries.is_empty() && glibc > (0, 0), "this is no program for Linux with glibc");
        Ok(Self { libraries, glibc })
    }

    /// The packages of Debian that it needs, as `Depends` lists them (Debian Policy section 7.1).
    pub(super) fn depends(&self) -> Result<String> {
        let (major, minor) = self.glibc;
        let mut packages = vec![format!("libc6 (>= {major}.{minor})")];
        for library in &self.libraries {
            match library.as_str() {
                "libc.so.6"
                | "libm.so.6"
                | "libdl.so.2"
                | "libpthread.so.0"
                | "librt.so.1"
                | "ld-linux-aarch64.so.1" => {}
                "libgcc_s.so.1" => packages.push("libgcc-s1".to_owned()),
                other => bail!("the agent needs {other}, and nobody said which package has it"),
            }
        }
        Ok(packages.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "
 0x0000000000000001 (NEEDED)             Shared library: [libgcc_s.so.1]
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
  0x0020:   Name: GLIBC_2.9  Flags: none  Version: 6
  0x0030:   Name: GLIBC_2.34  Flags: none  Version: 5
  0x0040:   Name: GLIBC_2.2.5  Flags: none  Version: 4
  0x0050:   Name: GCC_3.0  Flags: none  Version: 3
";

    #[test]
    fn the_newest_symbol_says_which_glibc() {
        let needs = Executable::parse(SAID).unwrap();
        assert_eq!(needs.depends().unwrap(), "libc6 (>= 2.34), libgcc-s1");
    }

    #[test]
    fn an_unknown_library_is_named() {
        let said = SAID.replace("libgcc_s.so.1", "libdbus-1.so.3");
        let error = Executable::parse(&said).unwrap().depends().unwrap_err().to_string();
        assert!(error.contains("libdbus-1.so.3"), "{error}");
        assert!(Executable::parse("Linux").is_err());
    }
}
