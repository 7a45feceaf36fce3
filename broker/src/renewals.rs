//! The next certificate of a device, asked for over the connection that the last one signed in.
//!
//! Who signs, the broker does not know. A request is acknowledged once its answer was handed to the device's sessions; what is lost
//! with a connection is asked for again.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::{DeviceId, OrganizationId, Renewal, RenewalRefusal, RenewalRequest, Topic};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::access::NOBODY;
use crate::codec::{Qos, reason};
use crate::connection::Reply;
use crate::message::Message;
use crate::metrics::Metrics;
use crate::sessions::Sessions;

/// Bytes of a request: keys and signatures of any kind that is taken are far smaller.
const MAX_REQUEST: usize = 32 * 1024;
/// How often a device may ask in a while: more often than a device that loses its connection again and again has to.
const MOST: u32 = 10;
const WHILE: Duration = Duration::from_hours(1);
/// Devices that are remembered before those are forgotten whose while is over.
const REMEMBERED: usize = 1_024;
/// Certificates that are signed at a time, so that a fleet that asks at once leaves room for other work.
const AT_ONCE: usize = 4;

type Answer = Pin<Box<dyn Future<Output = Renewal> + Send>>;

/// Who is asked to sign.
#[derive(Clone)]
pub struct Certifier(Arc<dyn Fn(Asked) -> Answer + Send + Sync>);

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The organization of the device.
    pub organization: OrganizationId,
    /// Who asks.
    pub device: DeviceId,
    /// SHA-256 of the certificate that signed its connection in.
    pub with: [u8; 32],
    /// The request to sign.
    pub request: RenewalRequest,
}

impl Certifier {
    /// Asks `sign`.
    pub fn new<F>(sign: impl Fn(Asked) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Renewal> + Send + 'static,
    {
        Self(Arc::new(move |asked| Box::pin(sign(asked))))
    }

    /// There is nothing to sign with.
    pub fn none() -> Self {
        Self::new(async |_| Renewal::Refused { refused: RenewalRefusal::NoAuthority })
    }
}

impl fmt::Debug for Certifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certifier")
    }
}

/// Takes requests of connections, and brings the answers.
pub(crate) struct Renewals {
    certifier: Certifier,
    sessions: Arc<Sessions>,
    metrics: Metrics,
    /// Where the store is asked: its connections must not live on a thread that ends before it does.
    background: Handle,
    turns: Arc<Semaphore>,
    pace: Mutex<Pace>,
}

/// Since when, and how often, each device asked.
#[derive(Debug, Default)]
struct Pace(HashMap<DeviceId, (Instant, u32)>);

impl Pace {
    fn allows(&mut self, device: DeviceId, now: Instant) -> bool {
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, (since, _)| now.duration_since(*since) < WHILE);
        }
        let (since, count) = self.0.entry(device).or_insert((now, 0));
        if now.duration_since(*since) >= WHILE {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= MOST
    }
}

impl Renewals {
    pub(crate) fn new(
        certifier: Certifier,
        sessions: Arc<Sessions>,
        metrics: Metrics,
        background: Handle,
    ) -> Self {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        Self { certifier, sessions, metrics, background, turns, pace: Mutex::default() }
    }

    /// Takes what a device of an organization published, which signed in with the certificate `with`, if it did with one.
    pub(crate) fn take(
        &self,
        (organization, device): (OrganizationId, DeviceId),
        with: Option<[u8; 32]>,
        payload: &[u8],
        reply: Option<Reply>,
    ) {
        let (with, request) = match self.check(device, with, payload) {
            Ok(checked) => checked,
            Err(refused) => {
                self.answer(device, &Renewal::Refused { refused }, reply.as_ref());
                return;
            }
        };
        let signing = (self.certifier.0)(Asked { organization, device, with, request });
        let (turns, sessions, metrics) =
            (Arc::clone(&self.turns), Arc::clone(&self.sessions), self.metrics.clone());
        self.background.spawn(async move {
            let _turn = turns.acquire().await;
            answer(&sessions, &metrics, device, &signing.await, reply.as_ref());
        });
    }

    fn check(
        &self,
        device: DeviceId,
        with: Option<[u8; 32]>,
        payload: &[u8],
    ) -> Result<([u8; 32], RenewalRequest), RenewalRefusal> {
        let with = with.ok_or(RenewalRefusal::NotCertified)?;
        if !self.pace.lock().unwrap_or_else(PoisonError::into_inner).allows(device, Instant::now()) {
            return Err(RenewalRefusal::TooMany);
        }
        let request = (payload.len() <= MAX_REQUEST).then(|| serde_json::from_slice(payload).ok()).flatten();
        Ok((with, request.ok_or(RenewalRefusal::BadRequest)?))
    }

    fn answer(&self, device: DeviceId, renewal: &Renewal, reply: Option<&Reply>) {
        answer(&self.sessions, &self.metrics, device, renewal, reply);
    }
}

fn answer(
    sessions: &Sessions,
    metrics: &Metrics,
    device: DeviceId,
    renewal: &Renewal,
    reply: Option<&Reply>,
) {
    if let Renewal::Refused { refused } = renewal {
        tracing::debug!(%device, %refused, "a certificate is not renewed");
        metrics.refuse(match refused {
            RenewalRefusal::BadRequest => "renewal_bad_request",
            RenewalRefusal::NotCertified => "renewal_not_certified",
            RenewalRefusal::NoAuthority => "renewal_no_authority",
            RenewalRefusal::TooMany => "renewal_too_many",
            RenewalRefusal::Unavailable => "renewal_unavailable",
        });
    }
    let topic = Topic::Certificate(device).to_string();
    let body = serde_json::to_vec(renewal).unwrap_or_default();
    let message = Message::of_platform(NOBODY, &topic, &body, Qos::AtLeastOnce, false);
    sessions.deliver_to_device(device, &message);
    if let Some(reply) = reply {
        reply.settle(reason::SUCCESS);
    }
}

#[cfg(test)]
mod tests {
    use protocol::Timestamp;

    use super::*;

    #[test]
    fn a_device_asks_so_often_and_others_are_not_kept_from_it() {
        let start = Instant::now();
        let mut pace = Pace::default();
        let [one, other] = [1, 2].map(|number| DeviceId::new(Timestamp(1), [number; 10]));
        let asks = (0..MOST + 2).filter(|_| pace.allows(one, start)).count();
        assert_eq!(asks, MOST as usize);
        assert!(pace.allows(other, start));
        assert!(!pace.allows(one, start + WHILE / 2));
        assert!(pace.allows(one, start + WHILE));
        for number in 0..2 * REMEMBERED as u64 {
            let mut random = [0; 10];
            // The first bytes share their room with version and variant.
            random[2..].copy_from_slice(&number.to_be_bytes());
            pace.allows(DeviceId::new(Timestamp(2), random), start + 2 * WHILE);
        }
        assert!(!pace.0.contains_key(&one), "what is over is forgotten");
    }
}
