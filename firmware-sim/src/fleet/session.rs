//! One MQTT connection in either version, reduced to what a gateway needs.

use super::{Credentials, FleetOptions};
use rumqttc::{Outgoing, v5};
use std::time::Duration;

/// Batches are at most 256 KiB; the rest is topic and properties.
const MAX_PACKET: usize = protocol::MAX_BATCH_BYTES + 4 * 1024;

/// The protocol a device speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.
    V5,
}

/// A connection, connecting when it is first polled.
pub(super) enum Session {
    V311 { client: rumqttc::AsyncClient, events: Box<rumqttc::EventLoop> },
    V5 { client: v5::AsyncClient, events: Box<v5::EventLoop> },
}

/// What matters of what a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// A publish left under this packet id.
    Sent(u16),
    /// The publish of this packet id was acknowledged, with or without its content being taken.
    Acknowledged { packet: u16, taken: bool },
    /// The good-bye left.
    Left,
    /// Nothing of interest.
    Nothing,
}

/// Why a connection is no more.
#[derive(Debug)]
pub(super) struct Broken {
    /// What happened, for people.
    pub(super) why: String,
    /// Whether trying again is pointless, because the broker knows the device and does not want it.
    pub(super) is_final: bool,
}

impl Session {
    pub(super) fn new(options: &FleetOptions, credentials: &Credentials, version: Version) -> Self {
        let name = credentials.device.to_string();
        // Requests wait in this queue only between two polls.
        let queue = usize::from(options.in_flight) + 1;
        match version {
            Version::V311 => {
                let mut mqtt = rumqttc::MqttOptions::new(&name, &options.host, options.port);
                mqtt.set_credentials(&name, &credentials.secret);
                // The virtual clock may stand still for long: nobody polls the connection then.
                mqtt.set_keep_alive(Duration::ZERO);
                mqtt.set_inflight(options.in_flight);
                mqtt.set_max_packet_size(MAX_PACKET, MAX_PACKET);
                let (client, mut events) = rumqttc::AsyncClient::new(mqtt, queue);
                events.network_options.set_tcp_nodelay(true);
                Self::V311 { client, events: Box::new(events) }
            }
            Version::V5 => {
                let mut mqtt = v5::MqttOptions::new(&name, &options.host, options.port);
                mqtt.set_credentials(&name, &credentials.secret);
                // The longest there is; this library refuses to switch it off.
                mqtt.set_keep_alive(Duration::from_secs(u64::from(u16::MAX)));
                mqtt.set_outgoing_inflight_upper_limit(options.in_flight);
                let mut network = rumqttc::NetworkOptions::new();
                network.set_tcp_nodelay(true);
                mqtt.set_network_options(network);
                let (client, events) = v5::AsyncClient::new(mqtt, queue);
                Self::V5 { client, events: Box::new(events) }
            }
        }
    }

    /// Queues a publish; the caller keeps to the in-flight limit, so that there is always room.
    pub(super) fn publish(&self, topic: &str, body: Vec<u8>, content_type: &str) -> Result<(), Broken> {
        match self {
            Self::V311 { client, .. } => {
                client.try_publish(topic, rumqttc::QoS::AtLeastOnce, false, body).map_err(Broken::passing)
            }
            Self::V5 { client, .. } => {
                let properties = v5::mqttbytes::v5::PublishProperties {
                    content_type: Some(content_type.to_owned()),
                    ..Default::default()
                };
                let qos = v5::mqttbytes::QoS::AtLeastOnce;
                client
                    .try_publish_with_properties(topic, qos, false, body, properties)
                    .map_err(Broken::passing)
            }
        }
    }

    /// Queues the good-bye.
    pub(super) fn leave(&self) -> Result<(), Broken> {
        match self {
            Self::V311 { client, .. } => client.try_disconnect().map_err(Broken::passing),
            Self::V5 { client, .. } => client.try_disconnect().map_err(Broken::passing),
        }
    }

    /// Drives the connection to the next thing that happens.
    pub(super) async fn poll(&mut self) -> Result<Happened, Broken> {
        match self {
            Self::V311 { events, .. } => match events.poll().await {
                Ok(event) => Ok(happened_v311(&event)),
                Err(error) => Err(broken_v311(&error)),
            },
            Self::V5 { events, .. } => match events.poll().await {
                Ok(event) => Ok(happened_v5(&event)),
                Err(error) => Err(broken_v5(&error)),
            },
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V311 { .. } => "Session::V311",
            Self::V5 { .. } => "Session::V5",
        })
    }
}

impl Broken {
    fn passing(error: impl std::error::Error) -> Self {
        Self { why: format!("{error}"), is_final: false }
    }
}

fn happened_v311(event: &rumqttc::Event) -> Happened {
    match event {
        rumqttc::Event::Outgoing(outgoing) => happened_outgoing(outgoing),
        rumqttc::Event::Incoming(rumqttc::Packet::PubAck(ack)) => {
            Happened::Acknowledged { packet: ack.pkid, taken: true }
        }
        rumqttc::Event::Incoming(_) => Happened::Nothing,
    }
}

fn happened_v5(event: &v5::Event) -> Happened {
    use v5::mqttbytes::v5::{Packet, PubAckReason};
    match event {
        v5::Event::Outgoing(outgoing) => happened_outgoing(outgoing),
        v5::Event::Incoming(Packet::PubAck(ack)) => {
            let taken = matches!(ack.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers);
            Happened::Acknowledged { packet: ack.pkid, taken }
        }
        v5::Event::Incoming(_) => Happened::Nothing,
    }
}

fn happened_outgoing(outgoing: &Outgoing) -> Happened {
    match outgoing {
        Outgoing::Publish(packet) => Happened::Sent(*packet),
        Outgoing::Disconnect => Happened::Left,
        _ => Happened::Nothing,
    }
}

fn broken_v311(error: &rumqttc::ConnectionError) -> Broken {
    use rumqttc::{ConnectReturnCode as Code, ConnectionError};
    let is_final = matches!(
        error,
        ConnectionError::ConnectionRefused(
            Code::BadUserNamePassword
                | Code::NotAuthorized
                | Code::BadClientId
                | Code::RefusedProtocolVersion
        )
    );
    Broken { why: error.to_string(), is_final }
}

fn broken_v5(error: &v5::ConnectionError) -> Broken {
    use v5::ConnectionError;
    use v5::mqttbytes::v5::ConnectReturnCode as Code;
    let is_final = matches!(
        error,
        ConnectionError::ConnectionRefused(
            Code::BadUserNamePassword
                | Code::NotAuthorized
                | Code::ClientIdentifierNotValid
                | Code::UnsupportedProtocolVersion
                | Code::Banned
        )
    );
    Broken { why: error.to_string(), is_final }
}
