//! What a scanner that reports in a format of its own says.

use protocol::{DeviceId, Limit};
use tokio::time::Instant;

use super::{Connection, Reply, Wait};
use crate::codec::{Publish, reason};
use crate::ingest::{Awaited, Incoming};
use crate::reporters::{Numbering, Outcome, Reading, read};

impl Connection<'_> {
    /// Reads what was heard and hands it to ingest as a batch of pings; one over a `limit` only to be refused there.
    pub(super) fn take_sightings(
        &mut self,
        device: DeviceId,
        publish: &Publish<'_>,
        reply: Option<Reply>,
        limit: Option<Limit>,
    ) -> Option<Wait> {
        let front = self.front;
        let now = front.clock.now();
        // The boot of a connection follows from when it began and whose it is, so that idle ones need no room for it.
        let number = self.session.id.wrapping_mul(31).wrapping_add(self.generation);
        let mut numbering = Numbering::new(self.since, number, self.sighted);
        let reading = {
            let view = front.sign_in.registry.view();
            let known = view.reporter(device);
            let known = known.as_ref().and_then(|known| Some((known.organization, known.format()?)));
            known.map(|(organization, format)| {
                let reading = read(&view, organization, format, publish.payload, now, &mut numbering);
                if let (Some(observed), Some(fault)) = (&self.observed, &reading.fault) {
                    observed.unread(format.filter(), fault, now);
                }
                reading
            })
        };
        self.sighted = numbering.next();
        // Its profile was changed a moment ago.
        let Some(Reading { outcome, decoded, telemetry, .. }) = reading else {
            self.scanned(Outcome::Aside, reply);
            return None;
        };
        let Some(decoded) = decoded else {
            self.scanned(outcome, reply);
            return None;
        };
        self.scanned(outcome, None);
        if limit.is_none() && !telemetry.is_empty() {
            front.beacons.pass_on(device, telemetry);
        }
        let reply = reply.map(Awaited::Acknowledgement);
        let incoming = Incoming { decoded, reply, observed: self.observed.clone(), limit };
        front.ingest.take(device, incoming, Instant::now())
    }

    /// Counts a message of a scanner, and answers it where nobody else does.
    pub(super) fn scanned(&self, outcome: Outcome, reply: Option<Reply>) {
        self.front.metrics.count_scanned(outcome);
        if let Some(observed) = &self.observed {
            observed.scanned(outcome.as_str(), self.front.clock.now());
        }
        if let Some(reply) = reply {
            reply.settle(reason::SUCCESS);
        }
    }
}
