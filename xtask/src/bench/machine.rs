//! The machine under the programs: whether it is calm, who listens on a port, when a process has settled.

use std::fs;
use std::net::ToSocketAddrs as _;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::bench::process::resident_kb;

/// How long a look at the machine takes.
const LOOK: Duration = Duration::from_secs(1);
/// Calm is when less of one core than this is busy.
const CALM: f64 = 0.1;
/// A run is disturbed when others took so many cores meanwhile.
const DISTURBED: f64 = 0.15;
/// How often a run is taken at the most to have one that was not disturbed.
const ATTEMPTS: usize = 4;
/// Memory has settled when it changed by less than this in a second, kB.
const SETTLED_KB: f64 = 50.0;
/// Memory that still changes after so long is read as it is.
const PATIENCE: Duration = Duration::from_secs(20);

/// A run that nobody disturbed, if calm is wanted and can be had; `elsewhere` tells the cores that others took meanwhile.
pub(super) fn in_calm<S>(
    calm: Duration,
    elsewhere: impl Fn(&S) -> Option<f64>,
    mut run: impl FnMut() -> Result<S>,
) -> Result<S> {
    for _ in 1..ATTEMPTS {
        wait_until_calm(calm);
        let sample = run()?;
        if calm.is_zero() || elsewhere(&sample).is_none_or(|cores| cores < DISTURBED) {
            return Ok(sample);
        }
    }
    wait_until_calm(calm);
    run()
}

/// Waits at most so long until nothing else runs; with no time to wait, does not look.
pub(super) fn wait_until_calm(at_most: Duration) {
    let since = Instant::now();
    while since.elapsed() < at_most {
        let Some(before) = busy() else { return };
        pause();
        let Some(now) = busy() else { return };
        if now.saturating_sub(before).as_secs_f64() < CALM * LOOK.as_secs_f64() {
            return;
        }
    }
}

/// Resident memory of a process, kB, once it changes no more.
pub(super) fn settled_kb(process: u32) -> Result<f64> {
    let (since, mut before) = (Instant::now(), resident_kb(process)?);
    loop {
        pause();
        let now = resident_kb(process)?;
        if (now - before).abs() < SETTLED_KB || since.elapsed() > PATIENCE {
            return Ok(now);
        }
        before = now;
    }
}

/// The process that listens at `HOST:PORT`, if the host is this machine and its processes may be looked at.
pub(super) fn listener(address: &str) -> Option<u32> {
    let address = address.to_socket_addrs().ok()?.next().filter(|address| address.ip().is_loopback())?;
    let sockets = ["/proc/net/tcp", "/proc/net/tcp6"].iter().filter_map(|file| fs::read_to_string(file).ok());
    let socket = sockets.flat_map(|table| listening(&table, address.port())).next()?;
    let link = format!("socket:[{socket}]");
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let id: u32 = process.file_name().to_str()?.parse().ok()?;
        let mut files = fs::read_dir(process.path().join("fd")).ok()?.flatten();
        files
            .any(|file| fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == link.as_str()))
            .then_some(id)
    })
}

/// `proc_net_tcp(5)`: after the head, field 1 is the local address, field 3 the state (10 is listening) and field 9 the
/// inode of each socket.
fn listening(table: &str, port: u16) -> Vec<u64> {
    let socket = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(local, 16) == Ok(port) && *fields.get(3)? == "0A";
        is_it.then(|| fields.get(9)?.parse().ok())?
    };
    table.lines().skip(1).filter_map(socket).collect()
}

/// Processor time that all programs took since the machine started. `proc_stat(5)`: ticks of all processors but for idle and
/// iowait, which are the fields 4 and 5.
pub(super) fn busy() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
    let ticks = fields.enumerate().filter(|(index, _)| !matches!(index, 3 | 4));
    let ticks = ticks.map(|(_, field)| field.parse::<u64>().ok()).sum::<Option<u64>>()?;
    // A hundred ticks are a second of one core.
    Some(Duration::from_millis(ticks * 10))
}

#[expect(
    clippy::disallowed_methods,
    reason = "what a machine or a process does is seen by watching it for a while"
)]
fn pause() {
    std::thread::sleep(LOOK);
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn who_listens_is_found() {
        let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = socket.local_addr().unwrap().to_string();
        assert_eq!(listener(&address), Some(std::process::id()));
        drop(socket);
        assert_eq!(listener(&address), None);
    }

    #[test]
    fn only_sockets_that_listen_are_found_in_the_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                     0: 0100007F:075B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1\n\
                     1: 0100007F:075B 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 4243 1\n";
        assert_eq!((listening(table, 0x075b), listening(table, 0x075c)), (vec![4242], vec![]));
    }
}
