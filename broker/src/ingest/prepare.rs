//! Reading a batch: what of it is good, what is refused and why, and where each ping belongs.

use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use protocol::{
    Batch, BatchError, Boot, Decoded, DeviceId, DeviceKind, Identifier, Limit, OrganizationId, Ping, Reason,
};
use protocol::{Subject, Timestamp, VenueId};
use siphasher::sip::SipHasher13;
use store::segment::PackedPing;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Awaited;
use super::clock::{check_age, correction};
use crate::beacons::{Air, Gathering};
use crate::facts::Observed;
use crate::metrics::Metrics;
use crate::registry::{Effort, Heard, Rate, Reporter, View, content};

/// For how long nothing more is read from a device that sent more than it may.
const PAUSE: Duration = Duration::from_millis(100);

/// The times a batch is held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    /// When the batch was received.
    pub(super) received: Timestamp,
    pub(super) acceptance_window_ms: i64,
    /// The same moment, for the rate.
    pub(super) now: Instant,
}

/// A batch that was read, on its way to the ingest log.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(super) device: DeviceId,
    pub(super) organization: OrganizationId,
    pub(super) content: Content,
    pub(super) reply: Option<Awaited>,
    /// Its share of what may wait, given back when it is committed.
    pub(super) room: Option<OwnedSemaphorePermit>,
    /// For how long nothing more should be read from the device.
    pub(super) pause: Option<Duration>,
    /// The server's clock minus the device's, where it told its own.
    pub(super) offset_ms: Option<i64>,
    /// How much its device may send.
    pub(super) rate: Arc<Rate>,
    /// Where it is noted what becomes of it.
    pub(super) observed: Option<Arc<Observed>>,
}

impl Submission {
    /// As if it were committed.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn settle(self) {
        if let Some(Awaited::Acknowledgement(reply)) = self.reply {
            reply.settle(crate::codec::reason::SUCCESS);
        }
    }

    /// How many pings are to be stored.
    pub(super) fn pings(&self) -> usize {
        match &self.content {
            Content::Numbered { verdict: Verdict::Accept { places, .. }, .. } => {
                places.iter().map(|place| place.pings.len()).sum()
            }
            _ => 0,
        }
    }
}

#[derive(Debug)]
pub(super) enum Content {
    /// Readable: its number, and what is to be done with it.
    Numbered { boot: Boot, seq: u64, first: Option<u64>, verdict: Verdict },
    /// Not even a number could be read.
    Unreadable(Reason),
}

#[derive(Debug)]
pub(super) enum Verdict {
    /// Stored, but for the single pings refused.
    Accept {
        hash: u64,
        places: Vec<Place>,
        refused: Vec<(u32, Reason)>,
        /// What it says of beacons.
        air: Box<Air>,
        nothing_left: bool,
        /// More than the device has left: accepted only if it was refused before and the slower lane has room.
        over: Option<Over>,
    },
    /// Refused as a whole; the hash tells whether the same number was accepted before.
    Refuse { hash: Option<u64>, reason: Reason },
}

/// A batch above a limit.
#[derive(Debug)]
pub(super) struct Over {
    pub(super) limit: Limit,
    pub(super) rate: Arc<Rate>,
    pub(super) count: usize,
    pub(super) now: Instant,
}

/// The part of a batch that belongs to one venue.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) organization: OrganizationId,
    pub(super) venue: VenueId,
    /// The newest time in this part, pings of infrastructure included: they move event time on.
    pub(super) newest: Timestamp,
    /// Each with its subject, anchor and time settled.
    pub(super) pings: Vec<PackedPing>,
}

/// Resolves one message of pings, as far as it could be read.
pub(super) fn prepare(
    view: &View,
    reporter: &Reporter,
    decoded: Result<Decoded, BatchError>,
    limit: Option<Limit>,
    clocks: Clocks,
    metrics: &Metrics,
) -> Submission {
    let mut offset_ms = None;
    let (content, pause) = match decoded {
        Ok(decoded) => {
            offset_ms = decoded.batch.sent.map(|sent| clocks.received.since(sent));
            numbered(view, reporter, decoded, limit, clocks, metrics)
        }
        Err(error) => (unusable(&error), charge(&reporter.rate, 1, clocks.now).1),
    };
    let (device, organization) = (reporter.id, reporter.organization);
    let rate = Arc::clone(&reporter.rate);
    let (reply, room, observed) = (None, None, None);
    Submission { device, organization, content, reply, room, pause, offset_ms, rate, observed }
}

/// Takes from what the device may send, also for what is refused: that costs as much. Answers whether there was enough, and
/// for how long nothing more should be read.
fn charge(rate: &Rate, count: usize, now: Instant) -> (bool, Option<Duration>) {
    match rate.take(count.max(1), now) {
        Some(wait) => (true, (!wait.is_zero()).then_some(wait)),
        None => (false, Some(PAUSE)),
    }
}

fn unusable(error: &BatchError) -> Content {
    match error.number() {
        Some((boot, seq)) => {
            let verdict = Verdict::Refuse { hash: None, reason: error.reason() };
            Content::Numbered { boot, seq, first: None, verdict }
        }
        None => Content::Unreadable(error.reason()),
    }
}

fn numbered(
    view: &View,
    reporter: &Reporter,
    decoded: Decoded,
    limit: Option<Limit>,
    clocks: Clocks,
    metrics: &Metrics,
) -> (Content, Option<Duration>) {
    let Decoded { batch, mut refused } = decoded;
    let Batch { boot, seq, first, sent, pings } = batch;
    let count = pings.len() + refused.len();
    if !reporter.has_consent {
        // What was taken before consent was taken back is a repeat when it comes again.
        let verdict = Verdict::Refuse { hash: Some(hash_of(&pings)), reason: Reason::NoConsent };
        let (_, pause) = charge(&reporter.rate, count, clocks.now);
        return (Content::Numbered { boot, seq, first, verdict }, pause);
    }
    let mut resolver = Resolver {
        view,
        reporter,
        clocks,
        hasher: SipHasher13::new(),
        offset: 0,
        places: Vec::new(),
        beacons: Gathering::default(),
        effort: Effort::new(Effort::BATCH),
        not_admitted: 0,
        not_looked_up: 0,
        infrastructure: 0,
    };
    let offset = correction(sent.map_or(0, |sent| clocks.received.since(sent)));
    resolver.offset = offset.unwrap_or(0);
    let mut index = 0;
    let bad = std::mem::take(&mut refused);
    let mut bad_ones = bad.iter().map(|(index, _)| *index).peekable();
    let (expected, room) = (pings.len(), pings.len());
    for ping in &pings {
        // The index a ping had in the message, where others before it were not readable.
        while bad_ones.next_if_eq(&index).is_some() {
            index += 1;
        }
        if let Err(reason) = resolver.resolve(ping, room) {
            refused.push((index, reason));
        }
        index += 1;
    }
    let nothing_left = refused.len() == expected && expected + bad.len() > 0;
    refused.extend(bad);
    refused.sort_unstable_by_key(|(index, _)| *index);
    metrics.ignore("not_admitted", resolver.not_admitted);
    metrics.ignore("not_looked_up", resolver.not_looked_up);
    metrics.ignore("infrastructure", resolver.infrastructure);
    let hash = resolver.hasher.finish();
    let (is_within, pause) = charge(&reporter.rate, count + resolver.effort.in_pings(), clocks.now);
    let verdict = if offset.is_none() {
        Verdict::Refuse { hash: Some(hash), reason: Reason::ClockSkew }
    } else if let Some(reason) = only_reason(&refused).filter(|_| nothing_left) {
        Verdict::Refuse { hash: Some(hash), reason }
    } else {
        let limit = limit.or((!is_within).then_some(Limit::PingsPerMinute));
        let over = |limit| {
            let rate = Arc::clone(&reporter.rate);
            Over { limit, rate, count: count.max(1), now: clocks.now }
        };
        let places = if nothing_left { Vec::new() } else { resolver.places };
        let fixed = reporter.kind.is_infrastructure().then_some(reporter.id);
        let air = Box::new(resolver.beacons.finish(fixed));
        Verdict::Accept { hash, places, refused, air, nothing_left, over: limit.map(over) }
    };
    (Content::Numbered { boot, seq, first, verdict }, pause)
}

/// The hash of the content of a batch, nothing of which is looked up.
fn hash_of(pings: &[Ping]) -> u64 {
    let mut hasher = SipHasher13::new();
    let mut canonical = [0; Identifier::MAX_LEN];
    for ping in pings {
        content(&mut hasher, ping.id.canonical(&mut canonical), ping);
    }
    hasher.finish()
}

/// The reason that all refused pings share: then the batch is refused as a whole, which says the same in fewer words.
fn only_reason(refused: &[(u32, Reason)]) -> Option<Reason> {
    let (_, reason) = refused.first()?;
    refused.iter().all(|(_, other)| other == reason).then_some(*reason)
}

struct Resolver<'a> {
    view: &'a View,
    reporter: &'a Reporter,
    clocks: Clocks,
    hasher: SipHasher13,
    /// Added to each time, in milliseconds.
    offset: i64,
    places: Vec<Place>,
    beacons: Gathering,
    /// For identifiers that change.
    effort: Effort,
    not_admitted: u64,
    /// Beyond what is computed for one batch.
    not_looked_up: u64,
    infrastructure: u64,
}

impl<'a> Resolver<'a> {
    fn resolve(&mut self, ping: &Ping, room: usize) -> Result<(), Reason> {
        let mut canonical = [0; Identifier::MAX_LEN];
        let canonical = ping.id.canonical(&mut canonical);
        content(&mut self.hasher, canonical, ping);
        let at = ping.at.plus(self.offset);
        check_age(self.clocks.received, at, self.clocks.acceptance_window_ms)?;
        self.beacons.pass(at);
        match self.reporter.kind {
            // What a moving device hears tells where it is itself.
            DeviceKind::Phone | DeviceKind::Tag => self.heard_by_phone(ping, at, room),
            _ => self.heard_by_gateway(ping, canonical, at, room),
        }
    }

    fn heard_by_phone(&mut self, ping: &Ping, at: Timestamp, room: usize) -> Result<(), Reason> {
        let beacon = self.owner(ping, at).filter(|owner| owner.kind.is_infrastructure());
        if let Some(beacon) = beacon {
            self.beacons.hear(beacon.id, ping.rssi, at);
        }
        let placed = beacon.and_then(|beacon| Some((beacon.id, beacon.organization, beacon.venue_at(at)?)));
        let Some((anchor, organization, venue)) = placed else {
            self.ignore(ping);
            return Ok(());
        };
        let subject = self.view.phone(organization, self.reporter.id, at).ok_or(Reason::NotPlaced)?;
        let place = place(&mut self.places, organization, venue, at, room);
        place.pings.push(resolved(ping, subject, anchor, at, false));
        Ok(())
    }

    fn heard_by_gateway(
        &mut self,
        ping: &Ping,
        canonical: &[u8],
        at: Timestamp,
        room: usize,
    ) -> Result<(), Reason> {
        let id = self.reporter.venue_at(at).ok_or(Reason::NotPlaced)?;
        let venue = self.view.venue(id).ok_or(Reason::NotPlaced)?;
        let owner = self.owner(ping, at);
        // An identifier that is registered as it is does not change.
        let is_ephemeral = owner.is_some_and(|owner| owner.identifier() != Some(&ping.id));
        let place = place(&mut self.places, venue.organization, id, at, room);
        match View::heard(venue, &ping.id, owner.map(AsRef::as_ref)) {
            Heard::Subject { transient } => {
                let keys = self.view.pseudonyms(venue.organization).ok_or(Reason::NotPlaced)?;
                let tag = owner.filter(|owner| is_ephemeral && venue.owns_tag(owner));
                let subject = match tag.map(|tag| (tag.identifier(), tag.id)) {
                    // One subject, however often the identifier changes.
                    Some((Some(fixed), _)) => {
                        keys.of_identifier(fixed.canonical(&mut [0; Identifier::MAX_LEN]), at)
                    }
                    Some((None, tag)) => keys.of_device(tag, at),
                    None => keys.of_identifier(canonical, at),
                };
                place.pings.push(resolved(ping, subject, self.reporter.id, at, transient));
            }
            Heard::Infrastructure => {
                self.infrastructure += 1;
                let own = |beacon: &&Arc<Reporter>| {
                    beacon.organization == self.reporter.organization && beacon.id != self.reporter.id
                };
                if let Some(beacon) = owner.filter(own) {
                    self.beacons.hear(beacon.id, ping.rssi, at);
                }
            }
            Heard::NotAdmitted => self.ignore(ping),
        }
        Ok(())
    }

    fn owner(&mut self, ping: &Ping, at: Timestamp) -> Option<&'a Arc<Reporter>> {
        self.view.owner(&ping.id, at, &mut self.effort)
    }

    fn ignore(&mut self, ping: &Ping) {
        if matches!(ping.id, Identifier::Eid(_)) && self.effort.is_spent() {
            self.not_looked_up += 1;
        } else {
            self.not_admitted += 1;
        }
    }
}

fn place(
    places: &mut Vec<Place>,
    organization: OrganizationId,
    venue: VenueId,
    at: Timestamp,
    room: usize,
) -> &mut Place {
    let index = places.iter().position(|place| place.venue == venue).unwrap_or_else(|| {
        places.push(Place { organization, venue, newest: at, pings: Vec::with_capacity(room) });
        places.len() - 1
    });
    let place = &mut places[index];
    place.newest = place.newest.max(at);
    place
}

fn resolved(ping: &Ping, subject: Subject, anchor: DeviceId, at: Timestamp, transient: bool) -> PackedPing {
    let Ping { rssi, tx, max, n, .. } = *ping;
    PackedPing { subject, anchor, at, transient, rssi, tx, max, n }
}
