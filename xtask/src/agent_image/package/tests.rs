//! Packages are built of whatever bytes: their content is looked at with `dpkg-deb`, as whoever installs one would.

use std::process::Command;

use super::*;
use crate::workspace::Workspace;

/// A package around a program that says nothing, and the folder it is in.
fn built(folder: &Path) -> PathBuf {
    let program = folder.join("program");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    let commit = Commit {
        epoch: "1795841225".to_owned(),
        date: "Sat, 28 Nov 2026 04:47:05 +0000".to_owned(),
        version: "0.1.0+git20261128044705.89ac5f912345".to_owned(),
    };
    let workspace = Workspace::here();
    let package = Package {
        root: workspace.root(),
        target: Target::Aarch64,
        commit: &commit,
        program: &program,
        depends: "libc6 (>= 2.34)",
        notices: "Everything is permitted.",
    };
    package.build(&folder.join("package")).unwrap()
}

fn ask(arguments: &[&str], file: &Path) -> String {
    program::run_quietly(Command::new("dpkg-deb").args(arguments).arg(file)).unwrap()
}

#[test]
fn the_same_commit_gives_the_same_bytes() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, other) = (built(one.path()), built(other.path()));
    assert_eq!(one.file_name(), other.file_name());
    assert!(fs::read(one).unwrap() == fs::read(other).unwrap());
}

#[test]
fn everything_is_in_its_place_with_its_rights() {
    let folder = tempfile::tempdir().unwrap();
    let listed = ask(&["--contents"], &built(folder.path()));
    let rights = |end: &str| {
        let line =
            listed.lines().find(|line| line.ends_with(end)).unwrap_or_else(|| panic!("{end} in {listed}"));
        line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(rights(" ./usr/bin/promenade-agent"), "-rwxr-xr-x root/root");
    assert_eq!(rights(" ./etc/promenade-agent/"), "drwxr-x--- root/root");
    assert_eq!(rights(" ./etc/promenade-agent/agent.toml"), "-rw-r----- root/root");
    assert_eq!(rights(" ./lib/systemd/system/promenade-agent.service"), "-rw-r--r-- root/root");
    assert_eq!(rights(" ./usr/share/doc/promenade-agent/changelog.gz"), "-rw-r--r-- root/root");
    assert_eq!(rights(" ./usr/share/"), "drwxr-xr-x root/root");
    assert_eq!(listed.matches("2026-11-28").count(), listed.lines().count(), "{listed}");
}

#[test]
fn dpkg_is_told_what_it_needs_and_what_people_may_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = built(folder.path());
    let field = |name: &str| ask(&["--show", &format!("--showformat=${{{name}}}")], &file);
    assert_eq!(field("Architecture"), "arm64");
    assert!(field("Depends").starts_with("libc6 (>= 2.34), "), "{}", field("Depends"));
    assert!(field("Recommends").contains("bluez"));
    assert_eq!(ask(&["--info"], &file).matches("conffiles").count(), 1);
    let told = tempfile::tempdir().unwrap();
    program::run_quietly(Command::new("dpkg-deb").arg("--control").arg(&file).arg(told.path())).unwrap();
    assert_eq!(
        fs::read_to_string(told.path().join("conffiles")).unwrap(),
        "/etc/promenade-agent/agent.toml\n"
    );
    for script in ["postinst", "prerm", "postrm"] {
        program::run_quietly(Command::new("sh").arg("-n").arg(told.path().join(script))).unwrap();
    }
    let tree = tempfile::tempdir().unwrap();
    program::run_quietly(Command::new("dpkg-deb").arg("--extract").arg(&file).arg(tree.path())).unwrap();
    let sums = Command::new("md5sum")
        .current_dir(tree.path())
        .arg("--check")
        .arg(told.path().join("md5sums"))
        .output();
    assert!(sums.unwrap().status.success());
}
