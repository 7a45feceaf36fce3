//! Failed tries: each makes the refusal of the next one slower, and where guessing is cheap, many are too many.
//!
//! A wrong password only waits. Whoever has the right one is let in at once, so nobody can lock a person out. Guessing a
//! second factor or a code on a screen is another matter: they are short, and such tries are counted before they are looked
//! at, so that many at once count as many.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::{AccountId, Timestamp};

/// How long the refusal of the second wrong try in a row waits; it doubles with each.
const FIRST_MS: u64 = 100;
const LONGEST_MS: u64 = 5_000;
/// After so long without a try, all is forgotten.
const FORGOTTEN_MS: i64 = 10 * 60_000;
/// How many short codes may be tried in that time.
const TRIES: u32 = 10;
/// How many sign-ins may be begun in that time from an address: each is a row until it is over.
const BEGUN: u32 = 60;
/// How many addresses, and how many names, are remembered. Above it, those that were longest unused go.
const REMEMBERED: usize = 100_000;
/// Characters of a name that are remembered; no account has a longer address.
const NAME: usize = 320;
/// The part of an address of version 6 that one customer has to themselves (RFC 6177).
const NETWORK: u128 = !0 << 64;

/// Whose tries are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// Everybody behind an address.
    Address(IpAddr),
    /// An e-mail address, whether or not anybody has it.
    Email(String),
    /// The second factor of an account.
    SecondFactor(AccountId),
    /// The codes of devices that an account types.
    UserCode(AccountId),
    /// Answers of providers that come from an address and are refused.
    Answer(IpAddr),
    /// Mail that anybody can have sent to an address.
    Mail(String),
    /// Sign-ins by passkeys and providers that an address began.
    Begun(IpAddr),
}

/// The latest tries.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    recent: Mutex<Recent>,
}

/// What strangers make up as they like is apart from what there are only as many of as accounts, which never has to go.
#[derive(Debug, Default)]
struct Recent {
    addresses: HashMap<Who, Tries>,
    names: HashMap<Who, Tries>,
    accounts: HashMap<Who, Tries>,
    /// Grows with each use, so that no two are of the same moment.
    uses: u64,
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    count: u32,
    first: Timestamp,
    last: Timestamp,
    used: u64,
}

impl Attempts {
    /// Notes a wrong password; answers how long its refusal should wait.
    pub(crate) fn failed(&self, all: impl IntoIterator<Item = Who>, now: Timestamp) -> Duration {
        let mut recent = self.recent();
        let waits = all.into_iter().map(|who| match recent.count(who, now) {
            1 => 0,
            tries => (FIRST_MS << (tries - 2).min(10)).min(LONGEST_MS),
        });
        Duration::from_millis(waits.max().unwrap_or_default())
    }

    /// Counts a try of a short code, or the like, before it is looked at. Gives whether it may be.
    pub(crate) fn may_try(&self, who: Who, now: Timestamp) -> bool {
        let most = if matches!(who, Who::Begun(_)) { BEGUN } else { TRIES };
        self.recent().count(who, now) <= most
    }

    /// Forgets the tries of whoever succeeded.
    pub(crate) fn succeeded(&self, who: &Who) {
        let who = who.clone().shortened();
        self.recent().of_kind(&who).remove(&who);
    }

    /// Forgets what is old.
    pub(crate) fn sweep(&self, now: Timestamp) {
        let Recent { addresses, names, accounts, .. } = &mut *self.recent();
        for of_kind in [addresses, names, accounts] {
            of_kind.retain(|_, tries| now.since(tries.last) <= FORGOTTEN_MS);
        }
    }

    /// A panic elsewhere cannot leave the map half changed.
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    /// How many tries that makes.
    fn count(&mut self, who: Who, now: Timestamp) -> u32 {
        let who = who.shortened();
        self.uses += 1;
        let used = self.uses;
        let of_kind = self.of_kind(&who);
        if of_kind.len() >= REMEMBERED && who.is_made_up() && !of_kind.contains_key(&who) {
            make_room(of_kind);
        }
        // Who begins sign-ins does nothing wrong, and need not pause for the rest to be forgotten.
        let is_by_window = matches!(who, Who::Begun(_));
        let tries = of_kind.entry(who).or_insert(Tries { count: 0, first: now, last: now, used });
        if now.since(if is_by_window { tries.first } else { tries.last }) > FORGOTTEN_MS {
            (tries.count, tries.first) = (0, now);
        }
        (tries.count, tries.last, tries.used) = (tries.count.saturating_add(1), now, used);
        tries.count
    }

    fn of_kind(&mut self, who: &Who) -> &mut HashMap<Who, Tries> {
        match who {
            Who::Address(_) | Who::Answer(_) | Who::Begun(_) => &mut self.addresses,
            Who::Email(_) | Who::Mail(_) => &mut self.names,
            Who::SecondFactor(_) | Who::UserCode(_) => &mut self.accounts,
        }
    }
}

impl Who {
    /// As it is remembered: whoever has a whole network is one, and nobody fills the memory with a long name.
    fn shortened(self) -> Self {
        match self {
            Self::Address(address) => Self::Address(network(address)),
            Self::Answer(address) => Self::Answer(network(address)),
            Self::Begun(address) => Self::Begun(network(address)),
            Self::Email(name) => Self::Email(start(name)),
            Self::Mail(name) => Self::Mail(start(name)),
            account @ (Self::SecondFactor(_) | Self::UserCode(_)) => account,
        }
    }

    /// Whether a stranger can have made it up.
    fn is_made_up(&self) -> bool {
        !matches!(self, Self::SecondFactor(_) | Self::UserCode(_))
    }
}

/// Everybody who is counted as one: an address of version 4, or a network of version 6.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
        address @ IpAddr::V4(_) => address,
    }
}

fn start(name: String) -> String {
    match name.char_indices().nth(NAME) {
        Some((end, _)) => name[..end].to_owned(),
        None => name,
    }
}

/// Forgets the tenth that was longest unused: not one for each that comes, which would have to be looked for among all.
fn make_room(of_kind: &mut HashMap<Who, Tries>) {
    let mut uses: Vec<u64> = of_kind.values().map(|tries| tries.used).collect();
    let (_, youngest, _) = uses.select_nth_unstable(REMEMBERED / 10);
    let youngest = *youngest;
    of_kind.retain(|_, tries| tries.used > youngest);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_772_452_800_000);

    #[test]
    fn each_wrong_password_waits_longer_by_address_and_by_name() {
        let attempts = Attempts::default();
        let address = |last: u8| Who::Address(IpAddr::from([10, 0, 0, last]));
        let email = || Who::Email("ann@example.com".to_owned());
        let waits: Vec<_> = (0..8).map(|_| attempts.failed([address(1)], NOW).as_millis()).collect();
        assert_eq!(waits, [0, 100, 200, 400, 800, 1600, 3200, 5000]);
        assert_eq!(attempts.failed([address(2), email()], NOW), Duration::ZERO);
        assert_eq!(attempts.failed([address(3), email()], NOW).as_millis(), 100, "the name, from elsewhere");
        let later = NOW.plus(FORGOTTEN_MS + 1);
        assert_eq!(attempts.failed([address(1)], later), Duration::ZERO);
        attempts.sweep(later.plus(FORGOTTEN_MS + 1));
        assert!(attempts.recent().addresses.is_empty() && attempts.recent().names.is_empty());
    }

    #[test]
    fn short_codes_are_tried_a_few_times() {
        let attempts = Attempts::default();
        let who = || Who::UserCode(AccountId::from_uuid(uuid::Uuid::nil()));
        assert!((0..TRIES).all(|_| attempts.may_try(who(), NOW)));
        assert!(!attempts.may_try(who(), NOW));
        attempts.succeeded(&who());
        assert!(attempts.may_try(who(), NOW));
    }

    #[test]
    fn strangers_lock_nobody_out() {
        let attempts = Attempts::default();
        let account = |id: u128| AccountId::from_uuid(uuid::Uuid::from_u128(id));
        let guessed = || Who::SecondFactor(account(1));
        assert!((0..TRIES).all(|_| attempts.may_try(guessed(), NOW)));
        for made_up in 0..2 * REMEMBERED {
            let bits = u32::try_from(made_up).unwrap();
            attempts.failed([Who::Address(IpAddr::from(bits.to_be_bytes()))], NOW);
            attempts.may_try(Who::Mail(format!("{made_up}@example.com")), NOW);
        }
        assert!(!attempts.may_try(guessed(), NOW), "it is not forgotten either");
        for new in [
            Who::SecondFactor(account(2)),
            Who::UserCode(account(1)),
            Who::Mail("ann@example.com".to_owned()),
            Who::Answer(IpAddr::from([192, 0, 2, 1])),
        ] {
            assert!(attempts.may_try(new.clone(), NOW), "{new:?}");
        }
        let recent = attempts.recent();
        assert!(recent.addresses.len() <= REMEMBERED && recent.names.len() <= REMEMBERED);
    }

    #[test]
    fn what_was_longest_unused_goes() {
        let attempts = Attempts::default();
        let address = |bits: usize| Who::Address(IpAddr::from(u32::try_from(bits).unwrap().to_be_bytes()));
        for bits in 0..REMEMBERED {
            attempts.failed([address(bits)], NOW);
        }
        attempts.failed([address(0)], NOW);
        attempts.failed([address(REMEMBERED)], NOW);
        assert_eq!(attempts.failed([address(0)], NOW).as_millis(), 200, "it was used a moment ago");
        assert_eq!(attempts.failed([address(REMEMBERED - 1)], NOW).as_millis(), 100);
        assert_eq!(attempts.failed([address(1)], NOW), Duration::ZERO);
    }

    #[test]
    fn a_network_of_version_6_is_one() {
        let attempts = Attempts::default();
        let from = |text: &str| attempts.failed([Who::Address(text.parse().unwrap())], NOW).as_millis();
        assert_eq!(
            [from("2001:db8:0:1::1"), from("2001:db8:0:1:ffff::2"), from("2001:db8:0:2::1")],
            [0, 100, 0]
        );
        assert_eq!([from("192.0.2.1"), from("::ffff:192.0.2.1"), from("192.0.2.2")], [0, 100, 0]);
    }

    #[test]
    fn long_names_are_cut() {
        let attempts = Attempts::default();
        attempts.may_try(Who::Email("\u{e4}".repeat(50_000)), NOW);
        assert!(
            attempts
                .recent()
                .names
                .keys()
                .all(|who| matches!(who, Who::Email(name) if name.len() == 2 * NAME))
        );
    }

    #[test]
    fn sign_ins_may_be_begun_again_without_a_pause() {
        let attempts = Attempts::default();
        let begin = |now| attempts.may_try(Who::Begun(IpAddr::from([192, 0, 2, 1])), now);
        assert!((0..BEGUN).all(|_| begin(NOW)));
        assert!(!begin(NOW.plus(FORGOTTEN_MS)));
        assert!(begin(NOW.plus(FORGOTTEN_MS + 1)));
    }
}
