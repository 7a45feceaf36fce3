//! The same exchange through different clients: every quality of service both ways, a large message, a retained one, a will,
//! a session that goes on and, in version 5, properties. A client prints a line for each step.

use anyhow::Context;
use tokio::process::Command;

use super::endpoint::Endpoint;
use crate::mqtt::LEVELS;
use crate::world::{Key, Transport, World};

/// What a client tells of the exchange in that version.
pub(super) fn expected(version: u8) -> String {
    let mut lines = vec![
        "granted 2",
        "sent with 0 arrived with 0",
        "sent with 1 arrived with 1",
        "sent with 2 arrived with 2",
        "large 100000",
        "retained kept 1",
        "will gone",
        "resumed, with 1, with 1, with 2",
    ];
    if version == 5 {
        lines.push("properties text/plain 7 ('b', '1') ('a', '2')");
    }
    lines.join("\n") + "\n"
}

/// Runs a script over every transport in both versions and compares what it tells.
async fn tells(name: &str, script: &str, interpreter: impl Fn() -> Command) -> anyhow::Result<()> {
    let world = World::secure(&[]).await?;
    let key = Key::free(&world).await?;
    for transport in Transport::ALL {
        for version in LEVELS {
            let broker = Endpoint::new(&world, transport, &key, version, name)?;
            let output = broker.run(&mut interpreter(), script).await?;
            let complaints = String::from_utf8_lossy(&output.stderr);
            let told = String::from_utf8_lossy(&output.stdout);
            assert_eq!(told, expected(version), "{}: {complaints}", broker.name);
            assert!(output.status.success(), "{}: {complaints}", broker.name);
        }
    }
    Ok(())
}

#[tokio::test]
async fn through_paho() -> anyhow::Result<()> {
    let python = super::python()?;
    tells("paho", "exchange_paho.py", || Command::new(&python)).await
}

#[tokio::test]
async fn through_aiomqtt() -> anyhow::Result<()> {
    let python = super::python()?;
    tells("aiomqtt", "exchange_aiomqtt.py", || Command::new(&python)).await
}

#[tokio::test]
async fn through_mqtt_js() -> anyhow::Result<()> {
    let modules = std::env::var("PROMENADE_TEST_NODE_PATH").context(
        "this test needs the folder of Node.js modules that `cargo xtask test` makes (PROMENADE_TEST_NODE_PATH)",
    )?;
    tells("js", "exchange_mqtt.js", || {
        let mut node = Command::new("node");
        node.env("NODE_PATH", &modules);
        node
    })
    .await
}
