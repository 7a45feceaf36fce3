//! The programs as an operator meets them: the first start, keys, the lock, the doctor, stopping.

mod away;

use anyhow::Context;
use serde_json::json;
use tokio::time::timeout;

use crate::mqtt::Wire;
use crate::world::{Engine, PATIENCE, Shop, World, batch, eventually, program};

#[tokio::test]
async fn one_data_directory_serves_once() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let second = async || {
        let mut command = program("promenade");
        command.arg("serve").arg("--data").arg(world.data());
        anyhow::Ok(command.args(["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"]).output().await?)
    };
    let output = second().await?;
    assert!(!output.status.success());
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(complaint.contains("another promenade is serving"), "{complaint}");
    world.kill().await?;
    world.restart().await.context("SIGKILL frees the lock")
}

/// Two servers on one database would count the same pings twice: the other does not start before the first has ended.
#[tokio::test]
async fn one_postgres_database_is_served_once() -> anyhow::Result<()> {
    let mut world = World::on(Engine::Postgres).await?;
    let elsewhere = tempfile::tempdir()?;
    let mut second = program("promenade");
    second.arg("serve").arg("--data").arg(elsewhere.path());
    second.args(["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"]);
    second.env("PROMENADE_DATABASE__URL", world.database_url());
    let output = timeout(PATIENCE, second.output()).await.context("it serves")??;
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(complaint.contains("another promenade is serving from this database"), "{complaint}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "it must not say that it listens");
    world.api().get("/venues").await?;

    world.stop().await?;
    // Whoever takes over needs what the keys in the database are sealed with.
    std::fs::copy(world.data().join("sealing.key"), elsewhere.path().join("sealing.key"))?;
    let mut second = world.start_beside(elsewhere.path()).await?;
    assert!(world.restart().await.is_err(), "now the first is one too many");
    second.kill().await?;
    world.restart().await.context("SIGKILL ends the claim")?;
    world.stop().await
}

#[tokio::test]
async fn keys_do_what_they_say_and_end() -> anyhow::Result<()> {
    let world = World::new().await?;
    let reader = world.make_token(&["--name", "reader", "--scope", "venues:read", "devices:read"]).await?;
    let api = world.api_as(&reader);
    api.get("/venues").await?;
    let answer =
        api.ask(reqwest::Method::POST, "/venues", Some(json!({"name": "x", "timezone": "UTC"}))).await?;
    assert_eq!(answer.status, 403, "{answer:?}");
    let answer = world.api_as("pk_nothing").ask(reqwest::Method::GET, "/venues", None).await?;
    assert_eq!(answer.status, 401, "{answer:?}");
    for nonsense in [
        &["--name", "x", "--scope", "everything"][..],
        &["--name", "x"],
        &["--name", "x", "--scope", "*", "--expires", "never"],
        &["--name", "x", "--scope", "*", "--organization", "01890000-0000-7000-8000-000000000000"],
    ] {
        assert!(world.make_token(nonsense).await.is_err(), "{nonsense:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_doctor_looks_at_a_served_directory_and_at_none() -> anyhow::Result<()> {
    let world = World::new().await?;
    let output = program("promenade").arg("doctor").arg("--data").arg(world.data()).output().await?;
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{report}");
    assert!(report.contains("a server is running") && report.contains("the database answers"), "{report}");
    let output =
        program("promenade").arg("doctor").arg("--data").arg(world.data().join("none")).output().await?;
    assert!(String::from_utf8_lossy(&output.stdout).contains("does not exist yet"));
    let config = world.data().join("bad.toml");
    std::fs::write(&config, "colour = \"red\"")?;
    let output = program("promenade").arg("doctor").arg("--config").arg(&config).output().await?;
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("colour"));
    Ok(())
}

/// What was acknowledged before SIGTERM is counted after it; a stop is a clean one.
#[tokio::test]
async fn stopping_keeps_everything() -> anyhow::Result<()> {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut world = World::on(engine).await?;
        let shop = Shop::open(&world).await?;
        let mut wire = Wire::signed_in(world.mqtt(), 5, &shop.gateway).await?;
        // Two visits' worth of pings that ended long ago.
        let start = store::Clock::System.now().minus(3 * 3_600_000);
        for minute in 0..10 {
            let times = (0..6).map(|ten| start.plus(minute * 60_000 + ten * 10_000));
            let body = batch(minute as u64, times).to_json();
            wire.send(&crate::mqtt::publish(5, shop.gateway.pings_topic(), Some(1), &body)).await?;
            let answer = wire.receive().await?.context("a PUBACK")?;
            assert_eq!((answer.head, answer.body.len()), (0x40, 2), "{answer:?}");
        }
        world.stop().await?;
        world.restart().await?;
        let path = format!(
            "/venues/{}/stays?from={}&to={}",
            shop.venue,
            rfc3339(start),
            rfc3339(start.plus(3_600_000))
        );
        let stay = eventually("the stay", async || {
            let stays = world.api().get(&path).await?;
            Ok(stays["items"].get(0).cloned())
        })
        .await?;
        assert_eq!(stay["zone"], json!(shop.interior.to_string()));
        world.stop().await?;
    }
    Ok(())
}

fn rfc3339(at: protocol::Timestamp) -> String {
    firmware_sim::rfc3339(at)
}
