//! The exchange through `mosquitto_pub` and `mosquitto_sub`.

use std::process::Stdio;

use anyhow::{Context, ensure};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::endpoint::Endpoint;
use crate::mqtt::LEVELS;
use crate::world::{Certificate, Key, PATIENCE, Shop, Transport, World};

/// A running `mosquitto_sub`; it ends with this value.
struct Subscriber {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Endpoint {
    /// `mosquitto_pub` or `mosquitto_sub`, told where the broker is.
    fn mosquitto(&self, program: &str) -> Command {
        // Line by line, though nobody's terminal is at the other end.
        let mut command = Command::new("stdbuf");
        command.args(["-oL", program]);
        let version = if self.version == 5 { "mqttv5" } else { "mqttv311" };
        command.args(["-V", version, "-h", &self.host, "-p", &self.port.to_string()]).kill_on_drop(true);
        if !self.user.is_empty() {
            command.args(["-u", &self.user, "-P", &self.password]);
        }
        if let Some(authority) = &self.authority {
            command.arg("--cafile").arg(authority);
        }
        command
    }

    async fn publish(&self, leaf: &str, payload: &str, qos: &str, more: &[&str]) -> anyhow::Result<()> {
        let mut command = self.mosquitto("mosquitto_pub");
        command.args(["-t", &self.topic(leaf), "-m", payload, "-q", qos]).args(more);
        let output = command.output().await.context("mosquitto_pub")?;
        ensure!(output.status.success(), "QoS {qos} to {leaf}: {output:?}");
        Ok(())
    }

    /// A `mosquitto_sub` that is subscribed when this returns.
    async fn subscribe(&self, leaf: &str, qos: &str, more: &[&str]) -> anyhow::Result<Subscriber> {
        let mut subscriber = self.listen(leaf, qos, more)?;
        let granted = subscriber.line("Subscribed (mid: 1): ").await?;
        ensure!(granted == qos, "granted {granted} and not {qos}");
        Ok(subscriber)
    }

    /// A `mosquitto_sub` that is only started.
    fn listen(&self, leaf: &str, qos: &str, more: &[&str]) -> anyhow::Result<Subscriber> {
        let mut command = self.mosquitto("mosquitto_sub");
        command.args(["-d", "-F", "heard %q %r %p", "-t", &self.topic(leaf), "-q", qos]).args(more);
        let mut child = command.stdout(Stdio::piped()).spawn().context("mosquitto_sub")?;
        let lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        Ok(Subscriber { child, lines })
    }
}

impl Subscriber {
    /// The next message: QoS, whether it is retained, and the payload.
    async fn heard(&mut self) -> anyhow::Result<String> {
        self.line("heard ").await
    }

    /// What follows on the next line that begins so.
    async fn line(&mut self, beginning: &str) -> anyhow::Result<String> {
        let find = async {
            while let Some(line) = self.lines.next_line().await? {
                if let Some(rest) = line.strip_prefix(beginning) {
                    return Ok(rest.to_owned());
                }
            }
            anyhow::bail!("it ended before it said `{beginning}`")
        };
        timeout(PATIENCE, find).await.with_context(|| format!("it never says `{beginning}`"))?
    }

    /// Ends it without a word to the broker.
    async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

#[tokio::test]
async fn messages_retained_messages_and_wills() -> anyhow::Result<()> {
    let world = World::secure(&[]).await?;
    let key = Key::free(&world).await?;
    let versions = LEVELS.map(|version| [Transport::Tcp, Transport::Tls].map(|over| (over, version)));
    for (transport, version) in versions.into_iter().flatten() {
        let broker = Endpoint::new(&world, transport, &key, version, "mosquitto")?;
        let mut live = broker.subscribe("live", "2", &[]).await?;
        for qos in ["0", "1", "2"] {
            broker.publish("live", "x", qos, &[]).await?;
            assert_eq!(live.heard().await?, format!("{qos} 0 x"), "version {version}");
        }
        broker.publish("retained", "kept", "2", &["-r"]).await?;
        assert_eq!(broker.subscribe("retained", "1", &[]).await?.heard().await?, "1 1 kept");

        let mut heir = broker.subscribe("will", "2", &[]).await?;
        let (topic, will) = (broker.topic("will"), ["--will-payload", "gone", "--will-qos", "2"]);
        let mortal = broker.subscribe("other", "0", &[&["--will-topic", &topic][..], &will].concat()).await?;
        mortal.kill().await?;
        assert_eq!(heir.heard().await?, "2 0 gone", "version {version}");
    }
    Ok(())
}

#[tokio::test]
async fn sessions_that_go_on() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    for version in LEVELS {
        let broker = Endpoint::new(&world, Transport::Tcp, &key, version, "mosquitto")?;
        let id = format!("{}-sleeper", broker.name);
        let mut session = vec!["-c", "-i", &id];
        if version == 5 {
            session.extend(["-x", "3600"]);
        }
        broker.subscribe("queued", "2", &session).await?.kill().await?;
        for (qos, payload) in [("1", "one"), ("2", "two"), ("1", "three")] {
            broker.publish("queued", payload, qos, &[]).await?;
        }
        let mut sleeper = broker.listen("other", "0", &session)?;
        let mut heard = [sleeper.heard().await?, sleeper.heard().await?, sleeper.heard().await?];
        heard.sort_unstable();
        assert_eq!(heard, ["1 0 one", "1 0 three", "2 0 two"], "version {version}");
    }
    Ok(())
}

#[tokio::test]
async fn properties_of_version_5() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    let broker = Endpoint::new(&world, Transport::Tcp, &key, 5, "mosquitto")?;
    let mut subscriber = broker.subscribe("live", "2", &["-F", "heard %C %D %P %R %p"]).await?;
    let answer = broker.topic("answer");
    let properties = [
        &["-D", "publish", "content-type", "text/plain"][..],
        &["-D", "publish", "correlation-data", "7"],
        &["-D", "publish", "user-property", "b", "1"],
        &["-D", "publish", "user-property", "a", "2"],
        &["-D", "publish", "response-topic", &answer],
    ];
    broker.publish("live", "x", "2", &properties.concat()).await?;
    assert_eq!(subscriber.heard().await?, format!("text/plain 7 b:1 a:2 {answer} x"));
    Ok(())
}

/// A device whose certificate is its whole sign-in.
#[tokio::test]
async fn a_certificate_is_enough() -> anyhow::Result<()> {
    let world = World::secure(&[]).await?;
    let shop = Shop::open(&world).await?;
    let nothing = Key { id: protocol::KeyId::from_uuid(shop.venue.as_uuid()), secret: String::new() };
    let own = Certificate::issue(&world, shop.gateway.device).await?;
    let (certificate, key) = (world.data().join("device.pem"), world.data().join("device.key"));
    std::fs::write(&certificate, &own.pem)?;
    std::fs::write(&key, &own.key)?;
    let shown = ["--cert", &certificate.to_string_lossy(), "--key", &key.to_string_lossy()];
    for (seq, version) in (0..).zip(LEVELS) {
        let mut broker = Endpoint::new(&world, Transport::Tls, &nothing, version, "mosquitto")?;
        broker.user.clear();
        broker.prefix = format!("v1/{}/", shop.gateway.device);
        broker.publish("pings", &super::body(seq), "1", &shown).await?;
        // Without it nobody is there.
        let refused = broker.publish("pings", &super::body(seq), "1", &[]).await;
        assert!(refused.is_err(), "version {version}");
    }
    world.metric_reaches("promenade_batches_total", 2.0).await
}
