//! The agent as a Raspberry Pi has it, emulated, beside the one of this machine: they hear the same people, and the
//! server counts the same.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use protocol::{Batch, Identifier, Ping, Timestamp};
use serde_json::Value;
use store::Clock;
use tokio::process::{Child, Command};

use crate::bluez::{Air, Sender};
use crate::mqtt::{Wire, publish};
use crate::world::{Gateway, PATIENCE, Shop, World, eventually_within, program};

/// Those who are near the antennas. The first five came three minutes ago, the others just now.
const PEOPLE: [&str; 8] = [
    "00:11:22:33:44:01",
    "00:11:22:33:44:02",
    "00:11:22:33:44:03",
    "00:11:22:33:44:04",
    "00:11:22:33:44:05",
    "00:11:22:33:44:06",
    "00:11:22:33:44:07",
    "00:11:22:33:44:08",
];
const CAME_BEFORE: usize = 5;

/// How often each is heard.
const TIMES: i16 = 25;

/// What the package brings as `/etc/promenade-agent/agent.toml`.
const SHIPPED: &str = include_str!("../../deploy/debian/agent.toml");

/// A shop, its agent and the adapter that this has for itself.
struct Place {
    shop: Shop,
    adapter: &'static str,
    agent: Child,
    log: PathBuf,
}

/// One shop has the agent of this machine, the other that of a Raspberry Pi. A minute passes until they are counted, as the
/// server waits so long for what is late.
#[tokio::test]
async fn an_emulated_agent_counts_the_same_people() -> anyhow::Result<()> {
    let emulated = std::env::var_os("PROMENADE_TEST_PI_AGENT").context(
        "this test needs the agent that `cargo xtask test` builds for a Raspberry Pi (PROMENADE_TEST_PI_AGENT)",
    )?;
    let (world, folder, air) = (World::new().await?, tempfile::tempdir()?, Air::start());
    let mut places = Vec::new();
    for (adapter, program) in [("hci0", program("promenade-agent")), ("hci1", Command::new(emulated))] {
        air.plug_in(adapter, true);
        let scans = air.scans();
        places.push(Place::open(&world, &air, folder.path(), adapter, program).await?);
        air.await_scan_after(scans);
    }
    for n in 0..TIMES {
        for address in PEOPLE {
            for place in &places {
                let sender = Sender { address: address.to_owned(), kind: "public", adapter: place.adapter };
                ensure!(air.advertise(&sender, None, -50 - n % 5), "nobody listens at {}", place.adapter);
            }
        }
    }
    let expected = Counted {
        visits: CAME_BEFORE as i64,
        uniques: CAME_BEFORE as i64,
        bounces: (PEOPLE.len() - CAME_BEFORE) as i64,
        passers_by: 0,
    };
    for place in &places {
        // The minute, the writing of rows, and as long as anything may take.
        let counted = eventually_within(PATIENCE * 2, "the visits", async || {
            let counted = Counted::read(&world, &place.shop).await?;
            Ok((counted.visits + counted.bounces == expected.visits + expected.bounces).then_some(counted))
        })
        .await;
        let counted = counted.with_context(|| place.said())?;
        assert_eq!(counted, expected, "by {}:\n{}", place.adapter, place.said());
    }
    for place in &mut places {
        place.agent.kill().await?;
    }
    Ok(())
}

impl Place {
    async fn open(
        world: &World,
        air: &Air,
        folder: &Path,
        adapter: &'static str,
        mut program: Command,
    ) -> anyhow::Result<Self> {
        let shop = Shop::open(world).await?;
        let door = Gateway::register(world, shop.venue, Some(shop.entrance)).await?;
        let before = seen_at_the_door(Clock::System.now().minus(180_000))?;
        let mut wire = Wire::signed_in(world.mqtt(), 5, &door).await?;
        wire.send(&publish(5, door.pings_topic(), Some(1), &before.to_json())).await?;
        wire.receive().await?.context("a PUBACK")?;

        let (config, log) = (folder.join(format!("{adapter}.toml")), folder.join(format!("{adapter}.log")));
        std::fs::write(&config, configured(&shop.gateway, adapter, folder)?)?;
        program
            .arg("--config")
            .arg(&config)
            .env("DBUS_SYSTEM_BUS_ADDRESS", air.address())
            .env("PROMENADE_AGENT_LINK_HOST", world.mqtt().ip().to_string())
            .env("PROMENADE_AGENT_LINK_PORT", world.mqtt().port().to_string())
            .env("PROMENADE_AGENT_LINK_TLS", "false")
            .env("PROMENADE_AGENT_SPOOL_DIR", folder.join(format!("{adapter}.spool")));
        let agent = program.stderr(File::create(&log)?).kill_on_drop(true).spawn().context("the agent")?;
        Ok(Self { shop, adapter, agent, log })
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// The shipped configuration, filled in as its comments say, for phones and an adapter.
fn configured(gateway: &Gateway, adapter: &str, folder: &Path) -> anyhow::Result<String> {
    let secret = folder.join(format!("{adapter}.secret"));
    std::fs::write(&secret, &gateway.secret)?;
    std::fs::set_permissions(&secret, Permissions::from_mode(0o600))?;
    let (before, after) = SHIPPED.split_once("# id = \"").context("an id to fill in")?;
    let (_, after) = after.split_once('"').context("an id to fill in")?;
    let before = before.replace("# [device]", "[device]");
    let shown = secret.display().to_string();
    let after = after.replace("# secret_file", "secret_file").replace("/etc/promenade-agent/secret", &shown);
    ensure!(after.trim_end().ends_with("kind = \"bluetooth\""), "the scanner is the last table");
    Ok(format!("{before}id = \"{}\"{after}adapter = \"{adapter}\"\nformats = [\"ble\"]\n", gateway.device))
}

/// Another receiver has heard those who came before.
fn seen_at_the_door(at: Timestamp) -> anyhow::Result<Batch> {
    let ping = |address: &&str| -> anyhow::Result<Ping> {
        let id: Identifier = format!("ble:{}", address.to_lowercase()).parse()?;
        Ok(Ping { id, rssi: -60, at, tx: None, max: None, n: None })
    };
    let pings = PEOPLE[..CAME_BEFORE].iter().map(ping).collect::<anyhow::Result<_>>()?;
    Ok(Batch { boot: "door".parse()?, seq: 0, first: None, sent: None, pings })
}

/// What the server counted in a shop, in three hours around now.
#[derive(Debug, PartialEq, Eq)]
struct Counted {
    visits: i64,
    uniques: i64,
    bounces: i64,
    passers_by: i64,
}

impl Counted {
    async fn read(world: &World, shop: &Shop) -> anyhow::Result<Self> {
        let hour = Clock::System.now().0 / 3_600_000;
        let [from, to] = [hour - 1, hour + 2].map(|hour| firmware_sim::rfc3339(Timestamp(hour * 3_600_000)));
        let path = format!("/venues/{}/footfall?from={from}&to={to}&bucket=hour", shop.venue);
        let footfall = world.api().get(&path).await?;
        let series = footfall["series"].as_array().context("a series")?;
        let sum = |name: &str| series.iter().filter_map(|bucket: &Value| bucket[name].as_i64()).sum();
        Ok(Self {
            visits: sum("visits"),
            uniques: sum("uniques"),
            bounces: sum("bounces"),
            passers_by: sum("passers_by"),
        })
    }
}
