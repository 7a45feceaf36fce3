//! The Debian package: files with their places and modes, what `dpkg` is told, and always the same bytes for the same commit.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::Target;
use super::commit::Commit;
use crate::program;

const NAME: &str = "promenade-agent";

/// Files of the checkout, where the package has them, and who may do what.
const FILES: [(&str, &str, u32); 6] = [
    ("deploy/debian/agent.toml", "etc/promenade-agent/agent.toml", 0o640),
    ("device-agent/systemd/promenade-agent.service", "lib/systemd/system/promenade-agent.service", 0o644),
    ("deploy/debian/configured.conf", "lib/systemd/system/promenade-agent.service.d/configured.conf", 0o644),
    ("deploy/debian/sysusers.conf", "usr/lib/sysusers.d/promenade-agent.conf", 0o644),
    ("deploy/debian/copyright", "usr/share/doc/promenade-agent/copyright", 0o644),
    ("device-agent/agent.example.toml", "usr/share/doc/promenade-agent/examples/agent.toml", 0o644),
];

/// What `dpkg` runs and reads.
const CONTROL: [(&str, u32); 4] =
    [("postinst", 0o755), ("prerm", 0o755), ("postrm", 0o755), ("conffiles", 0o644)];

/// What goes into the package.
pub(super) struct Package<'a> {
    /// The checkout.
    pub(super) root: &'a Path,
    pub(super) target: Target,
    pub(super) commit: &'a Commit,
    pub(super) program: &'a Path,
    /// The packages that the program needs.
    pub(super) depends: &'a str,
    /// The licences of what is linked into it.
    pub(super) notices: &'a str,
}

impl Package<'_> {
    /// Builds it in a folder, which has nothing else afterwards; answers its file.
    pub(super) fn build(&self, folder: &Path) -> Result<PathBuf> {
        if program::find("dpkg-deb").is_none() {
            bail!(
                "the program is in {}; the package needs dpkg-deb, Debian's package dpkg",
                self.program.display()
            );
        }
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        let tree = folder.join("tree");
        self.fill(&tree)?;
        let file = format!("{NAME}_{}_{}.deb", self.commit.version, self.target.debian());
        let file = folder.join(file);
        let mut dpkg = Command::new("dpkg-deb");
        // Times later than this become this one (dpkg-deb(1)), and all files were written just now.
        dpkg.env("SOURCE_DATE_EPOCH", &self.commit.epoch);
        program::run_quietly(dpkg.args(["--root-owner-group", "-Zxz", "--build"]).arg(&tree).arg(&file))?;
        fs::remove_dir_all(&tree)?;
        Ok(file)
    }

    fn fill(&self, tree: &Path) -> Result<()> {
        put(tree, "usr/bin/promenade-agent", &read(self.program)?, 0o755)?;
        for (from, to, mode) in FILES {
            put(tree, to, &read(&self.root.join(from))?, mode)?;
        }
        let manual = read(&self.root.join("deploy/debian/promenade-agent.8"))?;
        put_compressed(tree, "usr/share/man/man8/promenade-agent.8", &manual)?;
        put_compressed(tree, "usr/share/doc/promenade-agent/changelog", self.changelog().as_bytes())?;
        put_compressed(tree, "usr/share/doc/promenade-agent/notices", self.notices.as_bytes())?;
        // Only root and the agent may look at what is in it.
        fs::set_permissions(tree.join("etc/promenade-agent"), Permissions::from_mode(0o750))?;

        let (sums, bytes) = (sums(tree)?, size(tree)?);
        put(tree, "DEBIAN/md5sums", sums.as_bytes(), 0o644)?;
        put(tree, "DEBIAN/control", self.control(bytes)?.as_bytes(), 0o644)?;
        for (name, mode) in CONTROL {
            let from = self.root.join("deploy/debian").join(name);
            put(tree, &format!("DEBIAN/{name}"), &read(&from)?, mode)?;
        }
        Ok(())
    }

    /// The fields of the file in the checkout, and those that are known only now (Debian Policy section 5.3).
    fn control(&self, bytes: u64) -> Result<String> {
        let written = fs::read_to_string(self.root.join("deploy/debian/control"))?;
        let (version, processor) = (&self.commit.version, self.target.debian());
        let (depends, kib) = (self.depends, bytes.div_ceil(1024));
        let control = written.replace("Depends: ", &format!("Depends: {depends}, "));
        Ok(format!(
            "Package: {NAME}\nVersion: {version}\nArchitecture: {processor}\nInstalled-Size: {kib}\n{control}"
        ))
    }

    /// What changed is told by the project's own changelog; Debian's says what was built when (Debian Policy section 4.4).
    fn changelog(&self) -> String {
        let Commit { version, date, .. } = self.commit;
        format!(
            "{NAME} ({version}) stable; urgency=medium\n\n  * Built from the commit that the version ends with.\n\n \
             -- The Promenade contributors <promenade@localhost>  {date}\n"
        )
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file of the tree with these rights, whatever the rights of the checkout and of new files are.
fn put(tree: &Path, name: &str, bytes: &[u8], mode: u32) -> Result<()> {
    let path = tree.join(name);
    let mut folder = tree.to_owned();
    for part in Path::new(name).parent().into_iter().flatten() {
        folder.push(part);
        if !folder.exists() {
            fs::create_dir_all(&folder)?;
            fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        }
    }
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(fs::set_permissions(&path, Permissions::from_mode(mode))?)
}

/// The same, compressed without a name and a time in it (Debian Policy section 12.7).
fn put_compressed(tree: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    put(tree, name, bytes, 0o644)?;
    program::run_quietly(Command::new("gzip").arg("-9n").arg(tree.join(name)))?;
    Ok(())
}

/// `md5sums` of all files, in the order of their names (deb-md5sums(5)).
fn sums(tree: &Path) -> Result<String> {
    let files = files_of(tree)?;
    let names: Vec<_> = files.iter().filter_map(|file| file.strip_prefix(tree).ok()).collect();
    Ok(program::run_quietly(Command::new("md5sum").current_dir(tree).arg("--").args(names))? + "\n")
}

fn size(tree: &Path) -> Result<u64> {
    files_of(tree)?.iter().map(|file| Ok(fs::metadata(file)?.len())).sum()
}

/// All files below a folder, sorted.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests;
