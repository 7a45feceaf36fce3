//! Devices of the load generator answer their commands at once.

use crate::broker::{Manners, start};
use crate::pattern::parse;
use crate::registry;
use firmware_sim::load::Pattern;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use serde_json::json;
use tokio::sync::oneshot;

/// A client that is subscribed to all acks.
async fn platform(address: &str) -> (AsyncClient, EventLoop) {
    let (host, port) = address.rsplit_once(':').unwrap();
    let options = MqttOptions::new("platform", host, port.parse().unwrap());
    let (client, mut events) = AsyncClient::new(options, 64);
    client.try_subscribe("v1/+/commands/+/ack", QoS::AtLeastOnce).unwrap();
    while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::SubAck(_))) {}
    (client, events)
}

/// The next acks: topics and bodies.
async fn acks(events: &mut EventLoop, count: usize) -> Vec<(String, String)> {
    let mut acks = Vec::new();
    while acks.len() < count {
        if let Event::Incoming(Packet::Publish(publish)) = events.poll().await.unwrap() {
            acks.push((publish.topic.clone(), String::from_utf8(publish.payload.to_vec()).unwrap()));
        }
    }
    acks
}

#[tokio::test]
async fn each_command_is_answered_by_its_device() {
    let ((address, taken), (http, asked)) = (start(Manners::default()).await, registry::start().await);
    let words = |more: &str| format!("commands --devices 3 --http {http}{more}");
    for (more, answers) in [("", &["accepted", "done"][..]), (" --done-only --sources 2", &["done"][..])] {
        let Pattern::Commands(commands) = parse(&address, &words(more)) else { panic!("another pattern") };
        let devices = commands.connect().await.unwrap();
        let ids = devices.ids().to_vec();
        assert_eq!(ids.len(), 3);
        let (client, mut events) = platform(&address).await;
        let (stop, stopped) = oneshot::channel();
        let ordering = async {
            // The last one comes twice.
            for (device, command) in [(0, 1), (1, 2), (2, 3), (2, 3)] {
                let topic = format!("v1/{}/commands/01890000-0000-7000-8000-{command:012x}", ids[device]);
                client.publish(topic.clone(), QoS::AtLeastOnce, false, "{}").await.unwrap();
                for ((acked, body), status) in acks(&mut events, answers.len()).await.into_iter().zip(answers)
                {
                    assert_eq!(
                        (acked, body),
                        (format!("{topic}/ack"), json!({"status": status}).to_string())
                    );
                }
            }
            stop.send(()).unwrap();
        };
        let answering = devices.answer_until(async { stopped.await.unwrap() });
        let (result, ()) = tokio::join!(answering, ordering);
        let result = result.unwrap();
        assert_eq!((result.total, result.again), (3, 1));
    }
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 6);
    assert!(asked.iter().all(|device| device["kind"] == "appliance"));
    assert_eq!(taken.lock().unwrap().sign_ins.len(), 8);
}
