//! Devices that sign in with a certificate.

use anyhow::{Context, ensure};

use crate::mqtt::{Client, Connect, LEVELS, Socket, TLS_VERSIONS, Wire};
use crate::world::{Certificate, Gateway, Shop, Transport, World, batch};

const SECURE: [Transport; 2] = [Transport::Tls, Transport::Wss];

#[tokio::test]
async fn a_certificate_signs_its_device_in() -> anyhow::Result<()> {
    let world = World::secure(&[]).await?;
    let shop = Shop::open(&world).await?;
    let own = Certificate::issue(&world, shop.gateway.device).await?;
    let name = shop.gateway.device.to_string();
    let mut seq = 0;
    for transport in SECURE {
        for level in LEVELS {
            let bare = Connect::new(level, "device");
            for hello in
                [bare.clone(), bare.clone().user(&name), bare.user(&name).password(&shop.gateway.secret)]
            {
                let wire = Wire::over(&world, transport, Some(&own)).await?;
                let mut client = Client::connect_on(wire, hello).await?;
                let body = batch(seq, [store::Clock::System.now()]).to_json();
                seq += 1;
                let code = client.publish(&shop.gateway.pings_topic(), &body, 1, false).await?;
                ensure!(code == 0, "over {transport} in version {level}: {code:#04x}");
                let receipts = format!("v1/{name}/receipts");
                assert_eq!(client.subscribe(&[(&receipts, 0), ("#", 0)]).await?[0], 0);
                client.leave(None).await?;
            }
        }
    }
    world.metric_reaches("promenade_batches_total", seq as f64).await
}

#[tokio::test]
async fn a_certificate_signs_nobody_else_in() -> anyhow::Result<()> {
    let world = World::secure(&[]).await?;
    let shop = Shop::open(&world).await?;
    let device = shop.gateway.device;
    let other = Gateway::register(&world, shop.venue, None).await?;
    let own = Certificate::issue(&world, device).await?;
    let others = Certificate::issue(&world, other.device).await?;
    let unregistered = Certificate::unregistered(&world, device)?;
    let revoked = Certificate::issue(&world, device).await?;
    revoke(&world, &shop.gateway, &revoked).await?;
    let name = device.to_string();
    let mut asked = Vec::new();
    for (transport, level) in SECURE.into_iter().flat_map(|transport| LEVELS.map(|level| (transport, level)))
    {
        let [bad, void, nobody] = if level == 5 { [0x86, 0x87, 0x87] } else { [4, 5, 5] };
        // Each has a client id of its own, since they ask at the same time.
        let nameless = || Connect::new(level, format!("device-{transport}-{level}"));
        let named = |name: &str| nameless().user(name);
        let foreign_name = other.device.to_string();
        for (what, shown, hello, code) in [
            ("another's name", Some(&own), named(&foreign_name), bad),
            ("another's name and secret", Some(&own), named(&foreign_name).password(&other.secret), bad),
            ("another's certificate", Some(&others), named(&name), bad),
            ("a wrong secret beside it", Some(&own), named(&name).password(&other.secret), bad),
            ("a certificate that was never entered", Some(&unregistered), nameless(), bad),
            ("a revoked one", Some(&revoked), nameless(), void),
            ("a revoked one with a name", Some(&revoked), named(&name), void),
            ("none", None, nameless(), nobody),
            ("none with a name", None, named(&name), bad),
            ("the one that was not revoked", Some(&own), nameless(), 0),
        ] {
            let mut wire = Wire::over(&world, transport, shown).await?;
            wire.send(&hello.bytes()).await?;
            asked.push((format!("{what} over {transport} in version {level}"), wire, level, code));
        }
    }
    // Whoever is refused is kept waiting for it, so that all of them wait together.
    for (what, wire, level, code) in asked {
        let answered = Client::answered(wire, level).await.with_context(|| what.clone())?;
        assert_eq!(answered.map_or_else(|connack| connack.code, |_| 0), code, "{what}");
    }
    Ok(())
}

/// What another authority signed does not even get through the handshake.
#[tokio::test]
async fn certificates_of_other_authorities_are_refused() -> anyhow::Result<()> {
    let world = World::secure(&[]).await?;
    let shop = Shop::open(&world).await?;
    let foreign = Certificate::foreign(shop.gateway.device)?;
    for version in TLS_VERSIONS {
        let server = world.address(Transport::Tls)?;
        // In version 1.3 the client is done before the server has looked.
        let Ok(socket) = Socket::secure(server, &[version], &world.authority(), Some(&foreign)).await else {
            continue;
        };
        let mut wire = Wire::from(socket);
        let _ = wire.send(&Connect::new(5, "device").bytes()).await;
        assert_eq!(wire.receive().await?, None, "{version:?}");
    }
    world.metric_reaches(r#"promenade_refusals_total{cause="tls_handshake"}"#, 2.0).await
}

#[tokio::test]
async fn revoking_ends_what_the_certificate_opened_and_nothing_else() -> anyhow::Result<()> {
    let world = World::secure(&[]).await?;
    let shop = Shop::open(&world).await?;
    let doomed = Certificate::issue(&world, shop.gateway.device).await?;
    let next = Certificate::issue(&world, shop.gateway.device).await?;
    let mut ends = Vec::new();
    for transport in SECURE {
        for level in LEVELS {
            let wire = Wire::over(&world, transport, Some(&doomed)).await?;
            let hello = Connect::new(level, format!("doomed-{transport}-{level}"));
            ends.push((level, Client::connect_on(wire, hello).await?));
        }
    }
    let wire = Wire::over(&world, Transport::Tls, Some(&next)).await?;
    let mut by_next = Client::connect_on(wire, Connect::new(5, "next")).await?;
    let name = shop.gateway.device.to_string();
    let hello = Connect::new(5, "secret").user(&name).password(&shop.gateway.secret);
    let mut by_secret = Client::connect(&world, hello).await?;

    revoke(&world, &shop.gateway, &doomed).await?;
    for (level, mut client) in ends {
        assert_eq!(client.ended().await?, (level == 5).then_some(0x87), "version {level}");
    }
    by_next.ping().await?;
    by_secret.ping().await?;
    let wire = Wire::over(&world, Transport::Tls, Some(&doomed)).await?;
    let again = Client::ask_on(wire, Connect::new(5, "doomed")).await?;
    assert_eq!(again.err().map(|connack| connack.code), Some(0x87));
    let counted = r#"promenade_refusals_total{cause="certificate_revoked"}"#;
    world.metric_reaches(counted, 1.0).await
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken() -> anyhow::Result<()> {
    let world = World::secure(&[]).await?;
    let shop = Shop::open(&world).await?;
    let own = Certificate::issue(&world, shop.gateway.device).await?;
    let server = world.address(Transport::Tls)?;
    for (version, expected) in
        TLS_VERSIONS.into_iter().zip([rustls::ProtocolVersion::TLSv1_2, rustls::ProtocolVersion::TLSv1_3])
    {
        let socket = Socket::secure(server, &[version], &world.authority(), Some(&own)).await?;
        assert_eq!(socket.tls_version(), Some(expected));
        Client::connect_on(Wire::from(socket), Connect::new(5, "device")).await?.ping().await?;
    }
    Ok(())
}

async fn revoke(world: &World, gateway: &Gateway, doomed: &Certificate) -> anyhow::Result<()> {
    let path = format!("/devices/{}/certificates/{}", gateway.device, doomed.fingerprint);
    world.api().delete(&path).await.map(drop)
}
