//! MQTT over WebSocket: what is asked for, and how packets and frames go together (MQTT 5 section 6).

use anyhow::ensure;

use crate::mqtt::{
    Client, Connect, LEVELS, PUBACK, Publish, SUBACK, Socket, TLS_VERSIONS, Wire, packet, subscribe_to, web,
};
use crate::world::{Engine, Key, Transport, World};

const WEB: [Transport; 2] = [Transport::Ws, Transport::Wss];

#[tokio::test]
async fn only_mqtt_is_there() -> anyhow::Result<()> {
    let world = World::secure(&[]).await?;
    for transport in WEB {
        for (path, subprotocol, status) in [
            ("/mqtt", Some("mqtt"), 101),
            ("/mqtt", Some("soap, mqtt"), 101),
            ("/mqtt?token=x", Some("mqtt"), 101),
            ("/", Some("mqtt"), 404),
            ("/mqtt/", Some("mqtt"), 404),
            ("/api/v1/venues", Some("mqtt"), 404),
            ("/mqtt", None, 400),
            ("/mqtt", Some("soap"), 400),
            ("/mqtt", Some("mqttv3.1"), 400),
        ] {
            let server = world.address(transport)?;
            let mut socket = if transport.is_secure() {
                Socket::secure(server, &TLS_VERSIONS, &world.authority(), None).await?
            } else {
                Socket::plain(server).await?
            };
            socket.write_all(web::request(path, subprotocol).as_bytes()).await?;
            let answer = web::answer(&mut socket).await?;
            assert_eq!(web::status(&answer)?, status, "{path} {subprotocol:?} over {transport}: {answer}");
            let picked = answer.to_ascii_lowercase().contains("\r\nsec-websocket-protocol: mqtt\r\n");
            assert_eq!(picked, status == 101, "MQTT-6.0.0-4 over {transport}: {answer}");
        }
    }
    let counted = r#"promenade_refusals_total{cause="websocket_handshake"}"#;
    world.metric_reaches(counted, 12.0).await
}

/// A packet may come in many frames, and many packets in one (MQTT-6.0.0-2).
#[tokio::test]
async fn packets_and_frames_need_not_begin_together() -> anyhow::Result<()> {
    let world = World::secure(&[]).await?;
    let key = Key::free(&world).await?;
    for transport in WEB {
        for level in LEVELS {
            let hello = Connect::new(level, "web").user("service").password(&key.secret).bytes();
            let more = [
                subscribe_to(level, 1, &[("free/web", 1)], &[]),
                Publish::new("free/web", "first").qos(1).id(2).bytes(level),
                Publish::new("free/web", vec![b'x'; 70_000]).qos(1).id(3).bytes(level),
                Publish::new("free/web", "last").qos(1).id(4).bytes(level),
            ]
            .concat();
            // A byte in a frame, an empty frame, a message of three frames, and everything else in one.
            let mut wire = Wire::over(&world, transport, None).await?;
            for byte in &hello[..8] {
                wire.send_frame(web::BINARY, true, &[*byte]).await?;
            }
            wire.send_frame(web::BINARY, true, &[]).await?;
            wire.send_frame(web::BINARY, false, &hello[8..10]).await?;
            wire.send_frame(web::CONTINUATION, false, &hello[10..12]).await?;
            wire.send_frame(web::CONTINUATION, true, &hello[12..]).await?;
            let mut client = match Client::answered(wire, level).await? {
                Ok(client) => client,
                Err(connack) => anyhow::bail!("refused over {transport}: {connack:?}"),
            };
            client.send_bytes(&more).await?;
            client.expect(SUBACK, 1).await?;
            for id in 2..=4 {
                client.expect(PUBACK, id).await?;
            }
            let mut payloads = Vec::new();
            for _ in 0..3 {
                payloads.push(client.delivery().await?.payload);
            }
            let lengths: Vec<usize> = payloads.iter().map(Vec::len).collect();
            assert_eq!(lengths, [5, 70_000, 4], "over {transport} in version {level}");
        }
    }
    Ok(())
}

/// Anything but binary data ends the connection (MQTT-6.0.0-1), before the CONNECT and after it.
#[tokio::test]
async fn text_ends_the_connection() -> anyhow::Result<()> {
    let world = World::secure(&[]).await?;
    let key = Key::free(&world).await?;
    for transport in WEB {
        let hello = Connect::new(5, "text").user("service").password(&key.secret).bytes();
        let mut early = Wire::over(&world, transport, None).await?;
        early.send_frame(web::TEXT, true, b"hello").await?;
        ensure!(early.receive().await?.is_none(), "over {transport}: text is answered");

        let mut late = Wire::over(&world, transport, None).await?;
        late.send(&hello).await?;
        let connack = late.receive().await?;
        ensure!(connack.is_some_and(|connack| connack.head == 0x20), "over {transport}: not let in");
        late.send_frame(web::TEXT, true, &packet(0xC0, &[])).await?;
        while let Some(answer) = late.receive().await? {
            ensure!(answer.head == 0xE0, "over {transport}: {answer:?} to text");
        }
    }
    Ok(())
}

/// What is open to this machine without signing in is not open to every page that a browser on it shows.
#[tokio::test]
async fn pages_of_others_do_not_come_from_near() -> anyhow::Result<()> {
    let settings =
        [("PROMENADE_LISTEN__WS", "127.0.0.1:0"), ("PROMENADE_MQTT__ANONYMOUS__SUBSCRIBE", "[\"#\"]")];
    let world = World::with(Engine::Sqlite, &settings).await?;
    for (origin, code) in [
        (None, 0),
        (Some("http://localhost"), 0),
        (Some("https://example.org"), 0x87),
        (Some("http://localhost.example.org"), 0x87),
        (Some("null"), 0x87),
    ] {
        let mut socket = Socket::plain(world.address(Transport::Ws)?).await?;
        let line = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
        let request = web::request("/mqtt", Some("mqtt"));
        let request = request.replacen("Upgrade: websocket\r\n", &format!("Upgrade: websocket\r\n{line}"), 1);
        socket.write_all(request.as_bytes()).await?;
        assert_eq!(web::status(&web::answer(&mut socket).await?)?, 101, "{origin:?}");
        socket.write_all(&web::frame(web::BINARY, true, &Connect::new(5, "page").bytes())).await?;
        let (_, connack) = web::read_frame(&mut socket).await?;
        assert_eq!((connack[0], connack[3]), (0x20, code), "{origin:?}");
    }
    Ok(())
}

/// Whoever has not signed in makes the server keep no more than a CONNECT may have, whatever a frame may.
#[tokio::test]
async fn frames_of_strangers_are_not_collected() -> anyhow::Result<()> {
    let world = World::secure(&[]).await?;
    for transport in WEB {
        let mut wire = Wire::over(&world, transport, None).await?;
        // The first third of a frame of 900,000 bytes, which holds nothing of a CONNECT before it is whole.
        let frame = web::frame(web::BINARY, true, &vec![0x10; 900_000]);
        let _ = wire.send_raw(&frame[..300_000]).await; // it may be closed while we write
        ensure!(!matches!(wire.receive().await, Ok(Some(_))), "answered over {transport}");
    }
    assert_eq!(world.refusals("connect_timeout").await?, 0, "it was ended, and not waited for");
    Ok(())
}
