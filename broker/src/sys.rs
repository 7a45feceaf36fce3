//! `$SYS`: what the server tells operators of itself, under the names that Mosquitto made customary.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::access::NOBODY;
use crate::codec::Qos;
use crate::dispatch::Dispatch;
use crate::message::Message;
use crate::metrics::Metrics;

/// How often it tells.
const EVERY: Duration = Duration::from_secs(10);

/// Tells until `shutdown`; each value is retained, so that whoever subscribes has it at once.
pub(crate) async fn run(dispatch: Arc<Dispatch>, metrics: Metrics, shutdown: CancellationToken) {
    let started = Instant::now();
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tell(&dispatch, "version", concat!("promenade ", env!("CARGO_PKG_VERSION")).to_owned()).await;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = shutdown.cancelled() => return,
        }
        let values = [
            ("uptime", format!("{} seconds", started.elapsed().as_secs())),
            ("clients/connected", metrics.connections.get().to_string()),
            ("clients/total", metrics.sessions.get().to_string()),
            ("messages/received", metrics.received.get().to_string()),
            ("messages/sent", metrics.sent.get().to_string()),
            ("publish/messages/dropped", metrics.dropped.get().to_string()),
            ("retained messages/count", metrics.retained.get().to_string()),
        ];
        for (name, value) in values {
            tell(&dispatch, name, value).await;
        }
    }
}

async fn tell(dispatch: &Dispatch, name: &str, value: String) {
    let topic = format!("$SYS/broker/{name}");
    let message = Message::of_platform(NOBODY, &topic, value.as_bytes(), Qos::AtMostOnce, true);
    // There are few of them, and none is long.
    let _ = dispatch.retain(&message);
    dispatch.publish_patiently(&message).await;
}
