//! A Mosquitto of the test's own, on a free port.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tokio::sync::watch;

use super::world::within;

const MISSING: &str = "mosquitto and mosquitto_passwd are not installed: `cargo xtask test` installs them";

/// A running or stopped broker; killed when dropped.
pub(crate) struct Mosquitto {
    dir: PathBuf,
    /// Lines of its configuration about the listener.
    listener: String,
    pub(crate) port: u16,
    process: Option<Child>,
    /// All that was logged since the first start.
    log: watch::Sender<Vec<String>>,
}

impl Mosquitto {
    /// A broker in this directory that knows these names and passwords.
    pub(crate) async fn new(dir: &Path, users: &[(&str, &str)]) -> Self {
        Self::with(dir, users, String::new()).await
    }

    /// As that, with these lines of configuration about its listener.
    pub(crate) async fn with(dir: &Path, users: &[(&str, &str)], listener: String) -> Self {
        let passwords = dir.join("passwords");
        fs::write(&passwords, "").expect("a password file");
        for (name, password) in users {
            let status =
                Command::new("mosquitto_passwd").arg("-b").arg(&passwords).args([name, password]).status();
            let status = status.unwrap_or_else(|error| missing(&error));
            assert!(status.success(), "mosquitto_passwd: {status}");
        }
        let dir = dir.to_owned();
        let mut broker = Self { dir, listener, port: 0, process: None, log: watch::Sender::default() };
        broker.start().await;
        broker
    }

    /// Starts it, on the port it had before if it had one.
    pub(crate) async fn start(&mut self) {
        let fixed = self.port != 0;
        for _ in 0..10 {
            if !fixed {
                // Somebody else may take it before the broker does; then another is tried.
                let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
                self.port = free.local_addr().expect("its address").port();
            }
            if self.spawn().await {
                return;
            }
        }
        panic!("mosquitto does not start: {:?}", self.log.borrow());
    }

    /// Ends it at once, connections included.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("a running mosquitto");
            process.wait().expect("its end");
        }
    }

    /// Waits until its log holds a word so many times.
    pub(crate) async fn logged(&self, word: &str, times: usize) {
        let mut log = self.log.subscribe();
        let count = |lines: &Vec<String>| lines.iter().filter(|line| line.contains(word)).count();
        within(log.wait_for(|lines| count(lines) >= times)).await.expect("a broker that logs");
    }

    /// Whether it runs and listens, as it says in its log.
    async fn spawn(&mut self) -> bool {
        let config = self.dir.join("mosquitto.conf");
        let text = format!(
            "listener {} 127.0.0.1\n{}allow_anonymous false\npassword_file {}\nuser root\nlog_dest stderr\n\
             max_queued_messages 0\n",
            self.port,
            self.listener,
            self.dir.join("passwords").display()
        );
        fs::write(&config, text).expect("a configuration file");
        let mut process = Command::new("mosquitto")
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| missing(&error));
        let before = self.log.borrow().len();
        let (log, stderr) = (self.log.clone(), process.stderr.take().expect("its log"));
        std::thread::spawn(move || follow(stderr, &log));
        self.process = Some(process);
        let mut lines = self.log.subscribe();
        let settled =
            |line: &String| line.contains(" running") || line.contains("Error") || line.contains(ENDED);
        let lines = within(lines.wait_for(|lines| lines[before..].iter().any(settled))).await;
        let runs = lines.expect("a log")[before..].iter().any(|line| line.contains(" running"));
        if !runs {
            self.stop();
        }
        runs
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.stop();
    }
}

const ENDED: &str = "(the log ends)";

fn follow(stderr: impl Read, log: &watch::Sender<Vec<String>>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        log.send_modify(|lines| lines.push(line));
    }
    log.send_modify(|lines| lines.push(ENDED.to_owned()));
}

fn missing(error: &std::io::Error) -> ! {
    assert!(error.kind() != ErrorKind::NotFound, "{MISSING}");
    panic!("mosquitto cannot be started: {error}")
}
