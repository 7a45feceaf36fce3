//! Control messages, end to end: programs that drive a kiosk, and what every agent can be told of itself. The latter with
//! the real program, which ends and is begun anew.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};

use device_agent::config::{ScannerConfig, SimulatedConfig};
use device_agent::{Clock, Config};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};

use super::world::{DEVICE, SECRET, World, within};

/// Has programs drive the device: `on` waits for a file before it ends, `off` fails.
fn kiosk(world: &World, config: &mut Config) {
    let (shown, pid, gate) = (world.path("shown"), world.path("pid"), world.path("gate"));
    let show = format!("echo \"$@\" > '{0}.new' && mv '{0}.new' '{0}'", shown.display());
    let on = format!(
        "echo $$ > '{0}.new' && mv '{0}.new' '{0}'; until [ -e '{1}' ]; do sleep 0.02; done",
        pid.display(),
        gate.display()
    );
    let appliance = json!({
        "kind": "programs", "type": "kiosk", "timeout_ms": 60_000,
        "capabilities": {"on_off": {}, "content": {"items": {"menu": {"name": "Menu"}}}},
        "urls": {"menu": "https://menu.example/"},
        "programs": {
            "on": ["/bin/sh", "-c", on], "off": ["/bin/sh", "-c", "echo no screen; exit 3"],
            "show": ["/bin/sh", "-c", show, "show", "{item}", "{url}"],
        },
    });
    config.appliance = Some(serde_json::from_value(appliance).expect("an appliance"));
    config.scanner = ScannerConfig::Simulated(SimulatedConfig { seed: 1, identifiers: 1, per_second: 1.0 });
}

#[tokio::test]
async fn programs_drive_a_kiosk_beside_everything_else() {
    let world = World::start().await;
    let mut orders = world.orders().await;
    let agent = world.agent(|config| kiosk(&world, config));
    assert_eq!(orders.reported().await.get("content"), None, "nothing is known of a new one");
    let id = orders.command(1, "display.show", json!({"item": "menu"})).await;
    let done = orders.until(id, "done").await;
    assert_eq!(done["reported"], json!({"content": {"item": "menu"}}));
    assert_eq!(fs::read_to_string(world.path("shown")).expect("a page"), "menu https://menu.example/\n");
    let id = orders.command(2, "on_off.set", json!({"on": false})).await;
    let failed = orders.until(id, "failed").await;
    assert_eq!(failed["reason"], "device_error");
    assert_eq!(failed["detail"], "sh ended with exit status: 3: no screen");
    let id = orders.command(3, "volume.set", json!({"percent": 3})).await;
    assert_eq!(orders.until(id, "refused").await["reason"], "not_supported");

    // While a program runs, everything else goes on.
    let first = orders.command(4, "on_off.set", json!({"on": true})).await;
    orders.until(first, "running").await;
    let second = orders.command(5, "identify", json!({})).await;
    orders.until(second, "accepted").await;
    fs::write(world.path("gate"), "").expect("a gate");
    let (ended, done) = orders.answer().await;
    assert_eq!((ended, &done["status"]), (first, &json!("done")));
    assert_eq!(done["reported"], json!({"on_off": {"on": true}}));
    orders.until(second, "done").await;

    fs::remove_file(world.path("shown")).expect("a page");
    orders.desire(1, json!({"content": {"item": "menu"}, "on_off": {"on": true}})).await;
    orders.desire(2, json!({"content": {"item": "film"}})).await;
    let third = orders.command(6, "identify", json!({})).await;
    orders.until(third, "done").await;
    assert!(!world.path("shown").exists(), "it is so already, and nothing else can be shown");
    assert_eq!(agent.stop().await.commands.done, 4);
}

#[tokio::test]
async fn a_power_cut_ends_a_program_and_its_command() {
    let world = World::start().await;
    let mut orders = world.orders().await;
    let agent = world.agent(|config| kiosk(&world, config));
    orders.reported().await;
    let id = orders.command(1, "on_off.set", json!({"on": true})).await;
    orders.until(id, "running").await;
    let pid = world.path("pid");
    within(async {
        while !pid.exists() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let pid = fs::read_to_string(pid).expect("a number").trim().parse().ok().and_then(Pid::from_raw);
    let pid = pid.expect("a process");
    assert!(!is_gone(pid));
    agent.cut_power().await;
    within(async {
        while !is_gone(pid) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let agent = world.agent(|config| kiosk(&world, config));
    assert_eq!(orders.reported().await.get("on_off"), None);
    assert_eq!(orders.until(id, "failed").await["reason"], "interrupted");
    agent.stop().await;
}

/// Whether the process is no more; whoever is killed is there until its parent, or that of orphans, has seen it.
fn is_gone(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    let is_zombie = stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'));
    is_zombie || test_kill_process(pid) == Err(Errno::SRCH)
}

#[tokio::test]
async fn how_often_is_told_can_be_set_while_it_hears() {
    let world = World::start().await;
    let (mut orders, mut platform) = (world.orders().await, world.platform().await);
    let agent = world.agent(|config| {
        config.scanner =
            ScannerConfig::Simulated(SimulatedConfig { seed: 1, identifiers: 2, per_second: 20.0 });
    });
    let unset = json!({"formats": null, "prefixes": null, "min_rssi": null, "interval_ms": 3_600_000});
    assert_eq!(orders.reported().await["scan"], unset);
    let id = orders.command(1, "scan.set", json!({"interval_ms": 10})).await;
    let done = orders.until(id, "done").await;
    assert_eq!(done["reported"]["scan"]["interval_ms"], 10);
    platform.take(2).await;
    orders.desire(1, json!({"scan": {"interval_ms": 15}})).await;
    assert_eq!(orders.reported().await["scan"]["interval_ms"], 15);
    let id = orders.command(2, "scan.set", json!({"min_rssi": -80})).await;
    assert_eq!(orders.until(id, "refused").await["reason"], "not_supported");
    agent.stop().await;
}

/// The real program, and the lines of its log.
struct Program {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Program {
    fn start(world: &World) -> Self {
        let config = world.path("agent.toml");
        let text = format!(
            "[device]\nid = \"{DEVICE}\"\nsecret = \"{SECRET}\"\n\
             [link]\nhost = \"127.0.0.1\"\nport = {}\nbackoff_min_ms = 1\nbackoff_max_ms = 20\n\
             [scanner]\nkind = \"simulated\"\n[status]\nlisten = \"127.0.0.1:0\"\n[spool]\ndir = \"{}\"\n",
            world.broker.port,
            world.path("spool").display()
        );
        fs::write(&config, text).expect("a configuration");
        let mut child = Command::new(env!("CARGO_BIN_EXE_promenade-agent"))
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promenade-agent");
        let log = BufReader::new(child.stderr.take().expect("its log"));
        Self { child, log }
    }

    /// Where its status page is, as its log says.
    fn page(&mut self) -> SocketAddr {
        let mut line = String::new();
        while self.log.read_line(&mut line).expect("a line") > 0 {
            if let Some((_, address)) = line.trim_end().split_once("the status page is served address=") {
                return address.parse().expect("an address");
            }
            line.clear();
        }
        panic!("it ended without a page")
    }

    /// Waits for it to end by itself.
    fn end(mut self) -> bool {
        let mut rest = Vec::new();
        self.log.read_to_end(&mut rest).expect("the rest of its log");
        self.child.wait().expect("its end").success()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the page says, as JSON.
fn status(page: SocketAddr) -> Value {
    let mut stream = TcpStream::connect(page).expect("a page");
    write!(stream, "GET /status.json HTTP/1.1\r\nHost: {page}\r\n\r\n").expect("a question");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    serde_json::from_str(body).expect("JSON")
}

#[tokio::test]
async fn the_program_begins_anew_when_it_is_told_to_and_says_what_it_did() {
    let world = World::start().await;
    let mut orders = world.orders().await;
    let began = Clock::system().now();
    let mut program = Program::start(&world);
    orders.reported().await;
    let page = program.page();
    let restart = orders.command(1, "agent.restart", json!({})).await;
    orders.until(restart, "running").await;
    assert!(tokio::task::spawn_blocking(|| program.end()).await.expect("no panic"), "it ends well");
    assert!(TcpStream::connect(page).is_err());

    let mut program = Program::start(&world);
    let page = program.page();
    orders.until(restart, "done").await;
    assert_eq!(orders.command(1, "agent.restart", json!({})).await, restart);
    orders.until(restart, "done").await;
    let range = json!({"from": began, "to": began.plus(3_600_000), "contains": "the agent works"});
    let logs = orders.command(2, "logs.get", range).await;
    let logs = orders.until(logs, "done").await["result"].clone();
    assert_eq!(logs["lines"][0]["target"], "device_agent::agent");
    assert_eq!(
        (logs["lines"].as_array().map(Vec::len), &logs["truncated"]),
        (Some(1), &json!(false)),
        "{logs}"
    );

    let told = status(page);
    assert_eq!((&told["device"], &told["link"]["connected"]), (&json!(DEVICE), &json!(true)));
    let commands = told["commands"].as_array().expect("commands");
    assert_eq!(commands.len(), 2, "{told}");
    assert_eq!(commands[1], json!({"command": restart, "name": null, "status": "done", "reason": null}));
    assert!(!told.to_string().contains(SECRET));
    let all = json!({"from": began, "to": began.plus(3_600_000)});
    let logs = orders.command(3, "logs.get", all).await;
    let logs = orders.until(logs, "done").await;
    assert!(!logs.to_string().contains(SECRET));
}

#[tokio::test]
async fn the_page_shows_who_is_heard_under_the_names_that_are_reported() {
    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    let world = World::start().await;
    let mut orders = world.orders().await;
    let mut program = Program::start(&world);
    orders.reported().await;
    let page = program.page();
    let are_all = |told: &Value, wanted: bool| {
        let heard = told["heard"].as_array().expect("senders");
        let ids = heard.iter().map(|sighting| sighting["id"].as_str().expect("an id"));
        heard.len() == 20 && ids.into_iter().all(|id| (id.len() == 26 && id.starts_with("app:")) == wanted)
    };
    let until = |wanted: bool| async move {
        within(async {
            while !are_all(&status(page), wanted) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    };
    until(false).await;
    orders.desire(1, json!({"privacy": {"key": KEY}})).await;
    until(true).await;
    assert!(!status(page).to_string().contains(KEY));
}
