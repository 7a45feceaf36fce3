//! Real programs are run as they are written down, and whatever they do, the answer comes and nothing is left running.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

use super::*;
use crate::appliance::Failure;
use crate::config::ApplianceConfig;

/// A kiosk whose programs write down what they were told, in a directory of its own.
struct Bench {
    dir: TempDir,
    clock: Clock,
}

impl Bench {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), clock: Clock::system() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A script of these lines as the words of a program.
    fn script(&self, name: &str, lines: &str) -> Value {
        fs::write(self.path(name), lines).unwrap();
        json!(["/bin/sh", self.path(name)])
    }

    /// A kiosk with these programs beside those that write down their arguments.
    fn kiosk(&self, changed: &[(&str, Value)], timeout_ms: u64) -> Programs {
        let told = self.path("told");
        let note = |words: &[&str]| {
            let script = format!("echo \"$@\" >> '{}'", told.display());
            let mut line = vec!["/bin/sh", "-c", &script, "note"];
            line.extend(words);
            json!(line)
        };
        let mut programs = json!({
            "on": note(&["on"]), "off": note(&["off"]), "brightness": note(&["brightness", "{percent}"]),
            "volume": note(&["volume", "0{percent}%"]), "mute": note(&["mute"]), "unmute": note(&["unmute"]),
            "show": note(&["show", "{item}", "--url={url}"]),
        });
        for (name, words) in changed {
            programs[name] = words.clone();
        }
        let config = json!({
            "kind": "programs", "type": "kiosk", "timeout_ms": timeout_ms, "programs": programs,
            "capabilities": {
                "on_off": {}, "brightness": {}, "volume": {"mute": true},
                "content": {"items": {"menu": {"name": "Menu"}, "sale": {"name": "Sale"}}},
            },
            "environment": {"GREETING": "hello"},
            "urls": {"menu": "https://menu.example/?a=1&b={item} c", "sale": "file:///srv/sale.html"},
        });
        let Ok(ApplianceConfig::Programs(config)) = serde_json::from_value(config) else {
            panic!("no configuration")
        };
        Programs::open(&config, self.dir.path()).unwrap()
    }

    fn told(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("told")).unwrap_or_default();
        fs::remove_file(self.path("told")).ok();
        text.lines().map(str::to_owned).collect()
    }

    /// What comes of a change, which is kept.
    async fn change(&self, kiosk: &mut Programs, patch: Map<String, Value>) -> Option<Failure> {
        let mut effect = kiosk.begin(&patch, &self.clock);
        if effect.due().is_none() {
            tokio::time::timeout(Duration::from_mins(1), effect.ended()).await.expect("an end");
        }
        let outcome = effect.into_outcome();
        kiosk.change(&outcome.changed).unwrap();
        outcome.failure
    }

    async fn order(&self, kiosk: &mut Programs, name: &str, args: Value) -> Option<Failure> {
        let order = Order::read(name, &args).unwrap().unwrap();
        let patch = kiosk.plan(&order).unwrap();
        self.change(kiosk, patch).await
    }
}

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn each_order_runs_its_program_with_its_words() {
    let bench = Bench::new();
    let mut kiosk = bench.kiosk(&[], 60_000);
    for (name, args, told) in [
        ("on_off.set", json!({"on": true}), vec!["on"]),
        ("on_off.set", json!({"on": false}), vec!["off"]),
        ("brightness.set", json!({"percent": 40}), vec!["brightness 40"]),
        ("brightness.adjust", json!({"by": 70}), vec!["brightness 100"]),
        ("volume.set", json!({"percent": 7}), vec!["volume 07%"]),
        ("volume.mute", json!({"muted": true}), vec!["mute"]),
        ("volume.adjust", json!({"by": 3}), vec!["unmute", "volume 010%"]),
        ("volume.mute", json!({"muted": false}), vec!["unmute"]),
        (
            "display.show",
            json!({"item": "menu"}),
            // What stands in an address is no shell's business, and no placeholder.
            vec!["show menu --url=https://menu.example/?a=1&b={item} c"],
        ),
    ] {
        assert_eq!(bench.order(&mut kiosk, name, args.clone()).await, None, "{name} {args}");
        let mut said = bench.told();
        said.sort();
        assert_eq!(said, told, "{name} {args}");
    }
    let state = json!({
        "on_off": {"on": false}, "brightness": {"percent": 100}, "volume": {"percent": 10, "muted": false},
        "content": {"item": "menu"},
    });
    assert_eq!(kiosk.state(), &object(state.clone()));
    drop(kiosk);
    assert_eq!(bench.kiosk(&[], 60_000).state(), &object(state), "it is remembered");
}

#[test]
fn nothing_builds_on_what_is_not_known() {
    let bench = Bench::new();
    let kiosk = bench.kiosk(&[], 60_000);
    assert_eq!(kiosk.state(), &Map::new());
    for (name, args) in [
        ("brightness.adjust", json!({"by": 1})),
        ("volume.adjust", json!({"by": 1})),
        ("volume.mute", json!({"muted": true})),
    ] {
        let order = Order::read(name, &args).unwrap().unwrap();
        assert_eq!(kiosk.plan(&order), Err(CommandReason::NotSupported), "{name}");
    }
    let order = Order::read("display.show", &json!({"item": "cats"})).unwrap().unwrap();
    assert_eq!(kiosk.plan(&order), Err(CommandReason::OutOfRange));
}

#[tokio::test]
async fn of_a_desired_state_what_differs_is_done_and_what_fails_ends_it() {
    let bench = Bench::new();
    let mut kiosk = bench.kiosk(&[("on", json!(["/bin/sh", "-c", "exit 3"]))], 60_000);
    bench.order(&mut kiosk, "brightness.set", json!({"percent": 40})).await;
    bench.told();
    let desired = object(json!({
        "brightness": {"percent": 40}, "content": {"item": "sale"}, "on_off": {"on": true}, "volume": {"percent": 9},
    }));
    let wanted = kiosk.wanted(&desired);
    let failure = bench.change(&mut kiosk, wanted).await.unwrap();
    assert_eq!(failure.reason, CommandReason::DeviceError);
    assert_eq!(bench.told(), ["show sale --url=file:///srv/sale.html"], "in the order of their names");
    let state = json!({"brightness": {"percent": 40}, "content": {"item": "sale"}});
    assert_eq!(kiosk.state(), &object(state), "what was done is so");
}

#[tokio::test]
async fn what_a_program_says_when_it_fails_is_told_and_cut() {
    let bench = Bench::new();
    let noisy = "head -c 1000000 /dev/zero | tr '\\0' x\nprintf '\\n\\033[1mno\\tscreen' >&2\nexit 4\n";
    let noisy = bench.script("noisy", noisy);
    let silent = json!(["/bin/false"]);
    let missing = json!(["/nonexistent/program"]);
    let mut kiosk = bench.kiosk(&[("on", noisy), ("off", silent), ("brightness", missing)], 60_000);
    for (name, args, words, most) in [
        ("on_off.set", json!({"on": true}), "[1mno screen", 500),
        ("on_off.set", json!({"on": false}), "false ended with exit status: 1: it says nothing", 60),
        ("brightness.set", json!({"percent": 1}), "program cannot be run: No such file or directory", 80),
    ] {
        let failure = bench.order(&mut kiosk, name, args).await.unwrap();
        let detail = failure.detail.unwrap();
        assert_eq!(failure.reason, CommandReason::DeviceError);
        assert!(detail.contains(words) && detail.len() <= most, "{detail}");
    }
    assert_eq!(kiosk.state(), &Map::new());
}

#[tokio::test]
async fn a_program_gets_no_input_and_no_environment_but_its_own() {
    let bench = Bench::new();
    let out = bench.path("environment");
    let look = format!("env > '{0}'\npwd >> '{0}'\ncat >> '{0}'\n", out.display());
    let mut kiosk = bench.kiosk(&[("on", bench.script("look", &look))], 60_000);
    assert_eq!(bench.order(&mut kiosk, "on_off.set", json!({"on": true})).await, None);
    let text = fs::read_to_string(out).unwrap();
    let names: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    // What a shell adds of its own.
    let foreign: Vec<_> = names
        .into_iter()
        .filter(|name| !["PATH", "GREETING", "PWD", "SHLVL", "_", "OLDPWD"].contains(name))
        .collect();
    assert_eq!(foreign, Vec::<&str>::new(), "{text}");
    assert!(text.contains("GREETING=hello") && text.ends_with("\n/\n"), "{text}");
}

/// Whether the process whose number stands in the file is gone before long.
async fn is_gone(path: PathBuf) -> bool {
    let pid = fs::read_to_string(path).unwrap().trim().parse().ok().and_then(Pid::from_raw).unwrap();
    let gone = async {
        // Whoever is killed is there until its parent, or that of orphans, has seen it.
        while test_kill_process(pid) != Err(Errno::SRCH) && !is_zombie(pid) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), gone).await.is_ok()
}

fn is_zombie(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

#[tokio::test]
async fn what_takes_too_long_is_killed_with_all_that_it_began() {
    let bench = Bench::new();
    let (shell, child) = (bench.path("shell"), bench.path("child"));
    let long =
        format!("sleep 3600 &\necho $! > '{}'\necho $$ > '{}'\nwait\n", child.display(), shell.display());
    let mut kiosk = bench.kiosk(&[("on", bench.script("long", &long))], 1_000);
    let failure = bench.order(&mut kiosk, "on_off.set", json!({"on": true})).await.unwrap();
    assert_eq!(failure.reason, CommandReason::TimedOut);
    assert_eq!(failure.detail.as_deref(), Some("sh did not end within 1000 ms"));
    assert!(is_gone(shell).await && is_gone(child).await);
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_killed() {
    let bench = Bench::new();
    let (begun, child) = (bench.path("begun"), bench.path("child"));
    // Moved there, so that it is never seen half written.
    let long =
        format!("sleep 3600 &\necho $! > '{0}'\nmv '{0}' '{1}'\nwait\n", begun.display(), child.display());
    let kiosk = bench.kiosk(&[("on", bench.script("long", &long))], 3_600_000);
    let effect = kiosk.begin(&object(json!({"on_off": {"on": true}})), &bench.clock);
    while !child.exists() {
        tokio::task::yield_now().await;
    }
    drop(effect);
    assert!(is_gone(child).await);
}

#[tokio::test]
async fn what_a_program_leaves_behind_on_purpose_stays_and_keeps_nobody_waiting() {
    let bench = Bench::new();
    let child = bench.path("child");
    let leaving = format!("sleep 3600 &\necho $! > '{}'\nexit 1\n", child.display());
    let mut kiosk = bench.kiosk(&[("on", bench.script("leaving", &leaving))], 600_000);
    let failure = bench.order(&mut kiosk, "on_off.set", json!({"on": true})).await.unwrap();
    assert!(failure.detail.unwrap().starts_with("sh ended with exit status: 1"));
    let pid = fs::read_to_string(child).unwrap().trim().parse().ok().and_then(Pid::from_raw).unwrap();
    assert_eq!(test_kill_process(pid), Ok(()));
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
