//! What systemd is told (`sd_notify(3)`): that the agent works, still works, and stops.

use std::ffi::OsString;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// What may pass between the end of a wait and the next word, as an answer of the platform may take half a minute.
const ALLOWANCE: Duration = Duration::from_mins(2);

/// Tells the service manager, if there is one.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// The manager that the environment names, by `NOTIFY_SOCKET` and `WATCHDOG_USEC`; without it, nobody is told.
    pub fn from_variables(variables: impl Fn(&str) -> Option<OsString>) -> io::Result<Self> {
        let Some(name) = variables("NOTIFY_SOCKET") else { return Ok(Self::default()) };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address(&name)?)?;
        let text = |name| variables(name).and_then(|value| value.into_string().ok());
        // Another process of this service may be the one that is watched.
        let is_ours = text("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let period = text("WATCHDOG_USEC").and_then(|period| period.parse().ok()).filter(|_| is_ours);
        Ok(Self { socket: Some(socket), watchdog: period.map(Duration::from_micros) })
    }

    /// How often it must hear that the agent works: twice as often as it asks.
    pub fn interval(&self) -> Option<Duration> {
        self.watchdog.map(|period| period / 2)
    }

    /// The agent works.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The agent has not started yet, is not stuck either, and says so again after this long.
    pub fn starts_later(&self, wait: Duration) {
        self.tell(&format!("EXTEND_TIMEOUT_USEC={}", (wait + ALLOWANCE).as_micros()));
    }

    /// What it does, in a line.
    pub fn status(&self, line: &str) {
        self.tell(&format!("STATUS={line}"));
    }

    /// The agent still works.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// The agent was told to stop and does.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// A manager that does not listen is no reason to stop.
    fn tell(&self, word: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(word.as_bytes())
        {
            tracing::debug!(%error, word, "the service manager could not be told");
        }
    }
}

/// A path, or after `@` a name in the abstract namespace.
fn address(name: &OsString) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = name.as_encoded_bytes().strip_prefix(b"@") {
        return <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name);
    }
    SocketAddr::from_pathname(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(variables: &[(&str, &str)], manager: &UnixDatagram) -> (Option<Duration>, Vec<String>) {
        let get = |asked: &str| {
            variables.iter().find(|(name, _)| *name == asked).map(|(_, value)| OsString::from(value))
        };
        let notifier = Notifier::from_variables(get).unwrap();
        notifier.ready();
        notifier.alive();
        notifier.stopping();
        manager.set_nonblocking(true).unwrap();
        let mut buffer = [0; 64];
        let words = std::iter::from_fn(|| {
            let len = manager.recv(&mut buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..len]).into_owned())
        });
        (notifier.interval(), words.collect())
    }

    #[test]
    fn the_manager_hears_the_words_it_knows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let path = path.to_str().unwrap();
        let own = std::process::id().to_string();
        let all = ["READY=1", "WATCHDOG=1", "STOPPING=1"];
        let (interval, heard) = words(
            &[("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", &own)],
            &manager,
        );
        assert_eq!((interval, heard), (Some(Duration::from_secs(15)), all.map(String::from).to_vec()));
        let another = [("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "1")];
        assert_eq!(words(&another, &manager).0, None, "somebody else is watched");
        assert_eq!(words(&[], &manager), (None, vec![]));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_manager_may_have_an_abstract_name() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("promenade-agent-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let (_, heard) = words(&[("NOTIFY_SOCKET", &format!("@{name}"))], &manager);
        assert_eq!(heard.len(), 3);
    }
}
