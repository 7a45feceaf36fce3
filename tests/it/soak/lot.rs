//! What is left to chance: everything that a client does, drawn from the seed and the client's number alone, so that the same
//! seed makes the same lives, however fast the machine is.

use std::fmt;
use std::time::Duration;

use protocol::{Batch, Identifier};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use store::Clock;

use super::Shape;
use super::cast::Role;
use super::death::Death;
use crate::mqtt::{Connect, LEVELS, Property, Publish, Will};
use crate::world::{Transport, batch};

/// One client's luck.
pub(super) struct Lot {
    rng: ChaCha8Rng,
    shape: Shape,
}

/// What a client is in one of its lives.
pub(super) struct Nature {
    pub(super) transport: Transport,
    pub(super) hello: Connect,
    /// Whether the session outlives the connection and its client may say for how long.
    pub(super) may_last: bool,
    pub(super) acts: u32,
    pub(super) death: Death,
}

/// Something that a client does.
pub(super) enum Act {
    Subscribe(Vec<(String, u8)>),
    Unsubscribe(String),
    Publish(Publish),
    Ping,
}

/// How many tags the devices hear.
const TAGS: u8 = 50;

impl Lot {
    pub(super) fn new(shape: Shape, seed: u64, client: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(client as u64);
        Self { rng, shape }
    }

    /// True in so many of a hundred cases.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_ratio(percent, 100)
    }

    /// A number below the bound.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.rng.random_range(0..bound)
    }

    pub(super) fn pause(&mut self) -> Duration {
        self.shape.pause.mul_f64(self.rng.random_range(0.05..1.0))
    }

    pub(super) fn nature(&mut self, client: usize, role: &Role) -> Nature {
        let level = LEVELS[self.below(2)];
        let transport = if self.chance(88) { Transport::Tcp } else { Transport::ALL[self.below(4)] };
        let death = Death::draw(self);
        let expiry_s = if self.chance(60) { self.seconds() } else { 0 };
        let mut hello = Connect::new(level, format!("soak-{client}")).clean(self.chance(50));
        if expiry_s > 0 {
            hello = hello.with(Property::SessionExpiry(expiry_s));
        }
        if self.chance(20) {
            hello = hello.with(Property::ReceiveMaximum(self.rng.random_range(1..20)));
        }
        if self.chance(20) {
            hello = hello.with(Property::TopicAliasMaximum(self.rng.random_range(1..10)));
        }
        if death == Death::Silence {
            // Long enough that a busy machine is no silence.
            hello = hello.keep_alive(5);
        }
        let will = self.will(level);
        if !matches!(role, Role::Device(_)) && self.chance(30) {
            hello = hello.will(will);
        }
        let may_last = level == 5 && expiry_s > 0;
        Nature { transport, hello: role.signs(hello), may_last, acts: self.rng.random_range(1..6), death }
    }

    /// How long something waits.
    pub(super) fn seconds(&mut self) -> u32 {
        self.rng.random_range(1..=self.shape.lasting_s)
    }

    fn will(&mut self, level: u8) -> Will {
        let (expiry, delay) = (self.seconds(), self.rng.random_range(0..=self.shape.lasting_s / 3));
        let payload = vec![b'w'; self.below(400)];
        let will = Will::new(self.topic(), payload).qos(self.qos());
        let will = will.with(Property::MessageExpiry(expiry)).with(Property::WillDelay(delay));
        // Version 3.1.1 cannot say when it is over.
        if self.chance(30) && level == 5 { will.retained() } else { will }
    }

    /// What comes next in the life of a stranger or a service.
    pub(super) fn act(&mut self, level: u8) -> Act {
        match self.below(100) {
            0..30 => {
                let count = self.rng.random_range(1..=3);
                Act::Subscribe((0..count).map(|_| self.filter(level)).collect())
            }
            30..45 => Act::Unsubscribe(self.filter(level).0),
            45..90 => Act::Publish(self.message(level)),
            _ => Act::Ping,
        }
    }

    /// A message to a free topic. What is retained has an end; version 3.1.1 cannot say so, and only takes away.
    pub(super) fn message(&mut self, level: u8) -> Publish {
        let (retain, expiry) = (self.chance(15), self.seconds());
        let payload = if retain && level == 4 { Vec::new() } else { self.payload() };
        let publish = Publish::new(self.topic(), payload).qos(self.qos());
        let publish = if retain { publish.retained() } else { publish };
        if retain || self.chance(30) { publish.with(Property::MessageExpiry(expiry)) } else { publish }
    }

    /// A filter with its options byte.
    pub(super) fn filter(&mut self, level: u8) -> (String, u8) {
        let filter = match self.below(1000) {
            0..2 => "soak/#".to_owned(),
            2..120 => format!("soak/{}/+", self.below(self.shape.levels as usize)),
            _ => self.topic(),
        };
        let (qos, extras) = (self.qos(), [0, 0x04, 0x08, 0x10, 0x20][self.below(5)]);
        if self.chance(15) {
            return (format!("$share/{}/{filter}", self.below(4)), qos);
        }
        (filter, if level == 5 { qos | extras } else { qos })
    }

    pub(super) fn topic(&mut self) -> String {
        let levels = self.shape.levels as usize;
        format!("soak/{}/{}", self.below(levels), self.below(levels))
    }

    pub(super) fn qos(&mut self) -> u8 {
        self.rng.random_range(0..=2)
    }

    /// Mostly short, and now and then longer than a connection's buffers.
    fn payload(&mut self) -> Vec<u8> {
        let length = if self.chance(1) { 100_000 } else { self.below(400) };
        vec![b'x'; length]
    }

    /// A batch with what one of a few tags was heard as.
    pub(super) fn batch(&mut self, seq: u64) -> Batch {
        let now = Clock::System.now();
        let mut batch = batch(seq, [now, now.plus(1)]);
        let random = false;
        let address = [2, 0, 0, 0, 0, self.rng.random_range(0..TAGS)];
        for ping in &mut batch.pings {
            ping.id = Identifier::Ble { address, random };
        }
        batch
    }
}

/// As a failure names it.
impl fmt::Display for Nature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transport, hello, acts, death, .. } = self;
        let session = if hello.clean { "clean" } else { "lasting" };
        write!(f, "version {}, {session}, over {transport}, {acts} acts, {death:?}", hello.level)
    }
}
