//! How much one address, one device or service, and one organization may use of the server.
//!
//! What can wait waits: a client over its rate is not read for a moment. What would have to wait too long is refused, and
//! the refusal names the limit. A limit of 0 is none.

mod failures;
mod pace;

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::{Limit, OrganizationId, Reason};
use tokio::time::Instant;

use crate::access::Identity;
use crate::config;

pub(crate) use failures::Failures;
pub(crate) use pace::Pace;

/// How long a client is made to wait before what it sends is refused.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// The limits of all.
pub(crate) struct Limits {
    config: config::Limits,
    addresses: Table<IpAddr>,
    identities: Table<Identity>,
    organizations: Table<OrganizationId>,
    pub(crate) failures: Failures,
}

type Table<K> = Mutex<HashMap<K, Arc<Share>>>;

/// What one of them has used.
#[derive(Debug, Default)]
struct Share {
    connections: AtomicUsize,
    /// Those of them that have not signed in.
    handshakes: AtomicUsize,
    sign_ins: Option<Pace>,
    messages: Option<Pace>,
    bytes: Option<Pace>,
}

/// A limit that was hit: the name that refusals carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Over(pub(crate) &'static str);

impl Over {
    /// As receipts and the loss ledger name it; none for what has nothing to do with messages.
    pub(crate) fn of_messages(self) -> Option<Limit> {
        let named = |limit: &Limit| {
            Reason::RateLimited(*limit).as_str().strip_prefix("rate_limited:") == Some(self.0)
        };
        let all = [
            Limit::MessagesPerSecond,
            Limit::BytesPerSecond,
            Limit::OrganizationMessagesPerSecond,
            Limit::OrganizationBytesPerSecond,
        ];
        all.into_iter().find(named)
    }
}

/// A connection that is counted for as long as this lives.
#[derive(Debug)]
pub(crate) struct Counted {
    share: Arc<Share>,
    /// It has not signed in, and is counted for that too.
    is_new: bool,
    /// How many of those its address may have.
    handshakes: usize,
}

/// What a connection may send.
#[derive(Debug)]
pub(crate) struct Allowance {
    identity: Arc<Share>,
    organization: Arc<Share>,
    /// Nothing is limited.
    is_free: bool,
    _counted: Counted,
}

impl Limits {
    pub(crate) fn new(config: config::Limits) -> Self {
        let (addresses, identities, organizations) = Default::default();
        Self { config, addresses, identities, organizations, failures: Failures::default() }
    }

    /// Counts a new connection of an address.
    pub(crate) fn enter(&self, address: IpAddr) -> Result<Counted, Over> {
        let config = &self.config.address;
        let sign_ins = || limited(f64::from(config.sign_ins_per_minute) / 60.0, 60.0);
        let new = || Share { sign_ins: sign_ins(), ..Share::default() };
        let share = share(&self.addresses, origin(address), new);
        let mut counted =
            Counted::within(share, config.connections).ok_or(Over("connections_per_address"))?;
        counted.is_new = true;
        counted.handshakes = config.handshakes;
        let before = counted.share.handshakes.fetch_add(1, Ordering::AcqRel);
        let is_free = config.handshakes == 0 || before < config.handshakes;
        is_free.then_some(counted).ok_or(Over("handshakes_per_address"))
    }

    /// Counts a connection that signed in. One that takes over another's session takes its place too.
    pub(crate) fn allow(
        &self,
        identity: Identity,
        organization: OrganizationId,
        takes_over: bool,
    ) -> Result<Allowance, Over> {
        let new = |messages_per_s: u32, bytes_per_s: u64| Share {
            messages: limited(f64::from(messages_per_s), BURST_S),
            bytes: limited(bytes_per_s as f64, BURST_S),
            ..Share::default()
        };
        let (all, one) = (&self.config.organization, &self.config.device);
        let of_organization =
            share(&self.organizations, organization, || new(all.messages_per_s, all.bytes_per_s));
        let most = if takes_over { 0 } else { all.connections };
        let counted = Counted::within(Arc::clone(&of_organization), most);
        let of_identity = share(&self.identities, identity, || new(one.messages_per_s, one.bytes_per_s));
        let is_free = [&of_identity, &of_organization].iter().all(|share| share.is_free());
        Ok(Allowance {
            identity: of_identity,
            organization: of_organization,
            is_free,
            _counted: counted.ok_or(Over("connections_per_organization"))?,
        })
    }

    /// How many connections a device may have at once.
    pub(crate) fn connections(&self, identity: Identity) -> Option<usize> {
        let limit = self.config.device.connections;
        (matches!(identity, Identity::Device(_)) && limit > 0).then_some(limit)
    }

    /// How many connections have not signed in.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn handshakes(&self) -> usize {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.values().map(|share| share.handshakes.load(Ordering::Acquire)).sum()
    }

    /// Forgets those that have no connection and have used nothing lately.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        sweep(&self.addresses, now);
        sweep(&self.identities, now);
        sweep(&self.organizations, now);
        self.failures.sweep(now);
    }
}

/// What may come at once, in seconds of the rate.
const BURST_S: f64 = 5.0;

impl Allowance {
    /// Takes a message of so many bytes; answers for how long nothing more should be read.
    pub(crate) fn take(&self, bytes: usize) -> Result<Duration, Over> {
        if self.is_free {
            return Ok(Duration::ZERO);
        }
        let now = Instant::now();
        let mut wait = Duration::ZERO;
        let paces = [
            (&self.identity.messages, 1.0, "messages_per_s"),
            (&self.identity.bytes, bytes as f64, "bytes_per_s"),
            (&self.organization.messages, 1.0, "organization_messages_per_s"),
            (&self.organization.bytes, bytes as f64, "organization_bytes_per_s"),
        ];
        for (index, (pace, count, limit)) in paces.iter().enumerate() {
            let Some(pace) = pace else { continue };
            let Some(longer) = pace.take(*count, PATIENCE, now) else {
                let taken =
                    paces[..index].iter().filter_map(|(pace, count, _)| Some((pace.as_ref()?, count)));
                taken.for_each(|(pace, count)| pace.give_back(*count));
                return Err(Over(limit));
            };
            wait = wait.max(longer);
        }
        Ok(wait)
    }
}

impl Share {
    fn is_free(&self) -> bool {
        self.messages.is_none() && self.bytes.is_none()
    }
}

impl Counted {
    /// Counts an attempt to sign in from the address.
    pub(crate) fn sign_in(&self) -> Result<(), Over> {
        let pace = self.share.sign_ins.as_ref();
        let taken = pace.is_none_or(|pace| pace.take(1.0, Duration::ZERO, Instant::now()).is_some());
        if taken { Ok(()) } else { Err(Over("sign_ins_per_address")) }
    }

    /// It has signed in.
    pub(crate) fn welcome(&mut self) {
        if std::mem::take(&mut self.is_new) {
            self.share.handshakes.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// It says goodbye, and is counted once more among those that have not signed in: nobody may keep places by not closing.
    /// False where there are too many of them.
    pub(crate) fn goodbye(&mut self) -> bool {
        if !std::mem::replace(&mut self.is_new, true) {
            let before = self.share.handshakes.fetch_add(1, Ordering::AcqRel);
            return self.handshakes == 0 || before < self.handshakes;
        }
        true
    }

    fn within(share: Arc<Share>, limit: usize) -> Option<Self> {
        let counted = Self { share, is_new: false, handshakes: 0 };
        let before = counted.share.connections.fetch_add(1, Ordering::AcqRel);
        (limit == 0 || before < limit).then_some(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.welcome();
        self.share.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What counts as one address: of version 6 the network of 64 bits that its holder has to choose from (RFC 4291 section 2.5.4).
pub(crate) fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mut segments = address.segments();
            segments[4..].fill(0);
            IpAddr::from(segments)
        }
        IpAddr::V4(address) => address.into(),
    }
}

/// A rate of 0 is no limit.
fn limited(per_s: f64, burst_s: f64) -> Option<Pace> {
    (per_s > 0.0).then(|| Pace::new(per_s, burst_s))
}

fn share<K: Eq + Hash>(table: &Table<K>, key: K, new: impl FnOnce() -> Share) -> Arc<Share> {
    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(table.entry(key).or_insert_with(|| Arc::new(new())))
}

fn sweep<K: Eq + Hash>(table: &Table<K>, now: Instant) {
    let is_full = |pace: &Option<Pace>| pace.as_ref().is_none_or(|pace| pace.is_full(now));
    table.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, share| {
        Arc::strong_count(share) > 1
            || !(is_full(&share.sign_ins) && is_full(&share.messages) && is_full(&share.bytes))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::NOBODY;

    fn limits(change: impl FnOnce(&mut config::Limits)) -> Limits {
        let mut config = config::Limits::default();
        change(&mut config);
        Limits::new(config)
    }

    const NEAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn an_address_has_so_many_connections_and_sign_ins() {
        let limits = limits(|config| {
            config.address.connections = 2;
            config.address.sign_ins_per_minute = 2;
        });
        let (one, two) = (limits.enter(NEAR).expect("free"), limits.enter(NEAR).expect("free"));
        assert_eq!(limits.enter(NEAR).err(), Some(Over("connections_per_address")));
        assert!(one.sign_in().is_ok() && two.sign_in().is_ok());
        assert_eq!(one.sign_in(), Err(Over("sign_ins_per_address")));
        drop(one);
        assert!(limits.enter(NEAR).is_ok(), "its place is free again");
        limits.sweep();
        drop(two);
        limits.sweep();
        let again = limits.enter(NEAR).expect("free");
        assert_eq!(again.sign_in(), Err(Over("sign_ins_per_address")), "what was used is not forgotten");
    }

    #[test]
    fn an_address_has_so_many_connections_that_have_not_signed_in() {
        let limits = limits(|config| config.address.handshakes = 1);
        let mut known = limits.enter(NEAR).expect("free");
        assert_eq!(limits.enter(NEAR).err(), Some(Over("handshakes_per_address")));
        known.welcome();
        let new = limits.enter(NEAR).expect("the first has signed in");
        drop(known);
        assert!(limits.enter(NEAR).is_err());
        drop(new);
        let network = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        let _one = limits.enter(network(1)).expect("free");
        assert!(limits.enter(network(2)).is_err(), "one network of version 6 counts as one");
        assert_eq!(origin("::ffff:10.0.0.1".parse().expect("an address")), IpAddr::from([10, 0, 0, 1]));
    }

    #[test]
    fn a_goodbye_counts_as_a_handshake_again() {
        let limits = limits(|config| config.address.handshakes = 2);
        let mut leaving = limits.enter(NEAR).expect("free");
        leaving.welcome();
        let other = limits.enter(NEAR).expect("free");
        assert!(leaving.goodbye() && limits.handshakes() == 2);
        assert!(limits.enter(NEAR).is_err(), "both places are taken");
        drop(other);
        let mut more = limits.enter(NEAR).expect("free");
        more.welcome();
        let _third = limits.enter(NEAR).expect("free");
        assert!(!more.goodbye(), "it may not linger");
        drop((leaving, more));
        assert_eq!(limits.handshakes(), 1);
    }

    #[test]
    fn rates_make_wait_and_then_refuse() {
        let limits = limits(|config| {
            config.device.messages_per_s = 10;
            config.organization.bytes_per_s = 1000;
            config.organization.connections = 1;
        });
        let allow = |takes_over| limits.allow(Identity::Anonymous, NOBODY, takes_over);
        let allowance = allow(false).expect("free");
        assert!(allow(false).is_err(), "one connection of the organization");
        assert!(allow(true).is_ok(), "the same client again");
        for _ in 0..50 {
            assert_eq!(allowance.take(1), Ok(Duration::ZERO), "a burst");
        }
        let wait = allowance.take(1).expect("a short wait");
        assert!(wait > Duration::ZERO && wait <= Duration::from_millis(100));
        let owed = allowance.take(9000).expect("more than can ever be there waits for all there can be");
        assert!(owed <= Duration::from_millis(200), "{owed:?}");
        for _ in 0..100 {
            // If what is refused cost its message, the other limit would be the next.
            assert_eq!(allowance.take(1), Err(Over("organization_bytes_per_s")));
        }
    }
}
