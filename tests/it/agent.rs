//! The device agent and the server together: what the agent heard arrives once, whatever happens to either.

use std::fmt::Write as _;

use anyhow::Context;

use crate::world::{Shop, World, eventually, program};

/// The agent is killed, the server is killed; in the end every ping of the recording is stored once.
#[tokio::test]
async fn everything_the_agent_heard_arrives_once() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let folder = tempfile::tempdir()?;
    let recording = folder.path().join("heard.csv");
    // Twenty tags, each heard once a second for four minutes; the last one only moves time on.
    let mut lines = String::new();
    let start = store::Clock::System.now().0 - 600_000;
    for second in 0..240 {
        for tag in 0..20 {
            writeln!(lines, "{},ble:00:11:22:33:44:{tag:02x},-60", start + second * 1000 + tag)?;
        }
    }
    std::fs::write(&recording, lines)?;
    let config = folder.path().join("agent.toml");
    std::fs::write(&config, agent_config(&world, &shop, folder.path(), &recording))?;
    let start_agent = || program("promenade-agent").arg("--config").arg(&config).spawn();
    let mut agent = start_agent().context("promenade-agent")?;
    world.metric_reaches("promenade_pings_total", 200.0).await?;
    agent.kill().await?;
    world.kill().await?;
    world.restart().await?;
    let mut agent = start_agent()?;
    let path = format!(
        "/venues/{}/stays?from={}&to={}",
        shop.venue,
        firmware_sim::rfc3339(protocol::Timestamp(start)),
        firmware_sim::rfc3339(protocol::Timestamp(start + 200_000))
    );
    eventually("twenty stays of two minutes", async || {
        let stays = world.api().get(&path).await?;
        let items = stays["items"].as_array().context("items")?;
        let whole = items.iter().filter(|stay| is_whole(stay, start).unwrap_or(false)).count();
        Ok((whole == 20 && items.len() == 20).then_some(()))
    })
    .await?;
    agent.kill().await?;
    Ok(())
}

fn is_whole(stay: &serde_json::Value, start: i64) -> Option<bool> {
    let time = |name: &str| {
        stay[name].as_str()?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
    };
    Some(time("from")? < start + 1000 && time("to")? >= start + 119_000)
}

fn agent_config(world: &World, shop: &Shop, folder: &std::path::Path, recording: &std::path::Path) -> String {
    format!(
        "[device]\nid = \"{}\"\nsecret = \"{}\"\n\
         [link]\nhost = \"{}\"\nport = {}\nbackoff_min_ms = 50\nbackoff_max_ms = 500\nreceipt_deadline_ms = 2000\n\
         [scanner]\nkind = \"replay\"\nfile = \"{}\"\nspeed = 30.0\n\
         [batches]\ninterval_ms = 100\n\
         [spool]\ndir = \"{}\"\n",
        shop.gateway.device,
        shop.gateway.secret,
        world.mqtt().ip(),
        world.mqtt().port(),
        recording.display(),
        folder.join("spool").display(),
    )
}
