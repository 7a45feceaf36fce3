//! An hour of random air through everything that holds something of it: ear, pseudonyms, aggregator and spool.

use std::process::Command;

use protocol::Desired;
use serde_json::json;

use super::*;
use crate::aggregate::Aggregator;
use crate::config::{PrivacyConfig, SpoolConfig};
use crate::health::Machine;
use crate::privacy::Privacy;
use crate::spool::Spool;

/// How long the air is, in minutes, for the process that hears it.
const MINUTES: &str = "PROMENADE_TEST_AIR_MINUTES";
/// Advertisements a second: a crowded hall.
const PER_SECOND: u64 = 500;
/// Senders that are there at the same time.
const SENDERS: usize = 1_500;
/// What the memory may grow by after the first fifth, in MiB. It is told in whole ones.
const MOST_GROWTH_MB: u64 = 2;

/// Ten minutes, and the whole hour in the long run.
#[test]
fn an_hour_of_random_air_takes_no_more_memory_than_a_part_of_it() {
    let minutes = if std::env::var_os("PROMENADE_TEST_LONG").is_some() { "60" } else { "10" };
    let own = std::env::current_exe().expect("this program");
    let name = concat!(module_path!(), "::in_a_process_of_its_own");
    let name = name.split_once("::").expect("a crate and a module").1;
    let mut command = Command::new(own);
    command.args(["--exact", name, "--ignored", "--nocapture"]).env(MINUTES, minutes);
    let output = command.output().expect("this program again");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let fifths: Vec<u64> = text
        .lines()
        .filter_map(|line| line.split_once(" MiB after ")?.0.split_whitespace().last()?.parse().ok())
        .collect();
    println!("{minutes} minutes, resident MiB after each fifth: {fifths:?}");
    assert_eq!(fifths.len(), 5, "{text}");
    let most = fifths.iter().max().expect("five");
    assert!(*most <= fifths[0] + MOST_GROWTH_MB, "it grows: {fifths:?}");
}

#[test]
#[ignore = "the memory is that of a process, so the other test runs it in one of its own"]
fn in_a_process_of_its_own() {
    let minutes = std::env::var(MINUTES).ok().and_then(|minutes| minutes.parse().ok()).unwrap_or(10);
    let dir = tempfile::tempdir().unwrap();
    let spool =
        SpoolConfig { dir: dir.path().join("spool"), max_bytes: 4 * 1024 * 1024, segment_bytes: 256 * 1024 };
    let mut spool = Spool::open(&spool, 1).unwrap();
    let mut privacy = Privacy::open(PrivacyConfig::default(), dir.path()).unwrap();
    let wanted = json!({"key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "identifiers": "all"});
    let state = [("privacy".to_owned(), wanted)].into_iter().collect();
    privacy.desire(&Desired { version: 1, state, delta: None });
    let mut ear = ear(|config| config.formats = FORMATS.to_vec());
    let (mut aggregator, mut pings) = (Aggregator::new(), Vec::new());
    let mut air = RandomAir::new();
    for second in 0..minutes * 60 {
        for n in 0..PER_SECOND {
            let now = moment(second * 1_000 + n * 1_000 / PER_SECOND);
            for heard in air.advertise(&mut ear, now).heard {
                aggregator.push(privacy.hide(heard).expect("a key"), now.elapsed, &mut pings);
            }
            while pings.len() >= protocol::MAX_PINGS {
                let rest = pings.split_off(protocol::MAX_PINGS);
                spool.append(std::mem::replace(&mut pings, rest)).unwrap();
            }
        }
        if (second + 1) % (minutes * 12) == 0 {
            let mb = Machine::this(dir.path()).own_memory_mb().expect("a system that tells");
            println!("resident {mb} MiB after {} s", second + 1);
        }
    }
    // Nobody takes any of it, so the spool has to give up what it has no room for.
    assert!(spool.counters().given_up > 0 && spool.bytes() <= 4 * 1024 * 1024);
}

const FORMATS: [Format; 7] = [
    Format::Ibeacon,
    Format::EddystoneUid,
    Format::EddystoneUrl,
    Format::EddystoneTlm,
    Format::EddystoneEid,
    Format::Altbeacon,
    Format::Ble,
];

/// Senders of all kinds that go, and come back under another address.
struct RandomAir {
    addresses: Vec<Address>,
    rng: ChaCha8Rng,
}

impl RandomAir {
    fn new() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        Self { addresses: (0..SENDERS).map(|_| rng.random()).collect(), rng }
    }

    /// One of them advertises, one way or the other in which BlueZ tells it.
    fn advertise(&mut self, ear: &mut Ear, now: Moment) -> Catch {
        let mut catch = Catch::default();
        let sender = self.rng.random_range(0..SENDERS);
        // Whoever is heard has another address soon: what is kept of each must go.
        if self.rng.random_bool(0.3) {
            self.addresses[sender] = self.rng.random();
        }
        let (address, rssi) = (self.addresses[sender], self.rng.random_range(-100..-30));
        let frame = self.frame(sender);
        if ear.book().get(address).is_none() {
            let newcomer =
                Newcomer { random: self.rng.random(), rssi: Some(rssi), frames: std::iter::once(frame) };
            ear.meet(address, newcomer, now, &mut catch);
        } else {
            ear.level(address, rssi, now, &mut catch);
            ear.frames(address, std::iter::once(frame), now, &mut catch);
        }
        catch
    }

    /// What it sends: always in its format, mostly as another than before, and sometimes nonsense.
    fn frame(&mut self, sender: usize) -> Result<Frame, BeaconError> {
        let rng = &mut self.rng;
        match sender % 7 {
            0 => Ok(Frame::IBeacon(IBeacon {
                uuid: rng.random(),
                major: rng.random(),
                minor: rng.random(),
                power: rng.random(),
            })),
            1 => Ok(Frame::Uid(Uid { power: rng.random(), namespace: rng.random(), instance: rng.random() })),
            2 => Ok(Frame::Eid(Eid { power: rng.random(), eid: rng.random() })),
            3 => {
                let mut data = vec![0; rng.random_range(0..31)];
                rng.fill(&mut data[..]);
                Frame::from_service_data(0xfeaa, &data)
            }
            4 => Ok(tlm()),
            5 => Ok(Frame::Url(Url::new(-18, "https://example.com/").unwrap())),
            _ => Err(BeaconError::Unknown),
        }
    }
}
