//! Running the agent on a machine with another processor, through QEMU's emulation of one program.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::Target;
use super::toolchain::Toolchain;

/// As Debian calls it, before 13 and since.
const NAMES: [&str; 2] = ["qemu-aarch64-static", "qemu-aarch64"];

/// A program that runs this one here: itself where the processor is the same, else a script in the folder.
pub(super) fn runnable(
    toolchain: &Toolchain,
    target: Target,
    program: &Path,
    folder: &Path,
) -> Result<PathBuf> {
    if std::env::consts::ARCH == target.processor() {
        return Ok(program.to_owned());
    }
    let emulator = NAMES.iter().find_map(|name| toolchain.program(name));
    let Some(emulator) = emulator else {
        bail!("QEMU is missing, which runs programs for {}; on Debian: qemu-user-static", target.processor())
    };
    let libraries = toolchain.root().join("usr").join(target.tools());
    if !libraries.join("lib/libc.so.6").exists() {
        bail!("there is no C library for {} in {}", target.processor(), libraries.display());
    }
    let script = folder.join(format!("promenade-agent-{}", target.processor()));
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let text = format!(
        "#!/bin/sh\nexec {} -L {} {} \"$@\"\n",
        quoted(&emulator),
        quoted(&libraries),
        quoted(program)
    );
    fs::write(&script, text).with_context(|| format!("cannot write {}", script.display()))?;
    fs::set_permissions(&script, Permissions::from_mode(0o755))?;
    Ok(script)
}
