//! A day at a venue: from the scenario and the seed to steps of batches on the virtual clock, and to the truth.

mod receiver;
mod steps;

pub use steps::{STEP_MS, Step, Steps};

use crate::appliance::Appliance;
use crate::chance::{Purpose, stream};
use crate::day::{Day, DayError};
use crate::fault::{Trouble, troubles};
use crate::fleet::{Credentials, Fleet, FleetError};
use crate::hearing::Hearing;
use crate::radio::Radio;
use crate::registrar::{NewDevice, NewVenue, NewZone, Registrar, RegistrarError};
use crate::scenario::Scenario;
use crate::truth::Truth;
use crate::walker::{FloorPlan, Shopper, shoppers};
use protocol::{DeviceKind, Identifier, Timestamp, VenueId, ZoneId};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// One simulated day. Everything in it follows from the scenario, the seed and the date.
#[derive(Clone, Debug)]
pub struct Simulation {
    scenario: Scenario,
    seed: u64,
    day: Day,
    plan: FloorPlan,
    radio: Radio,
    shoppers: Vec<Shopper>,
    beacons: Vec<Identifier>,
    troubles: Vec<Trouble>,
    speed: Option<f64>,
}

/// How far a running day has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The virtual clock.
    pub at: Timestamp,
    /// From 0 to 1.
    pub share: f64,
    /// Pings sent and acknowledged so far.
    pub pings: u64,
    /// Batches sent and acknowledged so far.
    pub batches: u64,
    /// Batches of which the platform has told (MQTT 5 only) that it took nothing.
    pub refused: u64,
}

/// What the platform made of the scenario's venue.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The venue.
    pub venue: VenueId,
    /// The zones in the scenario's order.
    pub zones: Vec<ZoneId>,
    /// How each gateway signs in, in the scenario's order.
    pub gateways: Vec<Credentials>,
    /// The things that can be controlled, in the scenario's order, to be started.
    pub appliances: Vec<Appliance>,
}

impl Simulation {
    /// The given day of a scenario.
    pub fn new(scenario: Scenario, seed: u64, date: jiff::civil::Date) -> Result<Self, DayError> {
        let day = Day::new(&scenario.venue, date)?;
        let plan = FloorPlan::new(&scenario);
        let radio = Radio::new(&scenario, &plan);
        let shoppers = shoppers(&scenario, &plan, seed, &day);
        let beacons = (0..scenario.beacons.len()).map(|number| beacon_identifier(seed, number)).collect();
        let troubles = troubles(&scenario, &day, seed);
        Ok(Self { scenario, seed, day, plan, radio, shoppers, beacons, troubles, speed: None })
    }

    /// Runs at most that many virtual seconds in a real one, instead of as fast as the platform acknowledges.
    pub fn at_speed(self, speed: Option<f64>) -> Self {
        Self { speed, ..self }
    }

    /// The day's window on the virtual clock.
    pub fn day(&self) -> &Day {
        &self.day
    }

    /// The scenario it runs.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Everyone who comes, in the order of their first arrival.
    pub fn shoppers(&self) -> &[Shopper] {
        &self.shoppers
    }

    /// What really happens on this day, as far as it can be heard. Worked out anew on every call: a second of work for the
    /// largest scenario.
    pub fn truth(&self) -> Truth {
        let hearing = Hearing::new(&self.plan, &self.radio, &self.troubles);
        Truth::of(&self.shoppers, &hearing, &self.day)
    }

    /// The batches of the day, step by step of the virtual clock.
    pub fn steps(&self) -> Steps<'_> {
        Steps::new(self)
    }

    /// Registers the venue, its zones, gateways, beacons and appliances, and the first fixed addresses as tags.
    pub async fn register(&self, registrar: &Registrar) -> Result<Registration, RegistrarError> {
        let admits = if self.scenario.identifiers.ibeacon > 0.0 {
            vec![format!("ibeacon:{}", self.scenario.identifiers.ibeacon_uuid)]
        } else {
            Vec::new()
        };
        let plan = &self.scenario.venue;
        let venue = NewVenue {
            name: plan.name.clone(),
            timezone: plan.timezone.clone(),
            day_starts_at: plan.day_starts_at.to_string(),
            locale: plan.locale.clone(),
            admits,
        };
        let venue = registrar.venue(&venue).await?;
        let zones = self.register_zones(registrar, venue).await?;
        let mut gateways = Vec::with_capacity(self.scenario.gateways.len());
        for gateway in &self.scenario.gateways {
            let zone = self.scenario.zone(&gateway.zone).map(|zone| zones[zone]);
            let device = NewDevice {
                kind: DeviceKind::Gateway,
                name: gateway.name.clone(),
                venue: Some(venue),
                zone,
                position: Some(gateway.position.map(f64::from)),
                identifier: None,
                profile: None,
            };
            gateways.push(registrar.device(&device).await?);
        }
        for (beacon, identifier) in self.scenario.beacons.iter().zip(&self.beacons) {
            let zone = self.scenario.zone(&beacon.zone).map(|zone| zones[zone]);
            let device = NewDevice {
                kind: DeviceKind::Beacon,
                name: beacon.name.clone(),
                venue: Some(venue),
                zone,
                position: Some(beacon.position.map(f64::from)),
                identifier: Some(identifier.clone()),
                profile: None,
            };
            registrar.transmitter(&device).await?;
        }
        for (number, identifier) in (1..).zip(self.tags()) {
            let device = NewDevice {
                kind: DeviceKind::Tag,
                name: format!("tag {number}"),
                venue: None,
                zone: None,
                position: None,
                identifier: Some(identifier.clone()),
                profile: None,
            };
            registrar.transmitter(&device).await?;
        }
        let appliances = self.register_appliances(registrar, venue, &zones).await?;
        Ok(Registration { venue, zones, gateways, appliances })
    }

    async fn register_appliances(
        &self,
        registrar: &Registrar,
        venue: VenueId,
        zones: &[ZoneId],
    ) -> Result<Vec<Appliance>, RegistrarError> {
        let mut appliances = Vec::with_capacity(self.scenario.appliances.len());
        for plan in &self.scenario.appliances {
            let device = NewDevice {
                kind: plan.kind,
                name: plan.name.clone(),
                venue: Some(venue),
                zone: self.scenario.zone(&plan.zone).map(|zone| zones[zone]),
                position: None,
                identifier: None,
                profile: Some(plan.profile.clone()),
            };
            appliances.push(Appliance {
                credentials: registrar.device(&device).await?,
                capabilities: plan.profile.capabilities.clone(),
                manners: plan.manners.clone(),
            });
        }
        Ok(appliances)
    }

    async fn register_zones(
        &self,
        registrar: &Registrar,
        venue: VenueId,
    ) -> Result<Vec<ZoneId>, RegistrarError> {
        let mut zones: Vec<ZoneId> = Vec::with_capacity(self.scenario.zones.len());
        for plan in &self.scenario.zones {
            // Only zones that exist already can be named; the other end names the rest.
            let neighbours = plan.neighbours.iter().filter_map(|name| self.scenario.zone(name));
            let neighbours = neighbours.filter_map(|zone| zones.get(zone).copied()).collect();
            let corners = plan.shape().map(|shape| {
                shape.corners().iter().map(|corner| [f64::from(corner.x), f64::from(corner.y)]).collect()
            });
            let zone = NewZone { name: plan.name.clone(), kind: plan.kind, neighbours, polygon: corners };
            zones.push(registrar.zone(venue, &zone).await?);
        }
        Ok(zones)
    }

    /// Sends the whole day through real connections, one per gateway in the scenario's order. A step begins when the
    /// one before it is acknowledged. `progress` is called after every step.
    pub async fn run(
        &self,
        fleet: &mut Fleet,
        mut progress: impl FnMut(Progress),
    ) -> Result<Progress, FleetError> {
        let mut so_far = Progress { at: self.day.from, share: 0.0, pings: 0, batches: 0, refused: 0 };
        let (started, mut busy_ms) = (Instant::now(), 0_i64);
        for step in self.steps() {
            if let Some(speed) = self.speed.filter(|speed| *speed > 0.0)
                && !step.batches.is_empty()
            {
                busy_ms += STEP_MS;
                sleep_until(started + Duration::from_secs_f64(busy_ms as f64 / 1000.0 / speed)).await;
            }
            so_far.at = step.to;
            so_far.share = (step.to.since(self.day.from) as f64 / self.day.length_ms() as f64).min(1.0);
            so_far.pings += step.batches.iter().map(|(_, batch)| batch.pings.len() as u64).sum::<u64>();
            so_far.batches += step.batches.len() as u64;
            so_far.refused += fleet.deliver(step.batches, &step.uplinks).await?;
            progress(so_far);
        }
        fleet.disconnect().await;
        Ok(so_far)
    }

    /// How long a shopper's transmitter is silent after an advertisement, in milliseconds.
    fn shopper_interval(&self, number: usize, rng: &mut ChaCha8Rng) -> i64 {
        match &self.scenario.sleep {
            Some(sleep) if self.shoppers[number].sleeps => sleep.silence.draw(rng),
            _ => self.scenario.radio.advertising_interval_ms,
        }
    }

    fn tags(&self) -> impl Iterator<Item = &Identifier> {
        let fixed = self.shoppers.iter().filter_map(|shopper| match shopper.identifiers.as_slice() {
            [identifier @ Identifier::Ble { random: false, .. }] => Some(identifier),
            _ => None,
        });
        fixed.take(self.scenario.identifiers.registered_tags as usize)
    }
}

/// A static random address; `ff` in its fourth byte keeps it away from the shoppers'.
fn beacon_identifier(seed: u64, number: usize) -> Identifier {
    use rand::RngExt;
    let high: [u8; 3] = stream(seed, Purpose::Identity, 1 + number as u64).random();
    Identifier::Ble {
        address: [high[0] | 0b1100_0000, high[1], high[2], 0xff, 0, number as u8],
        random: false,
    }
}
