//! A fleet of gateways with real MQTT connections, kept in lockstep on the virtual clock.
//!
//! A device decides by the seed whether it speaks MQTT 3.1.1 or 5 and whether it writes JSON or CBOR, so that every day
//! exercises all four.
//!
//! A day passes here in seconds, so what a gateway's wrong clock shows when it sends (`sent` of its batches) is the time now
//! and what the clock is off by at that time of the simulated day. That is what the platform corrects times by.

mod link;
mod session;

use crate::chance::{Purpose, stream};
use futures_util::future::try_join_all;
use link::Link;
use protocol::{Batch, DeviceId, Timestamp};
use rand::RngExt;
use std::time::Duration;
use thiserror::Error;
use tokio::time::Instant;

/// Beyond every gateway number, whose own streams are about what it sends.
const UPLINKS: u64 = 1 << 32;

/// How a device signs in.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The device: its user name and client id.
    pub device: DeviceId,
    /// Its password.
    pub secret: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("device", &self.device).finish_non_exhaustive()
    }
}

/// Where and how the fleet connects.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// Host of the broker.
    pub host: String,
    /// Port of the broker.
    pub port: u16,
    /// Most batches of one device that wait for their acknowledgement.
    pub in_flight: u16,
    /// A device that got no acknowledgement for so long, through all its reconnections, ends the run.
    pub patience: Duration,
}

impl FleetOptions {
    /// Connects to `HOST:PORT`.
    pub fn to(address: &str) -> Result<Self, FleetError> {
        let parts = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = parts.ok_or_else(|| FleetError::Address(address.to_owned()))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port, in_flight: 32, patience: Duration::from_mins(2) })
    }
}

/// How a device is connected for a while.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Uplink {
    /// It has no connection, and nothing to deliver.
    pub offline: bool,
    /// Share of the batches with whose PUBACK the connection is lost; what has none yet is sent again.
    pub cuts: f64,
    /// Share of the batches that are sent twice.
    pub duplicates: f64,
    /// How far its clock is ahead, milliseconds, if its batches shall say when they are sent.
    pub clock_error_ms: Option<i64>,
}

/// The connections, one per device.
#[derive(Debug)]
pub struct Fleet {
    links: Vec<Link>,
    clock: Clock,
}

/// The true time: how late it was when the fleet was made, and what has passed since.
#[derive(Clone, Copy, Debug)]
struct Clock {
    started: Instant,
    now: Timestamp,
}

impl Clock {
    fn now(&self) -> Timestamp {
        self.now.plus(self.started.elapsed().as_millis() as i64)
    }
}

/// Why a run cannot go on.
#[derive(Debug, Error)]
pub enum FleetError {
    /// Not `HOST:PORT`.
    #[error("{0:?} is no HOST:PORT")]
    Address(String),
    /// The broker does not let a device in.
    #[error("device {device} was not let in: {why}")]
    Refused {
        /// The device.
        device: DeviceId,
        /// The broker's return code.
        why: String,
    },
    /// A device got no acknowledgement for longer than the patience.
    #[error("device {device} got no acknowledgement for {waited_s} s: {why}")]
    Stuck {
        /// The device.
        device: DeviceId,
        /// How long it tried, seconds.
        waited_s: u64,
        /// The last trouble.
        why: String,
    },
    /// A step names a device the fleet does not have.
    #[error("there is no device number {0} in the fleet")]
    NoSuchDevice(usize),
}

impl Fleet {
    /// A fleet that connects when it has something to deliver. `now` is the time, which devices with a wrong clock know no
    /// better than that clock.
    pub fn new(options: &FleetOptions, devices: Vec<Credentials>, now: Timestamp, seed: u64) -> Self {
        let link = |(number, credentials): (usize, Credentials)| {
            // The gateway's own stream begins with its simulated hardware; this one is beyond every gateway number.
            let mut rng = stream(seed, Purpose::Backoff, number as u64);
            let version = if rng.random_bool(0.5) { session::Version::V5 } else { session::Version::V311 };
            let encoding = if rng.random_bool(0.5) { link::Encoding::Cbor } else { link::Encoding::Json };
            let uplink = stream(seed, Purpose::Uplink, UPLINKS | number as u64);
            Link::new(options.clone(), credentials, link::Speech { version, encoding }, rng, uplink)
        };
        let links = devices.into_iter().enumerate().map(link).collect();
        Self { links, clock: Clock { started: Instant::now(), now } }
    }

    /// The devices in their order.
    pub fn devices(&self) -> Vec<DeviceId> {
        self.links.iter().map(Link::device).collect()
    }

    /// Delivers batches and returns when every one is acknowledged. A device whose connection drops comes back with
    /// growing pauses and sends the same batches again. `uplinks` are the devices' in their order, those left out at the
    /// end are good; devices that are offline are cut off without a word. Answers how many batches were acknowledged with a
    /// refusal, which only MQTT 5 can tell.
    pub async fn deliver(
        &mut self,
        batches: Vec<(usize, Batch)>,
        uplinks: &[Uplink],
    ) -> Result<u64, FleetError> {
        for (link, _) in self.links.iter_mut().zip(uplinks).filter(|(_, uplink)| uplink.offline) {
            link.cut();
        }
        let mut piles: Vec<Vec<Batch>> = self.links.iter().map(|_| Vec::new()).collect();
        for (device, batch) in batches {
            piles.get_mut(device).ok_or(FleetError::NoSuchDevice(device))?.push(batch);
        }
        let uplinks = uplinks.iter().copied().chain(std::iter::repeat(Uplink::default()));
        let clock = self.clock;
        let busy = self.links.iter_mut().zip(piles).zip(uplinks).filter(|((_, pile), _)| !pile.is_empty());
        let refused =
            try_join_all(busy.map(|((link, pile), uplink)| link.deliver(pile, uplink, clock))).await?;
        Ok(refused.into_iter().sum())
    }

    /// Says good-bye on every open connection.
    pub async fn disconnect(&mut self) {
        for link in &mut self.links {
            link.disconnect().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_host_and_port() {
        let options = FleetOptions::to("127.0.0.1:1883").unwrap();
        assert_eq!((options.host.as_str(), options.port), ("127.0.0.1", 1883));
        let options = FleetOptions::to("[::1]:1883").unwrap();
        assert_eq!((options.host.as_str(), options.port), ("::1", 1883));
        assert!(FleetOptions::to("localhost").is_err());
        assert!(FleetOptions::to("localhost:mqtt").is_err());
    }

    #[test]
    fn secrets_are_not_printed() {
        let device = "01890000-0000-7000-8000-000000000001".parse().unwrap();
        let credentials = Credentials { device, secret: "hush".to_owned() };
        assert!(!format!("{credentials:?}").contains("hush"));
    }
}
