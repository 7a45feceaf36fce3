//! What reporters pass on of what beacons say of themselves: `v1/{device}/telemetry`.

use std::time::Duration;

use protocol::{BeaconTelemetry, DeviceId, MAX_BEACONS, Telemetry};
use tokio::time::Instant;

use super::Beacons;
use super::watch::Said;
use crate::codec::reason;
use crate::facts::Observed;
use crate::ingest::{check_age, correction};
use crate::registry::{Effort, Reporter, View};

/// Bytes of a message: as many as a batch of pings.
const MAX_BYTES: usize = protocol::MAX_BATCH_BYTES;

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The reason code that acknowledges it.
    pub(crate) code: u8,
    /// For how long nothing more should be read from the device.
    pub(crate) pause: Duration,
}

impl Beacons {
    /// Takes in a message of a reporter. It is acknowledged once it is read and not once it is written: of a beacon only the last
    /// word counts, and the next message has it again.
    pub(crate) fn take(
        &self,
        device: DeviceId,
        payload: &[u8],
        observed: Option<&Observed>,
        now: Instant,
    ) -> Taken {
        match self.read(device, payload, observed, now) {
            Ok(pause) => Taken { code: reason::SUCCESS, pause },
            Err((code, cause)) => {
                self.metrics.refuse(cause);
                if let Some(observed) = observed {
                    observed.refused(cause, self.clock.now());
                }
                Taken { code, pause: Duration::ZERO }
            }
        }
    }

    fn read(
        &self,
        device: DeviceId,
        payload: &[u8],
        observed: Option<&Observed>,
        now: Instant,
    ) -> Result<Duration, (u8, &'static str)> {
        let invalid = |cause| (reason::PAYLOAD_FORMAT_INVALID, cause);
        let telemetry = parse(payload).map_err(invalid)?;
        let view = self.registry.view();
        let reporter = view.reporter(device).ok_or((reason::NOT_AUTHORIZED, "device_deleted"))?;
        // What a visitor's phone says moves no device of the organization.
        if reporter.registered.device.owner.is_some() {
            return Err((reason::NOT_AUTHORIZED, "telemetry_not_authorized"));
        }
        // There is no `sent` here: the clock is as far off as its pings last told.
        let offset = observed.and_then(Observed::clock_offset_ms).unwrap_or(0);
        let offset = correction(offset).ok_or(invalid("clock_skew"))?;
        let pause = reporter.rate.take(telemetry.beacons.len().max(1), now);
        let pause = pause.ok_or((reason::QUOTA_EXCEEDED, "rate_limited:pings_per_minute"))?;
        self.say(&view, &reporter, telemetry.beacons, offset);
        Ok(pause)
    }

    /// Takes in what a scanner that reports in a format of its own heard beacons say, beside the pings that ingest gets.
    pub(crate) fn pass_on(&self, device: DeviceId, telemetry: Vec<BeaconTelemetry>) {
        let view = self.registry.view();
        if let Some(reporter) = view.reporter(device) {
            self.say(&view, &reporter, telemetry, 0);
        }
    }

    /// Notes what beacons of the reporter's organization said; `offset_ms` is added to each time.
    fn say(&self, view: &View, reporter: &Reporter, telemetry: Vec<BeaconTelemetry>, offset_ms: i64) {
        let (received, mut effort) = (self.clock.now(), Effort::new(Effort::BATCH));
        let (mut said, mut unknown) = (Vec::new(), 0);
        for mut telemetry in telemetry {
            telemetry.at = telemetry.at.plus(offset_ms);
            if let Err(reason) = check_age(received, telemetry.at, self.acceptance_window_ms) {
                self.metrics.refuse(reason.as_str());
                continue;
            }
            let owner = view.owner(&telemetry.id, telemetry.at, &mut effort);
            match owner.filter(|owner| owner.organization == reporter.organization && owner.kind.transmits())
            {
                Some(owner) => said.push(Said { device: owner.id, telemetry }),
                None => unknown += 1,
            }
        }
        self.metrics.telemetry.inc_by(said.len() as u64);
        self.metrics.telemetry_unknown.inc_by(unknown);
        // Where a person's phone was is nobody's business.
        let by = reporter.kind.is_infrastructure().then_some(reporter.id);
        self.lock().say(view, by, said);
    }
}

/// A message, or the cause why it is none.
fn parse(payload: &[u8]) -> Result<Telemetry, &'static str> {
    if payload.len() > MAX_BYTES {
        return Err("telemetry_too_large");
    }
    let telemetry: Telemetry = serde_json::from_slice(payload).map_err(|_| "unreadable_telemetry")?;
    if telemetry.beacons.len() > MAX_BEACONS {
        return Err("telemetry_too_large");
    }
    Ok(telemetry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_has_its_cause() {
        assert!(parse(br#"{"beacons":[],"later":1}"#).is_ok());
        let entry = r#"{"id":"app:a","at":1}"#;
        let many = |count| format!(r#"{{"beacons":[{}]}}"#, vec![entry; count].join(","));
        assert_eq!(parse(many(MAX_BEACONS).as_bytes()).map(|it| it.beacons.len()), Ok(MAX_BEACONS));
        for (payload, cause) in [
            (String::new(), "unreadable_telemetry"),
            ("[]".to_owned(), "unreadable_telemetry"),
            (r#"{"beacons":[{"id":"nobody","at":1}]}"#.to_owned(), "unreadable_telemetry"),
            (r#"{"beacons":[{"id":"app:a","at":1,"battery_mv":-1}]}"#.to_owned(), "unreadable_telemetry"),
            (many(MAX_BEACONS + 1), "telemetry_too_large"),
            (" ".repeat(MAX_BYTES + 1), "telemetry_too_large"),
        ] {
            assert_eq!(parse(payload.as_bytes()), Err(cause), "{}", &payload[..payload.len().min(60)]);
        }
    }
}
