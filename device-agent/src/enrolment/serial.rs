//! What a machine calls itself.

use std::fs;
use std::path::Path;

/// What the serial number of a machine without one is derived for (BLAKE3 specification, section 2.7).
const PURPOSE: &str = "promenade-agent 2026-11 serial number from machine-id";

/// Most characters of what the platform takes.
const MOST: usize = 100;

/// The serial number of the machine whose files are below this directory.
///
/// A Raspberry Pi has one in its device tree. Elsewhere it is made of the machine's id, which itself shall not be seen
/// outside: `machine-id(5)` asks to hash it with a key of the application.
pub(super) fn serial_number(root: &Path) -> Option<String> {
    device_tree(root, "serial-number").or_else(|| {
        let id = fs::read_to_string(root.join("etc/machine-id")).ok()?;
        let id = id.trim();
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let hash = blake3::derive_key(PURPOSE, id.as_bytes());
        is_id.then_some(format!("{:016x}", u64::from_be_bytes(*hash.first_chunk()?)))
    })
}

/// What the machine is sold as.
pub(super) fn model(root: &Path) -> Option<String> {
    device_tree(root, "model")
}

/// A text of the device tree, which ends with a zero (Devicetree Specification 0.4, section 2.2.4).
fn device_tree(root: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(root.join("proc/device-tree").join(name)).ok()?;
    let text: String = text.chars().filter(|character| !character.is_control()).take(MOST).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_called_by_its_own_number_and_never_by_its_id() {
        const ID: &str = "0123456789abcdef0123456789abcdef";
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert_eq!((serial_number(root), model(root)), (None, None));

        fs::create_dir_all(root.join("etc")).unwrap();
        fs::write(root.join("etc/machine-id"), "uninitialized\n").unwrap();
        assert_eq!(serial_number(root), None);
        fs::write(root.join("etc/machine-id"), format!("{ID}\n")).unwrap();
        let hashed = serial_number(root).unwrap();
        assert_eq!((hashed.len(), serial_number(root)), (16, Some(hashed.clone())), "the same each time");
        assert!(!ID.contains(&hashed) && !hashed.contains("0123456789"));

        fs::create_dir_all(root.join("proc/device-tree")).unwrap();
        fs::write(root.join("proc/device-tree/serial-number"), "10000000abcdef01\0").unwrap();
        fs::write(root.join("proc/device-tree/model"), "Raspberry Pi 4 Model B Rev 1.4\0").unwrap();
        assert_eq!(serial_number(root).unwrap(), "10000000abcdef01");
        assert_eq!(model(root).unwrap(), "Raspberry Pi 4 Model B Rev 1.4");
    }
}
