//! From what BlueZ says of an address to advertisements with an identifier.
//!
//! BlueZ tells level and data of one advertisement as two events, the level first, and of what sends no data the level
//! alone. So the level is kept for the data that follow it, and an address that is known to send no frame of a beacon is
//! heard by its level.

use std::time::Duration;

use protocol::beacon::{BeaconError, Frame};
use protocol::{Identifier, Timestamp};
use tokio::sync::watch;

use crate::config::{BluetoothConfig, Format};
use crate::scan::{Heard, Interest};

use super::book::{Address, Book, Manner};
use super::telemetry::Telemetry;

/// Now, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) elapsed: Duration,
}

/// What is heard at once.
#[derive(Debug, Default)]
pub(super) struct Catch {
    pub(super) heard: Vec<Heard>,
    pub(super) telemetry: Vec<Telemetry>,
}

/// What BlueZ says of an address that it shows for the first time.
#[derive(Debug)]
pub(super) struct Newcomer<F> {
    pub(super) random: bool,
    pub(super) rssi: Option<i16>,
    pub(super) frames: F,
}

/// What is listened for, and to whom.
#[derive(Debug)]
pub(super) struct Ear {
    book: Book,
    /// As it is at that moment.
    interest: watch::Receiver<Interest>,
}

impl Ear {
    pub(super) fn new(config: &BluetoothConfig, interest: watch::Receiver<Interest>) -> Self {
        Self { book: Book::new(config.forget()), interest }
    }

    /// Whether BlueZ must be asked what kind of address it is, as nothing can be reported of it before.
    pub(super) fn wonders(&self, address: Address) -> bool {
        let by_address = self.wants(Format::Ble) || self.wants(Format::EddystoneUrl);
        by_address && self.book.get(address).is_none_or(|entry| entry.random.is_none())
    }

    /// What kind of address it is.
    pub(super) fn learn(&mut self, address: Address, random: bool, now: Moment) {
        self.book.hear(address, now.elapsed).random = Some(random);
    }

    /// An address that BlueZ shows for the first time, with all that it knows.
    pub(super) fn meet(
        &mut self,
        address: Address,
        newcomer: Newcomer<impl Iterator<Item = Result<Frame, BeaconError>>>,
        now: Moment,
        catch: &mut Catch,
    ) {
        let entry = self.book.hear(address, now.elapsed);
        entry.random = Some(newcomer.random);
        // Known to BlueZ from some other time, and not heard now.
        let Some(rssi) = newcomer.rssi.and_then(level) else { return };
        entry.rssi = Some(rssi);
        self.frames(address, newcomer.frames, now, catch);
        // BlueZ forgets whom it did not hear for a while, and shows them anew: that, too, is one advertisement.
        if self.book.hear(address, now.elapsed).manner != Manner::Beacon {
            self.plain(address, now, catch);
        }
    }

    /// A level at which an address was heard; the data that came with it, if any, follow.
    pub(super) fn level(&mut self, address: Address, rssi: i16, now: Moment, catch: &mut Catch) {
        let entry = self.book.hear(address, now.elapsed);
        let is_second = entry.rssi.is_some();
        entry.rssi = level(rssi);
        match entry.manner {
            Manner::Plain => self.plain(address, now, catch),
            // One level without a frame after it is enough to know.
            Manner::Unknown if is_second => self.plain(address, now, catch),
            Manner::Beacon | Manner::Unknown => {}
        }
    }

    /// Frames that an address sent, at the level that was told before.
    pub(super) fn frames(
        &mut self,
        address: Address,
        frames: impl Iterator<Item = Result<Frame, BeaconError>>,
        now: Moment,
        catch: &mut Catch,
    ) {
        for frame in frames.flatten() {
            let entry = self.book.hear(address, now.elapsed);
            entry.manner = Manner::Beacon;
            let rssi = entry.rssi;
            let id = match &frame {
                Frame::Tlm(_) => entry.id.clone(),
                Frame::Url(_) => entry.random.map(|random| Identifier::Ble { address, random }),
                _ => frame.identifier(),
            };
            if !self.wants(format_of(&frame)) {
                continue;
            }
            let Some(id) = id.filter(|id| self.is_of_interest(id)) else { continue };
            if let Frame::Tlm(tlm) = &frame {
                catch.telemetry.push(Telemetry { id: id.clone(), at: now.at, tlm: *tlm });
            } else {
                self.book.hear(address, now.elapsed).id = Some(id.clone());
            }
            self.report(id, rssi, frame.tx(), now, catch);
        }
    }

    /// Somebody who sends no frame of a beacon.
    fn plain(&mut self, address: Address, now: Moment, catch: &mut Catch) {
        let entry = self.book.hear(address, now.elapsed);
        entry.manner = Manner::Plain;
        let (rssi, random) = (entry.rssi, entry.random);
        if self.wants(Format::Ble)
            && let Some(random) = random
            && let id = (Identifier::Ble { address, random })
            && self.is_of_interest(&id)
        {
            self.report(id, rssi, None, now, catch);
        }
    }

    fn report(&self, id: Identifier, rssi: Option<i8>, tx: Option<i8>, now: Moment, catch: &mut Catch) {
        if let Some(rssi) = rssi.filter(|&rssi| self.interest.borrow().reaches(rssi)) {
            catch.heard.push(Heard { id, rssi, at: now.at, tx });
        }
    }

    fn wants(&self, format: Format) -> bool {
        self.interest.borrow().wants(format)
    }

    fn is_of_interest(&self, id: &Identifier) -> bool {
        self.interest.borrow().includes(id)
    }

    #[cfg(test)]
    pub(super) fn book(&self) -> &Book {
        &self.book
    }
}

/// A level that can be one: 127 says that it is not known (Core Specification 5.4, volume 4 part E section 7.7.65.2).
fn level(rssi: i16) -> Option<i8> {
    i8::try_from(rssi).ok().filter(|rssi| (-127..=20).contains(rssi))
}

fn format_of(frame: &Frame) -> Format {
    match frame {
        Frame::IBeacon(_) => Format::Ibeacon,
        Frame::Uid(_) => Format::EddystoneUid,
        Frame::Url(_) => Format::EddystoneUrl,
        Frame::Tlm(_) => Format::EddystoneTlm,
        Frame::Eid(_) => Format::EddystoneEid,
        Frame::AltBeacon(_) => Format::Altbeacon,
    }
}

#[cfg(test)]
mod tests;
