//! Commands go their way once, and are answered at each step.

mod once;
mod own;
mod refusals;
mod signed;
mod twin;

use std::path::PathBuf;

use protocol::command::MAX_DETAIL;
use protocol::{AckStatus, Command, CommandReason, Timestamp};
use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;
use crate::config::{ApplianceConfig, CommandsConfig, SimulatedApplianceConfig};

const DEVICE: &str = "019c5a8e-7d3f-7c4a-9b21-5f3e8d2a6c10";
const NOW: Timestamp = Timestamp(1_790_000_000_000);
const DELAY: Duration = Duration::from_millis(200);

/// A device on a directory and a clock of its own.
pub(super) struct Bench {
    dir: TempDir,
    pub(super) manual: ManualClock,
    pub(super) clock: Clock,
    pub(super) config: CommandsConfig,
    pub(super) appliance: Option<ApplianceConfig>,
    /// The kind of its scanner.
    pub(super) scanner: &'static str,
    pub(super) log: Log,
}

impl Bench {
    pub(super) fn new() -> Self {
        let manual = ManualClock::new(NOW);
        let appliance = json!({"type": "light", "capabilities": {"on_off": {}, "brightness": {}}});
        let clock = Clock::Manual(manual.clone());
        Self {
            dir: tempfile::tempdir().expect("a temporary directory"),
            scanner: "simulated",
            log: Log::new(clock.clone()),
            clock,
            manual,
            config: CommandsConfig::default(),
            appliance: Some(serde_json::from_value(appliance).expect("an appliance")),
        }
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.dir.path().join("commands")
    }

    /// The device as it starts, connected.
    pub(super) fn start(&self) -> Commands {
        let mut commands =
            Commands::open(DEVICE.parse().expect("an id"), &self.configured(), self.log.clone(), &self.clock)
                .expect("a device");
        commands.joined();
        commands
    }

    /// The configuration of the device.
    pub(super) fn configured(&self) -> Config {
        let text = format!(
            "[device]\nid = \"{DEVICE}\"\nsecret = \"dk_devicesecret\"\n[scanner]\nkind = \"{}\"\n",
            self.scanner
        );
        let config = Config::parse(&text, []).expect("a configuration");
        let commands = CommandsConfig { dir: Some(self.dir()), ..self.config.clone() };
        Config { commands, appliance: self.appliance.clone(), ..config }
    }

    /// The thing that it drives, which is made up.
    pub(super) fn simulated(&mut self) -> &mut SimulatedApplianceConfig {
        match &mut self.appliance {
            Some(ApplianceConfig::Simulated(simulated)) => simulated,
            other => panic!("{other:?}"),
        }
    }

    /// Lets time pass and the device work.
    pub(super) fn pass(&self, commands: &mut Commands, time: Duration) {
        self.manual.advance(time);
        commands.work(&self.clock);
    }
}

pub(super) fn id(number: u64) -> CommandId {
    format!("01999999-0000-7000-8000-{number:012x}").parse().expect("an id")
}

/// The body of a command that is sent now.
pub(super) fn body(name: &str, args: &Value, ttl_ms: Option<i64>) -> Vec<u8> {
    let command = Command {
        name: name.into(),
        args: args.clone(),
        deadline: ttl_ms.map(|ttl| NOW.plus(ttl)),
        now: NOW,
        signed: None,
    };
    serde_json::to_vec(&command).expect("a command")
}

fn on() -> Vec<u8> {
    body("on_off.set", &json!({"on": true}), Some(60_000))
}

/// Everything that is to be told, as it would be written.
pub(super) fn told(commands: &mut Commands) -> Vec<Value> {
    let mut told = Vec::new();
    while let Some(message) = commands.next_message() {
        told.push(match &message {
            Message::Ack(id, ack) => json!([id, ack]),
            Message::Reported(patch) => json!(patch),
        });
        commands.handed_over();
    }
    told
}

fn whole(on: bool, percent: u8) -> Value {
    json!({
        "brightness": {"percent": percent}, "on_off": {"on": on}, "commands": {"signed_only": false},
        "scan": {"formats": null, "prefixes": null, "min_rssi": null, "interval_ms": 2000},
        "firmware": {"name": "promenade-agent", "version": env!("CARGO_PKG_VERSION")},
    })
}

#[test]
fn a_command_is_accepted_run_and_done() {
    let bench = Bench::new();
    let mut device = bench.start();
    assert_eq!(told(&mut device), [whole(false, 50)]);
    device.take(id(1), &on(), &bench.clock);
    assert_eq!(told(&mut device), [json!([id(1), {"status": "accepted"}])]);
    assert_eq!(device.work(&bench.clock), Some(DELAY));
    assert_eq!(told(&mut device), [json!([id(1), {"status": "running"}])]);
    assert_eq!(device.abilities.driver.state()["on_off"], json!({"on": false}));
    bench.pass(&mut device, Duration::from_millis(199));
    assert_eq!(told(&mut device), Vec::<Value>::new());
    bench.pass(&mut device, Duration::from_millis(1));
    let done = json!([id(1), {"status": "done", "reported": {"on_off": {"on": true}}}]);
    assert_eq!(told(&mut device), std::slice::from_ref(&done));
    // The same again is answered and not run; the answer says what is so now.
    device.take(id(1), &on(), &bench.clock);
    assert_eq!(told(&mut device), [done]);
    assert_eq!(device.work(&bench.clock), None);
    assert_eq!(device.counters(), Counters { accepted: 1, repeated: 1, done: 1, ..Counters::default() });
}

#[test]
fn identify_is_known_to_every_device() {
    let bench = Bench { appliance: None, ..Bench::new() };
    let mut device = bench.start();
    told(&mut device);
    device.take(id(1), &body("identify", &json!({}), None), &bench.clock);
    device.work(&bench.clock);
    assert_eq!(told(&mut device), [json!([id(1), {"status": "done"}])]);
}

#[test]
fn one_thing_is_done_at_a_time_and_in_order() {
    let bench = Bench::new();
    let mut device = bench.start();
    told(&mut device);
    for (number, percent) in [(3, 10), (1, 20), (2, 30)] {
        let args = json!({"percent": percent});
        device.take(id(number), &body("brightness.set", &args, None), &bench.clock);
    }
    assert_eq!(told(&mut device).len(), 3);
    device.work(&bench.clock);
    for (number, percent) in [(3, 10), (1, 20), (2, 30)] {
        assert_eq!(told(&mut device).last(), Some(&json!([id(number), {"status": "running"}])));
        bench.pass(&mut device, DELAY);
        assert_eq!(device.abilities.driver.state()["brightness"], json!({"percent": percent}));
    }
}

#[test]
fn answers_are_kept_until_they_are_acknowledged() {
    let bench = Bench::new();
    let mut device = bench.start();
    device.take(id(1), &on(), &bench.clock);
    device.take(id(2), &body("reboot", &json!({}), None), &bench.clock);
    told(&mut device);
    device.acknowledged(Receipt { command: id(1), status: AckStatus::Accepted });
    device.parted();
    device.work(&bench.clock);
    bench.pass(&mut device, DELAY);
    assert_eq!(told(&mut device), Vec::<Value>::new(), "nobody is there");
    device.joined();
    let done = json!([id(1), {"status": "done", "reported": {"on_off": {"on": true}}}]);
    let refused = json!([id(2), {"status": "refused", "reason": "unknown_command"}]);
    assert_eq!(told(&mut device), [whole(true, 50), done, refused.clone()]);
    // An acknowledgement of what was said before acknowledges nothing.
    device.acknowledged(Receipt { command: id(2), status: AckStatus::Accepted });
    device.acknowledged(Receipt { command: id(1), status: AckStatus::Done });
    drop(device);
    let mut device = bench.start();
    assert_eq!(told(&mut device), [whole(true, 50), refused]);
    device.acknowledged(Receipt { command: id(2), status: AckStatus::Refused });
    drop(device);
    assert_eq!(told(&mut bench.start()), [whole(true, 50)]);
}

#[test]
fn an_answer_that_is_sent_late_says_what_is_so_now() {
    let bench = Bench::new();
    let mut device = bench.start();
    device.take(id(1), &on(), &bench.clock);
    device.work(&bench.clock);
    bench.pass(&mut device, DELAY);
    device.take(id(2), &body("on_off.set", &json!({"on": false}), None), &bench.clock);
    device.work(&bench.clock);
    bench.pass(&mut device, DELAY);
    device.parted();
    device.joined();
    let off = json!({"status": "done", "reported": {"on_off": {"on": false}}});
    assert_eq!(told(&mut device), [whole(false, 50), json!([id(1), off]), json!([id(2), off])]);
}

#[test]
fn after_a_restart_what_was_not_begun_is_run_and_what_was_is_not() {
    let bench = Bench::new();
    let mut device = bench.start();
    for (number, ttl) in [(1, 60_000), (2, 60_000), (3, 1_000)] {
        let args = json!({"percent": number});
        device.take(id(number), &body("brightness.set", &args, Some(ttl)), &bench.clock);
    }
    device.work(&bench.clock);
    assert_eq!(device.running(), Some(id(1)));
    drop(device);
    bench.manual.advance(Duration::from_secs(2));
    let mut device = bench.start();
    let interrupted = json!([id(1), {"status": "failed", "reason": "interrupted"}]);
    let accepted = |number| json!([id(number), {"status": "accepted"}]);
    assert_eq!(told(&mut device), [whole(false, 50), interrupted.clone(), accepted(2), accepted(3)]);
    device.work(&bench.clock);
    assert_eq!(device.running(), Some(id(2)));
    bench.pass(&mut device, DELAY);
    let late = json!([id(3), {"status": "refused", "reason": "deadline_passed"}]);
    assert_eq!(told(&mut device).last(), Some(&late));
    device.take(id(1), &body("brightness.set", &json!({"percent": 1}), Some(60_000)), &bench.clock);
    assert_eq!(told(&mut device), [interrupted]);
    assert_eq!(device.abilities.driver.state()["brightness"], json!({"percent": 2}));
}

#[test]
fn what_fails_is_told_and_changes_nothing() {
    let mut bench = Bench::new();
    bench.simulated().failure_rate = 1.0;
    let mut device = bench.start();
    told(&mut device);
    device.take(id(1), &on(), &bench.clock);
    device.work(&bench.clock);
    bench.pass(&mut device, DELAY);
    assert_eq!(told(&mut device), [json!([id(1), {"status": "failed", "reason": "device_error"}])]);
    assert_eq!(device.abilities.driver.state()["on_off"], json!({"on": false}));
}

#[test]
fn a_full_disk_delays_and_neither_loses_nor_doubles() {
    let bench = Bench::new();
    let mut device = bench.start();
    told(&mut device);
    // What cannot be noted is not taken, and not answered.
    device.journal.fail(10, 2);
    device.take(id(1), &on(), &bench.clock);
    assert_eq!(told(&mut device), Vec::<Value>::new());
    bench.pass(&mut device, REST);
    device.take(id(1), &on(), &bench.clock);
    assert_eq!(told(&mut device).len(), 1);
    // What cannot be noted is not begun.
    device.journal.fail(10, 2);
    assert_eq!(device.work(&bench.clock), Some(bench.clock.elapsed() + REST));
    assert_eq!(device.running(), None);
    bench.pass(&mut device, REST);
    assert_eq!(device.running(), Some(id(1)));
    told(&mut device);
    // How it ended is told once it is noted.
    device.journal.fail(10, 2);
    bench.pass(&mut device, DELAY);
    assert_eq!(told(&mut device), Vec::<Value>::new());
    bench.pass(&mut device, REST);
    assert_eq!(told(&mut device).len(), 1);
    assert_eq!(device.counters().done, 1);
}
