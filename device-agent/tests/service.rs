//! The real program under a service manager of the test's own.

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The next words of the program, which must come before long.
fn next(manager: &UnixDatagram) -> String {
    let mut buffer = [0; 64];
    let len = manager.recv(&mut buffer).expect("a word within a minute");
    String::from_utf8_lossy(&buffer[..len]).into_owned()
}

#[test]
fn the_service_manager_hears_that_it_works_still_works_and_stops() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let socket = dir.path().join("notify");
    let manager = UnixDatagram::bind(&socket).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_mins(1))).expect("a timeout");
    let config = dir.path().join("agent.toml");
    let text = format!(
        "[device]\nid = \"019c5a8e-7d3f-7c4a-9b21-5f3e8d2a6c10\"\nsecret = \"dk_devicesecret\"\n\
         [link]\nhost = \"localhost\"\nport = 1\n[scanner]\nkind = \"simulated\"\n[spool]\ndir = \"{}\"\n",
        dir.path().join("spool").display()
    );
    std::fs::write(&config, text).expect("a configuration");
    let mut agent = Command::new(env!("CARGO_BIN_EXE_promenade-agent"))
        .arg("--config")
        .arg(&config)
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "100000")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("promenade-agent");
    assert_eq!(next(&manager), "READY=1");
    for _ in 0..3 {
        assert_eq!(next(&manager), "WATCHDOG=1", "with no platform either");
    }
    let pid = rustix::process::Pid::from_child(&agent);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a running agent");
    while next(&manager) != "STOPPING=1" {}
    assert!(agent.wait().expect("its end").success());
}
