//! Other programs: finding them, running them, and saying plainly what went wrong.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Server programs live here on Debian, and an ordinary user's search path leaves these folders out.
pub(crate) const SERVER_FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// The first program of that name on the search path or in a folder for servers.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(SERVER_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// Shows the command, runs it with our own output, and fails unless it exits with 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("   $ {}", shown(command));
    let status = command.status().with_context(|| format!("`{}` could not be started", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs the command silently; on failure the error holds what it said.
pub(crate) fn run_quietly(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("`{}` could not be started", shown(command)))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!(
            "`{}` failed ({}):\n{}",
            shown(command),
            output.status,
            String::from_utf8_lossy(&said).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// Whether this process may install packages and change users.
pub(crate) fn is_root() -> bool {
    run_quietly(Command::new("id").arg("-u")).is_ok_and(|id| id == "0")
}

/// The command as one would type it: without the folder of the program, and with `cargo` by its name.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    std::iter::once(name)
        .chain(command.get_args().map(|argument| argument.to_string_lossy().into_owned()))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("/opt/toolchain/bin/cargo");
        command.args(["fmt", "--all"]);
        assert_eq!(shown(&command), "cargo fmt --all");
    }

    #[test]
    fn a_failure_carries_what_the_program_said() {
        let error =
            run_quietly(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap_err();
        let message = error.to_string();
        assert!(message.ends_with("out\nerr"), "{message}");
        assert!(message.contains("exit status: 3"), "{message}");
    }

    #[test]
    fn programs_are_found_by_name() {
        assert!(find("sh").is_some());
        assert_eq!(find("a-program-that-nobody-has"), None);
    }
}
