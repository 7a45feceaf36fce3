//! What services order: into the outbox with the next commit, in the order in which each said it, then acknowledged.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use protocol::{DeviceId, OrganizationId, ServiceOrder};
use serde_json::Value;
use store::{Author, Command, Giving, NewCommand, Orders, StoreError};
use tokio::sync::mpsc;

use crate::codec::reason;
use crate::connection::Reply;
use crate::metrics::Metrics;
use crate::registry::Registry;

/// What may be under way to its commit.
const UNDER_WAY: usize = 1_024;

/// What a service ordered of a device.
#[derive(Debug)]
pub(crate) struct Ordered {
    pub(super) organization: OrganizationId,
    pub(super) device: DeviceId,
    pub(super) author: Author,
    pub(super) order: ServiceOrder,
    /// For how long it may wait.
    pub(super) ttl_ms: i64,
    /// Whom to answer.
    pub(super) reply: Option<Reply>,
}

/// Gives what services order to the store.
pub(crate) struct Placing {
    pub(crate) orders: Orders,
    pub(crate) registry: Arc<Registry>,
    pub(crate) metrics: Metrics,
}

/// What waits for its commit.
struct UnderWay {
    device: DeviceId,
    reply: Option<Reply>,
    given: Result<Arc<Command>, StoreError>,
}

/// An order as services spell it and for how long it may wait; the cause why it cannot be read.
pub(super) fn read(payload: &[u8]) -> Result<(ServiceOrder, i64), &'static str> {
    if payload.len() > ServiceOrder::MAX_BYTES {
        return Err("control_too_large");
    }
    let order: ServiceOrder = serde_json::from_slice(payload).map_err(|_| "unreadable_order")?;
    let ttl_ms = order.ttl_ms().ok_or("unreadable_order")?;
    Ok((order, ttl_ms))
}

impl Placing {
    /// Works until no connection can order anything any more.
    pub(crate) async fn run(self, mut ordered: mpsc::Receiver<Ordered>) {
        let mut under_way = FuturesOrdered::new();
        loop {
            tokio::select! {
                next = ordered.recv(), if under_way.len() < UNDER_WAY => {
                    let Some(Ordered { organization, device, author, order, ttl_ms, reply }) = next else { break };
                    let giving = self.begin(organization, device, author, order, ttl_ms).await;
                    under_way.push_back(async move {
                        let given = match giving {
                            Ok(giving) => giving.committed().await,
                            Err(error) => Err(error),
                        };
                        UnderWay { device, reply, given }
                    });
                }
                Some(given) = under_way.next(), if !under_way.is_empty() => self.settle(given),
            }
        }
        while let Some(given) = under_way.next().await {
            self.settle(given);
        }
    }

    async fn begin(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        author: Author,
        order: ServiceOrder,
        ttl_ms: i64,
    ) -> Result<Giving, StoreError> {
        let known = self.registry.view().reporter(device).filter(|known| known.organization == organization);
        if known.is_some_and(|known| !known.kind.hears_orders()) {
            return Err(StoreError::Invalid("the device only transmits".into()));
        }
        let now = self.orders.now();
        let new = NewCommand {
            id: self.orders.new_id()?,
            organization,
            device,
            name: order.name,
            args: Value::Object(order.args),
            signed: None,
            author,
            bulk: None,
            request: None,
            due_at: now,
            deadline: now.plus(ttl_ms),
        };
        self.orders.begin(new).await
    }

    /// What can never be given is acknowledged as such; what could not be stored now ends the connection, so that the service gives it
    /// again.
    fn settle(&self, UnderWay { device, reply, given }: UnderWay) {
        let Err(error) = given else {
            if let Some(reply) = reply {
                reply.settle(reason::SUCCESS);
            }
            return;
        };
        let (cause, code) = match error {
            StoreError::Invalid(_) => ("impossible_order", Some(reason::PAYLOAD_FORMAT_INVALID)),
            StoreError::NotFound => ("unknown_device", Some(reason::TOPIC_NAME_INVALID)),
            StoreError::Full(_) => ("commands_open", Some(reason::QUOTA_EXCEEDED)),
            _ => ("order_not_stored", None),
        };
        self.metrics.refuse(cause);
        tracing::info!(%device, %error, cause, "what a service ordered was not taken");
        let Some(reply) = reply else { return };
        match code {
            Some(code) => reply.settle(code),
            None => reply.link.close(reason::SERVER_UNAVAILABLE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_told_from_what_is_none() {
        let (order, ttl_ms) =
            read(br#"{"name":"on_off.set","args":{"on":true},"ttl_s":5}"#).expect("an order");
        assert_eq!((order.name.as_str(), order.args.len(), ttl_ms), ("on_off.set", 1, 5_000));
        assert_eq!(read(br#"{"name":"identify"}"#).map(|(_, ttl_ms)| ttl_ms), Ok(300_000));
        for (payload, cause) in [
            (&b""[..], "unreadable_order"),
            (b"ON", "unreadable_order"),
            (b"{}", "unreadable_order"),
            (br#"{"name":"identify","args":[]}"#, "unreadable_order"),
            (br#"{"name":"identify","signed":"x"}"#, "unreadable_order"),
            (br#"{"name":"identify","ttl_s":0}"#, "unreadable_order"),
            (br#"{"name":"identify","ttl_s":-1}"#, "unreadable_order"),
            (&vec![b' '; ServiceOrder::MAX_BYTES + 1], "control_too_large"),
        ] {
            assert_eq!(read(payload), Err(cause), "{:?}", String::from_utf8_lossy(payload));
        }
    }
}
