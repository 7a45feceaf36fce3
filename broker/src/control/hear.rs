//! What devices say: into the next commit, in the order in which each said it, then acknowledged and passed on.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use protocol::{Ack, CommandId, DeviceId, ForwardedAck, OrganizationId, Reported, Topic};
use store::{Answered, Heard, Orders, Said, StoreError, Twin};
use tokio::sync::mpsc;

use super::{Came, Saying};
use crate::codec::{Qos, reason};
use crate::connection::Reply;
use crate::dispatch::Dispatch;
use crate::message::Message;
use crate::metrics::Metrics;

/// What may be under way to its commit.
const UNDER_WAY: usize = 1_024;

/// Takes what devices say to the store, and what came of it to whoever waits or listens.
pub(crate) struct Hearing {
    pub(crate) orders: Orders,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) came: Arc<Came>,
    pub(crate) metrics: Metrics,
}

/// What waits for its commit.
struct UnderWay {
    organization: OrganizationId,
    device: DeviceId,
    ack: Option<(CommandId, Box<Ack>)>,
    reply: Option<Reply>,
    heard: Result<Heard, StoreError>,
}

impl Hearing {
    /// Works until no connection can say anything any more.
    pub(crate) async fn run(self, mut sayings: mpsc::Receiver<Saying>) {
        let mut under_way = FuturesOrdered::new();
        loop {
            tokio::select! {
                saying = sayings.recv(), if under_way.len() < UNDER_WAY => {
                    let Some(Saying { organization, device, said, reply }) = saying else { break };
                    let ack = match &said {
                        Said::Ack(command, ack) => Some((*command, ack.clone())),
                        Said::Report(_) => None,
                    };
                    let hearing = self.orders.hear(organization, device, said).await;
                    under_way.push_back(async move {
                        let heard = match hearing {
                            Ok(hearing) => hearing.committed().await,
                            Err(error) => Err(error),
                        };
                        UnderWay { organization, device, ack, reply, heard }
                    });
                }
                Some(heard) = under_way.next(), if !under_way.is_empty() => self.settle(heard).await,
            }
        }
        while let Some(heard) = under_way.next().await {
            self.settle(heard).await;
        }
    }

    async fn settle(&self, UnderWay { organization, device, ack, reply, heard }: UnderWay) {
        let heard = match heard {
            Ok(heard) => heard,
            Err(error) => return self.refuse(device, &error, reply),
        };
        let code = match heard.answered {
            Answered::Unknown => {
                self.metrics.refuse("unknown_command");
                reason::TOPIC_NAME_INVALID
            }
            Answered::Advanced | Answered::Repeated | Answered::Late => reason::SUCCESS,
        };
        if let Some(reply) = reply {
            reply.settle(code);
        }
        self.metrics.count_answer(heard.answered, ack.is_some());
        if ack.is_some() {
            self.came.answered(device);
        }
        if let Some((command, ack)) = ack
            && matches!(heard.answered, Answered::Advanced | Answered::Late)
        {
            self.pass_on_ack(organization, device, command, *ack).await;
        }
        if let Some(twin) = heard.twin {
            pass_on_report(&self.dispatch, &twin).await;
        }
    }

    /// What can never be stored is acknowledged as such, so that no device sends it for ever; what could not be stored now
    /// ends the connection, so that the device sends it again.
    fn refuse(&self, device: DeviceId, error: &StoreError, reply: Option<Reply>) {
        let cause = match error {
            StoreError::Invalid(_) => "impossible_report",
            StoreError::NotFound => "device_deleted",
            _ => "control_not_stored",
        };
        self.metrics.refuse(cause);
        tracing::warn!(%device, %error, cause, "what a device said was not taken");
        let Some(reply) = reply else { return };
        match error {
            StoreError::Invalid(_) => reply.settle(reason::PAYLOAD_FORMAT_INVALID),
            StoreError::NotFound => reply.link.close(reason::NOT_AUTHORIZED),
            _ => reply.link.close(reason::SERVER_UNAVAILABLE),
        }
    }

    async fn pass_on_ack(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        command: CommandId,
        ack: Ack,
    ) {
        let topic = Topic::Acks { organization, device }.to_string();
        // What changed is told on a topic of its own, whole.
        let forwarded = ForwardedAck { command, ack: Ack { reported: None, ..ack } };
        let body = serde_json::to_vec(&forwarded).unwrap_or_default();
        let message = Message::of_platform(organization, &topic, &body, Qos::AtLeastOnce, false);
        self.dispatch.publish_patiently(&message).await;
    }
}

/// Tells services what a device is now.
pub(crate) async fn pass_on_report(dispatch: &Dispatch, twin: &Twin) {
    let (organization, device) = (twin.organization, twin.device);
    let topic = Topic::Reported { organization, device }.to_string();
    let reported = Reported { version: twin.reported.version, state: twin.reported.state.clone() };
    let body = serde_json::to_vec(&reported).unwrap_or_default();
    let message = Message::of_platform(organization, &topic, &body, Qos::AtLeastOnce, false);
    dispatch.publish_patiently(&message).await;
}
