//! Packing.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use protocol::{DeviceId, OrganizationId, Timestamp, VenueId};

use super::{BatchHead, PackedPing, VERSION, flag, varint};
use crate::NewSegment;

/// Packs batches into the body of a segment. One builder packs many segments after each other and keeps its buffers.
#[derive(Debug, Default)]
pub struct SegmentBuilder {
    heads: Vec<u8>,
    subjects: Table,
    devices: Table,
    pings: Vec<u8>,
    open: Option<Open>,
    batches: u32,
    count: u32,
    /// Event time of the first ping of the segment.
    base: Option<i64>,
    /// The oldest and the newest event time, of what is not packed too.
    span: Option<(i64, i64)>,
    /// The anchor of the ping before and its index: a gateway's pings all have the same.
    anchor: Option<(DeviceId, u64)>,
}

/// A batch whose pings are still coming.
#[derive(Debug)]
struct Open {
    head: BatchHead,
    device: u64,
    pings: u64,
    /// Where its pings begin.
    begin: usize,
    /// Event time of the ping before.
    at: i64,
}

impl SegmentBuilder {
    /// An empty segment.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a batch; the pings that follow are its.
    pub fn push_batch(&mut self, head: &BatchHead) {
        self.close_batch();
        let device = self.devices.index(head.device.as_uuid().as_u128());
        self.open =
            Some(Open { head: *head, device, pings: 0, begin: self.pings.len(), at: self.base.unwrap_or(0) });
        self.batches += 1;
    }

    /// Adds a ping to the batch begun last. A ping before any batch belongs to nobody and is not packed.
    #[inline]
    pub fn push_ping(&mut self, ping: &PackedPing) {
        let Some(open) = &mut self.open else {
            debug_assert!(false, "a ping without a batch");
            return;
        };
        let at = ping.at.0;
        if self.base.is_none() {
            self.base = Some(at);
            open.at = at;
        }
        self.span = Some(self.span.map_or((at, at), |(oldest, newest)| (oldest.min(at), newest.max(at))));
        let anchor = match self.anchor {
            Some((device, index)) if device == ping.anchor => index,
            _ => {
                let index = self.devices.index(ping.anchor.as_uuid().as_u128());
                self.anchor = Some((ping.anchor, index));
                index
            }
        };
        let bit = |set: bool, flag: u8| if set { flag } else { 0 };
        let flags = bit(ping.transient, flag::TRANSIENT)
            | bit(ping.tx.is_some(), flag::TX)
            | bit(ping.max.is_some(), flag::MAX)
            | bit(ping.n.is_some(), flag::N);
        self.pings.extend_from_slice(&[flags, ping.rssi as u8]);
        varint::put(&mut self.pings, self.subjects.index(ping.subject.0));
        varint::put(&mut self.pings, anchor);
        varint::put(&mut self.pings, varint::zigzag(at.wrapping_sub(open.at)));
        self.pings.extend(ping.tx.into_iter().chain(ping.max).map(|dbm| dbm as u8));
        if let Some(n) = ping.n {
            varint::put(&mut self.pings, u64::from(n));
        }
        open.at = at;
        open.pings += 1;
        self.count += 1;
    }

    /// Notes the event time of a ping that is not packed: what infrastructure sends counts nobody, and yet time goes on.
    pub fn pass(&mut self, at: Timestamp) {
        self.span =
            Some(self.span.map_or((at.0, at.0), |(oldest, newest)| (oldest.min(at.0), newest.max(at.0))));
    }

    /// How many batches were begun.
    pub fn batches(&self) -> u32 {
        self.batches
    }

    /// How many pings were added.
    pub fn pings(&self) -> u32 {
        self.count
    }

    /// Ends the segment and begins the next one. Without any event time it has the time at which it was received.
    pub fn finish(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        position: i64,
        received_at: Timestamp,
    ) -> NewSegment {
        self.close_batch();
        let (from_at, to_at) = self
            .span
            .map_or((received_at, received_at), |(oldest, newest)| (Timestamp(oldest), Timestamp(newest)));
        let segment = NewSegment {
            organization,
            venue,
            position,
            from_at,
            to_at,
            received_at,
            batches: self.batches,
            pings: self.count,
            body: self.body(),
        };
        self.clear();
        segment
    }

    fn close_batch(&mut self) {
        let Some(Open { head, device, pings, begin, .. }) = self.open.take() else { return };
        let boot = head.boot.as_str().as_bytes();
        varint::put(&mut self.heads, device);
        self.heads.push(boot.len() as u8);
        self.heads.extend_from_slice(boot);
        varint::put(&mut self.heads, head.seq);
        self.heads.extend_from_slice(&head.hash.to_le_bytes());
        varint::put(&mut self.heads, pings);
        varint::put(&mut self.heads, (self.pings.len() - begin) as u64);
    }

    fn body(&self) -> Vec<u8> {
        let tables = 16 * (self.subjects.order.len() + self.devices.order.len());
        let mut body = Vec::with_capacity(32 + self.heads.len() + tables + self.pings.len());
        body.push(VERSION);
        varint::put(&mut body, varint::zigzag(self.base.unwrap_or(0)));
        varint::put(&mut body, self.subjects.order.len() as u64);
        varint::put(&mut body, self.devices.order.len() as u64);
        varint::put(&mut body, u64::from(self.batches));
        body.extend_from_slice(&self.heads);
        let ids = self.subjects.order.iter().chain(&self.devices.order);
        ids.for_each(|id| body.extend_from_slice(&id.to_be_bytes()));
        body.extend_from_slice(&self.pings);
        body
    }

    fn clear(&mut self) {
        self.heads.clear();
        self.subjects.clear();
        self.devices.clear();
        self.pings.clear();
        (self.batches, self.count, self.base, self.span, self.anchor) = (0, 0, None, None, None);
    }
}

/// Numbers ids in the order of their first appearance.
#[derive(Debug, Default)]
struct Table {
    indexes: HashMap<u128, u32, BuildHasherDefault<LowBits>>,
    order: Vec<u128>,
}

impl Table {
    #[inline]
    fn index(&mut self, id: u128) -> u64 {
        let next = self.order.len() as u32;
        let index = *self.indexes.entry(id).or_insert(next);
        if index == next {
            self.order.push(id);
        }
        u64::from(index)
    }

    fn clear(&mut self) {
        self.indexes.clear();
        self.order.clear();
    }
}

/// Takes the low half of an id as its hash: pseudonyms are keyed hashes and device ids end in random bits, and neither
/// can be chosen by whoever sends pings.
#[derive(Debug, Default)]
struct LowBits(u64);

impl Hasher for LowBits {
    fn write(&mut self, bytes: &[u8]) {
        // Only 128-bit integers are hashed here; anything else still gets a hash, if a poor one.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, id: u128) {
        // The table takes its position from the low bits and its tags from the top ones; a UUID's variant sits there.
        self.0 = id as u64 ^ (id as u64).rotate_left(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
