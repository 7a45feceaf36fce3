//! Peers that stop half way, on every port and at every step.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::time::timeout;

use crate::mqtt::{Client, Connect, Socket, TLS_VERSIONS, Wire, web};
use crate::world::{Key, PATIENCE, Transport, World};

/// The first bytes of a TLS hello that is longer (RFC 8446 section 5.1).
const HALF_A_HELLO: [u8; 9] = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC];
/// A CONNECT that stops in its first word.
const HALF_A_CONNECT: [u8; 5] = [0x10, 20, 0, 4, b'M'];

/// How far a peer gets before it falls silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    AtOnce,
    InTheHello,
    InTheRequest,
    InTheConnect,
}

/// Every port with every step at which its peers can stop.
fn stops() -> impl Iterator<Item = (Transport, Stop)> {
    let all = [Stop::AtOnce, Stop::InTheHello, Stop::InTheRequest, Stop::InTheConnect];
    Transport::ALL.into_iter().flat_map(move |transport| all.map(|stop| (transport, stop))).filter(
        |(transport, stop)| match stop {
            Stop::AtOnce | Stop::InTheConnect => true,
            Stop::InTheHello => transport.is_secure(),
            Stop::InTheRequest => transport.is_web(),
        },
    )
}

/// A connection that says nothing more.
enum Silent {
    Bare(Socket),
    Open(Wire),
}

impl Silent {
    async fn open(world: &World, transport: Transport, stop: Stop) -> anyhow::Result<Self> {
        if stop == Stop::InTheConnect {
            let mut wire = Wire::over(world, transport, None).await?;
            // Over WebSocket the frame is whole, and what is in it is not.
            wire.send(&HALF_A_CONNECT).await?;
            return Ok(Self::Open(wire));
        }
        let server = world.address(transport)?;
        let mut socket = if stop == Stop::InTheRequest && transport.is_secure() {
            Socket::secure(server, &TLS_VERSIONS, &world.authority(), None).await?
        } else {
            Socket::plain(server).await?
        };
        match stop {
            Stop::InTheHello => socket.write_all(&HALF_A_HELLO).await?,
            Stop::InTheRequest => {
                let request = web::request("/mqtt", Some("mqtt"));
                socket.write_all(&request.as_bytes()[..request.len() / 2]).await?;
            }
            Stop::AtOnce | Stop::InTheConnect => {}
        }
        Ok(Self::Bare(socket))
    }

    /// Waits until the server has closed; it must not say anything before.
    async fn closed(self) -> anyhow::Result<()> {
        match self {
            Self::Bare(mut socket) => {
                let answered =
                    timeout(PATIENCE, socket.read_exact(&mut [0])).await.context("never closed")?;
                ensure!(answered.is_err(), "it is answered");
            }
            Self::Open(mut wire) => ensure!(wire.receive().await?.is_none(), "it is answered"),
        }
        Ok(())
    }
}

#[tokio::test]
async fn whoever_stops_half_way_is_closed_and_counted() -> anyhow::Result<()> {
    let world = World::secure(&[("PROMENADE_MQTT__CONNECT_TIMEOUT_S", "1")]).await?;
    let mut silent = Vec::new();
    for (transport, stop) in stops() {
        silent.push((transport, stop, Instant::now(), Silent::open(&world, transport, stop).await?));
    }
    let count = silent.len();
    assert_eq!(count, 12);
    for (transport, stop, since, peer) in silent {
        peer.closed().await.with_context(|| format!("{stop:?} over {transport}"))?;
        assert!(
            since.elapsed() >= Duration::from_millis(950),
            "{stop:?} over {transport}: {:?}",
            since.elapsed()
        );
    }
    let counted = r#"promenade_refusals_total{cause="connect_timeout"}"#;
    world.metric_reaches(counted, count as f64).await?;
    for other in ["tls_handshake", "websocket_handshake", "malformed_packet"] {
        let refused = world.metric(&format!("promenade_refusals_total{{cause=\"{other}\"}}")).await?;
        assert!(refused < 0.5, "{other} is counted, too");
    }
    Ok(())
}

#[tokio::test]
async fn whoever_stops_half_way_delays_nobody() -> anyhow::Result<()> {
    let world = World::secure(&[]).await?;
    let key = Key::free(&world).await?;
    let mut silent = Vec::new();
    for _ in 0..20 {
        for (transport, stop) in stops() {
            silent.push(Silent::open(&world, transport, stop).await?);
        }
    }
    for transport in Transport::ALL {
        let since = Instant::now();
        let wire = Wire::over(&world, transport, None).await?;
        let hello = Connect::new(5, "quick").user("service").password(&key.secret);
        let mut client = Client::connect_on(wire, hello).await?;
        client.subscribe(&[("free/x", 1)]).await?;
        client.publish("free/x", "x", 1, false).await?;
        assert_eq!(client.delivery().await?.payload, b"x");
        // Each of the silent ones has ten seconds; whoever waited for one would need as long.
        assert!(since.elapsed() < Duration::from_secs(5), "over {transport}: {:?}", since.elapsed());
    }
    assert_eq!(silent.len(), 240);
    Ok(())
}
