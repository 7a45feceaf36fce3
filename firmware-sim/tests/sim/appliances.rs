//! Appliances over real connections: what they are told they do once, whatever becomes of the connections.

use crate::broker::{Manners as BrokerManners, start};
use firmware_sim::appliance::{Appliance, Appliances, Manners};
use firmware_sim::{Credentials, FleetOptions};
use protocol::{CommandId, DeviceId, Timestamp, Topic};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn appliance(manners: Manners) -> Appliance {
    Appliance {
        credentials: Credentials {
            device: "01890000-0000-7000-8000-000000000001".parse().unwrap(),
            secret: "secret".to_owned(),
        },
        capabilities: serde_json::from_value(json!({"brightness": {}})).unwrap(),
        manners,
    }
}

fn command(number: u64) -> CommandId {
    format!("01999999-0000-7000-8000-{number:012x}").parse().unwrap()
}

/// A client that is subscribed to all that devices say.
async fn platform(address: &str) -> (AsyncClient, EventLoop) {
    let (host, port) = address.rsplit_once(':').unwrap();
    let options = MqttOptions::new("platform", host, port.parse().unwrap());
    let (client, mut events) = AsyncClient::new(options, 64);
    client.try_subscribe("v1/#", QoS::AtLeastOnce).unwrap();
    while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::SubAck(_))) {}
    (client, events)
}

/// The next thing that is said by a device.
async fn said(events: &mut EventLoop) -> (Topic, Value) {
    loop {
        if let Event::Incoming(Packet::Publish(publish)) = events.poll().await.unwrap() {
            let topic: Topic = publish.topic.parse().unwrap();
            if matches!(topic, Topic::CommandAck { .. } | Topic::TwinReported(_)) {
                return (topic, serde_json::from_slice(&publish.payload).unwrap());
            }
        }
    }
}

async fn order(client: &AsyncClient, device: DeviceId, number: u64) {
    let topic = Topic::Command { device, command: command(number) }.to_string();
    let args = json!({"percent": number});
    let body = json!({"name": "brightness.set", "args": args, "deadline": NOW.plus(60_000), "now": NOW});
    client.publish(topic, QoS::AtLeastOnce, false, body.to_string()).await.unwrap();
}

#[tokio::test]
async fn commands_are_answered_and_the_desired_twin_is_followed() {
    let (address, _) = start(BrokerManners::default()).await;
    let (client, mut events) = platform(&address).await;
    let appliance = appliance(Manners { delay_ms: [1, 5], ..Manners::default() });
    let device = appliance.credentials.device;
    let options = FleetOptions::to(&address).unwrap();
    let appliances = Appliances::start(&options, vec![appliance], NOW, 1);
    let (topic, whole) = said(&mut events).await;
    assert_eq!((topic, &whole["brightness"]["percent"]), (Topic::TwinReported(device), &json!(50)));
    while appliances.deeds()[0].1.connected == 0 {
        tokio::task::yield_now().await;
    }
    order(&client, device, 7).await;
    let acked = Topic::CommandAck { device, command: command(7) };
    assert_eq!(said(&mut events).await, (acked, json!({"status": "accepted"})));
    let done = json!({"status": "done", "reported": {"brightness": {"percent": 7}}});
    assert_eq!(said(&mut events).await, (acked, done));
    let desired = json!({"version": 1, "state": {"brightness": {"percent": 9}}}).to_string();
    client.publish(Topic::TwinDesired(device).to_string(), QoS::AtLeastOnce, false, desired).await.unwrap();
    let reported = json!({"brightness": {"percent": 9}});
    assert_eq!(said(&mut events).await, (Topic::TwinReported(device), reported));
    let deeds = appliances.deeds().remove(0).1;
    let ran: Vec<CommandId> = deeds.ran.iter().map(|ran| ran.command).collect();
    assert_eq!((ran, deeds.followed, deeds.refused), (vec![command(7)], 1, 0));
    assert!((NOW..NOW.plus(60_000)).contains(&deeds.ran[0].began_at), "{deeds:?}");
}

/// The platform sends what was not accepted again on each connection, and so does the test.
#[tokio::test]
async fn every_command_is_run_once_though_connections_drop() {
    let (address, _) = start(BrokerManners::default()).await;
    let (client, mut events) = platform(&address).await;
    let manners = Manners {
        delay_ms: [0, 2],
        online_ms: 30,
        offline_ms: 5,
        duplicate_acks: 0.5,
        ack_delay_ms: [0, 3],
        ..Manners::default()
    };
    let appliance = appliance(manners);
    let device = appliance.credentials.device;
    let appliances = Appliances::start(&FleetOptions::to(&address).unwrap(), vec![appliance], NOW, 1);
    let mut open: BTreeSet<u64> = (0..100).collect();
    while !open.is_empty() {
        let (topic, body) = said(&mut events).await;
        match topic {
            Topic::TwinReported(_) => {
                for &number in open.iter().take(20) {
                    order(&client, device, number).await;
                }
            }
            Topic::CommandAck { command: acked, .. } if body["status"] == "done" => {
                open.retain(|&number| command(number) != acked);
            }
            _ => {}
        }
    }
    let deeds = appliances.deeds().remove(0).1;
    let mut ran: Vec<CommandId> = deeds.ran.iter().map(|ran| ran.command).collect();
    ran.sort();
    assert_eq!(ran, (0..100).map(command).collect::<Vec<_>>());
    assert!(deeds.connected >= 5 && deeds.repeated > 0, "{deeds:?}");
}
