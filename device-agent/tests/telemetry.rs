//! What a beacon says of itself arrives at the platform: through bluez-async, D-Bus and a BlueZ without a radio.

#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "shared with the tests of the scanner, which use all of it")]
#[path = "bluez/air.rs"]
mod air;
#[expect(dead_code, reason = "shared with the tests of the link, which use all of it")]
#[path = "link/mosquitto.rs"]
mod mosquitto;
#[expect(dead_code, reason = "shared with the tests of the link, which use all of it")]
#[path = "link/orders.rs"]
mod orders;
#[expect(dead_code, reason = "shared with the tests of the link, which use all of it")]
#[path = "link/platform.rs"]
mod platform;
#[expect(dead_code, reason = "shared with the tests of the scanner, which use all of it")]
#[path = "bluez/world.rs"]
mod world;

use protocol::beacon::{Frame, Tlm, Uid};
use protocol::{DeviceId, Telemetry, Topic};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop};

use air::Sender;
use platform::{options, until};
use world::{DEVICE, World, within};

const BEACON: &str = "C0:FF:EE:00:00:02";

/// The next telemetry of the device.
async fn next(eventloop: &mut EventLoop) -> Telemetry {
    let published = async {
        loop {
            if let Event::Incoming(Packet::Publish(publish)) = eventloop.poll().await.expect("a broker") {
                return publish;
            }
        }
    };
    serde_json::from_slice(&within(published).await.payload).expect("telemetry")
}

#[tokio::test]
async fn what_a_beacon_says_of_itself_is_passed_on() {
    let world = World::start().await;
    world.air.plug_in("hci0", true);
    let (client, mut eventloop) =
        AsyncClient::new(options("telemetry", world.broker.port, "platform", "pk_platform"), 4);
    let device: DeviceId = DEVICE.parse().expect("an id");
    client.try_subscribe(Topic::Telemetry(device).to_string(), QoS::AtLeastOnce).expect("room");
    within(until(&mut eventloop, |packet| matches!(packet, Packet::SubAck(_)))).await;
    let _agent = world.agent("");
    world.air.await_scan_after(0);

    let uid = Frame::Uid(Uid { power: -18, namespace: [0x8b; 10], instance: [0, 0, 0, 0, 0, 1] });
    let tlm = Frame::Tlm(Tlm {
        battery_mv: Some(2_900),
        temperature: Some(0x1580),
        advertisements: 9,
        uptime_ds: 75,
    });
    // Once its identifier has arrived, the agent knows whose telemetry it is.
    let mut platform = world.platform().await;
    assert!(world.air.advertise(&Sender::at(BEACON), Some(&uid), -60), "a scan is on");
    platform.take(1).await;
    assert!(world.air.advertise(&Sender::at(BEACON), Some(&tlm), -60), "a scan is on");
    let telemetry = next(&mut eventloop).await;
    let [beacon] = &telemetry.beacons[..] else { panic!("{telemetry:?}") };
    assert_eq!(Some(&beacon.id), uid.identifier().as_ref());
    assert_eq!(
        (beacon.battery_mv, beacon.battery_percent, beacon.temperature_c),
        (Some(2_900), None, Some(21.5))
    );
    assert_eq!((beacon.advertisements, beacon.uptime_s), (Some(9), Some(7)));
}
