//! The platform as a device sees it that renews its certificate: hears its requests, answers, and hears its reports.

use device_agent::config::LinkConfig;
use device_agent::link::client_config;
use protocol::{DeviceId, Renewal, RenewalRequest, Topic};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::authority::Authority;
use super::world::within;

/// A client that signs in as `platform`.
pub(crate) struct Registrar {
    client: AsyncClient,
    device: DeviceId,
    requests: mpsc::UnboundedReceiver<String>,
    reported: mpsc::UnboundedReceiver<Value>,
    task: JoinHandle<()>,
}

impl Registrar {
    pub(crate) async fn join(port: u16, authority: &Authority, device: DeviceId) -> Self {
        let link = LinkConfig {
            tls: true,
            ca: Some(authority.file("ca.pem")),
            certificate: Some(authority.file("platform.pem")),
            key: Some(authority.file("platform.key")),
            ..LinkConfig::default()
        };
        let tls = client_config(&link, None).expect("files").expect("TLS");
        let mut options = MqttOptions::new("platform", "localhost", port);
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
        let (client, mut eventloop) = AsyncClient::new(options, 16);
        let topics = [Topic::CertificateRequest(device), Topic::TwinReported(device)];
        let filters = topics.map(|topic| Filter::new(topic.to_string(), QoS::AtLeastOnce));
        client.try_subscribe_many(filters).expect("room for a subscription");
        let subscribed = async {
            while !matches!(eventloop.poll().await.expect("a broker"), Event::Incoming(Packet::SubAck(_))) {}
        };
        within(subscribed).await;
        let ((asked, requests), (told, reported)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let task = tokio::spawn(async move {
            while let Ok(event) = eventloop.poll().await {
                let Event::Incoming(Packet::Publish(publish)) = event else { continue };
                let topic = str::from_utf8(&publish.topic).expect("a text").parse().expect("a topic");
                let is_heard = if let Topic::CertificateRequest(_) = topic {
                    let request: RenewalRequest =
                        serde_json::from_slice(&publish.payload).expect("a request");
                    asked.send(request.csr).is_ok()
                } else {
                    let mut patch: Value = serde_json::from_slice(&publish.payload).expect("JSON");
                    let certificate = patch["certificate"].take();
                    certificate.is_null() || told.send(certificate).is_ok()
                };
                if !is_heard {
                    return;
                }
            }
        });
        Self { client, device, requests, reported, task }
    }

    /// The next request to sign.
    pub(crate) async fn request(&mut self) -> String {
        within(self.requests.recv()).await.expect("a connected platform")
    }

    pub(crate) async fn answer(&self, answer: &Renewal) {
        let topic = Topic::Certificate(self.device).to_string();
        let body = serde_json::to_vec(answer).expect("JSON");
        let published = self.client.publish(topic, QoS::AtLeastOnce, false, body);
        within(published).await.expect("a connected platform");
    }

    /// What is reported next of the certificate.
    pub(crate) async fn reported(&mut self) -> Value {
        within(self.reported.recv()).await.expect("a connected platform")
    }

    /// What is reported of it once it is as wanted.
    pub(crate) async fn reported_until(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let part = self.reported().await;
            if is_wanted(&part) {
                return part;
            }
        }
    }
}

impl Drop for Registrar {
    fn drop(&mut self) {
        self.task.abort();
    }
}
