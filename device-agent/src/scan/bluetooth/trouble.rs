//! What is wrong with Bluetooth, in words for whoever stands before the device.

/// Words that BlueZ, D-Bus or the system use, and what to do about it.
const CAUSES: &[(&str, &str)] = &[
    ("Failed to connect to socket", "no D-Bus system bus is reachable: is `dbus` installed and running?"),
    ("ServiceUnknown", "BlueZ does not run: install `bluez`, then `systemctl enable --now bluetooth`"),
    ("NameHasNoOwner", "BlueZ does not run: install `bluez`, then `systemctl enable --now bluetooth`"),
    ("not activatable", "BlueZ does not run: install `bluez`, then `systemctl enable --now bluetooth`"),
    ("AccessDenied", "this user may not use BlueZ: add it to the group `bluetooth`"),
    ("NotPermitted", "this user may not use BlueZ: add it to the group `bluetooth`"),
    ("Blocked", "the adapter is switched off by rfkill: `rfkill unblock bluetooth`"),
    ("NotReady", "the adapter is powered off and does not go on: `bluetoothctl power on`"),
    ("UnknownObject", "the adapter is not there any more: is it plugged in?"),
    ("InProgress", "the adapter is busy with something else"),
    ("NoReply", "BlueZ does not answer: `systemctl restart bluetooth`"),
    ("TimedOut", "BlueZ does not answer: `systemctl restart bluetooth`"),
    ("Timeout", "BlueZ does not answer: `systemctl restart bluetooth`"),
];

/// What a failure means, if it is one of the usual ones.
pub(super) fn explain(error: &btleplug::Error) -> Option<&'static str> {
    // The names of D-Bus errors are in the debug form only.
    explain_words(&format!("{error:?}"))
}

/// What a failure means in which such words are.
pub(crate) fn explain_words(text: &str) -> Option<&'static str> {
    CAUSES.iter().find(|(word, _)| text.contains(word)).map(|&(_, sentence)| sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> btleplug::Error {
        btleplug::Error::RuntimeError(text.into())
    }

    #[test]
    fn usual_failures_are_explained() {
        let explained = |text| explain(&error(text)).unwrap_or("");
        assert!(explained("D-Bus error: … (org.freedesktop.DBus.Error.ServiceUnknown)").contains("bluez"));
        assert!(
            explained("D-Bus error: Blocked through rfkill (org.bluez.Error.Blocked)").contains("rfkill")
        );
        assert_eq!(explain(&error("something else")), None);
    }
}
