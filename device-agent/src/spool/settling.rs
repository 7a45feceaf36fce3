//! What a receipt does to the spool.
//!
//! What was over quota goes back into the spool under a new number. Sending the old number again would be allowed, but
//! a receipt may get lost, and the next one, covering the same number, might have been written before the repeat
//! arrived or after it was accepted. A new number has a fate of its own. The same is done with
//! a batch whose number the platform has seen with other pings.

use protocol::{Ping, Reason, Receipt, Refused};
use tracing::{error, warn};

use super::numbering::Numbering;
use super::{Number, Spool, SpoolError};

/// What came of a receipt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Batches that no longer wait under the number they had.
    pub released: u64,
    /// Whether a quota was used up, so that it is better to wait before sending more.
    pub over_quota: bool,
    /// Whether a new boot began.
    pub renumbered: bool,
    /// What is lost by it, for whoever keeps the log.
    pub refused: Vec<Loss>,
}

/// What the platform refused for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Why.
    pub reason: Reason,
    /// Whole batches.
    pub batches: u64,
    /// Single pings of other batches.
    pub pings: u64,
}

impl Spool {
    /// Deletes what the receipt covers, and takes back what it asks for again.
    pub fn settle(&mut self, receipt: &Receipt) -> Result<Settled, SpoolError> {
        // Of which boot they are nobody knows.
        let unread = receipt.refused.iter().filter_map(|refused| match *refused {
            Refused::Whole { reason } => Some(Loss { reason, batches: 1, pings: 0 }),
            Refused::Batches { .. } | Refused::Pings { .. } => None,
        });
        let unread: Vec<Loss> = unread.collect();
        let numbering = receipt
            .boot
            .and_then(|boot| self.numberings.iter().find(|numbering| numbering.boot == boot))
            .map(|numbering| (numbering.age, numbering.next));
        let Some((age, next)) = numbering else {
            return Ok(Settled { refused: unread, ..Settled::default() });
        };
        let through = receipt.through;
        if age == self.current().age && through.is_some_and(|through| through >= next) {
            return self.renumber(age);
        }
        let mut settled = self.take_back(age, &receipt.refused)?;
        settled.refused.extend(unread);
        let end = through.map_or(0, |through| through.saturating_add(1));
        let released = self.change(age, |numbering| {
            let released = numbering.held(0..end).count() as u64;
            numbering.release_below(end);
            released
        });
        self.counters.released += released;
        settled.released += released;
        if settled.released > 0 {
            self.mark(age);
            self.reclaim();
        }
        Ok(settled)
    }

    /// Goes through the refusals: what is refused for good is released and counted, the rest appended again first.
    fn take_back(&mut self, age: u64, refusals: &[Refused]) -> Result<Settled, SpoolError> {
        let mut settled = Settled::default();
        for refused in refusals {
            match *refused {
                Refused::Batches { from, to, reason } => {
                    settled.over_quota |= reason.is_retryable();
                    let held: Vec<u64> =
                        self.change(age, |numbering| numbering.held(from..to.saturating_add(1)).collect());
                    if held.is_empty() {
                        continue;
                    }
                    if reason.is_retryable() || reason == Reason::SequenceReused {
                        for &seq in &held {
                            self.append_again(Number { age, seq }, |_| true)?;
                        }
                    } else {
                        let batches = held.len() as u64;
                        self.counters.refused += batches;
                        settled.refused.push(Loss { reason, batches, pings: 0 });
                    }
                    settled.released += held.len() as u64;
                    self.change(age, |numbering| held.iter().for_each(|&seq| numbering.release(seq)));
                }
                Refused::Pings { seq, ref pings, reason } => {
                    settled.over_quota |= reason.is_retryable();
                    if pings.is_empty() || !self.change(age, |numbering| numbering.pick(seq)) {
                        continue;
                    }
                    if reason.is_retryable() {
                        self.append_again(Number { age, seq }, |index| pings.contains(&index))?;
                    } else {
                        let pings = pings.len() as u64;
                        self.counters.refused_pings += pings;
                        settled.refused.push(Loss { reason, batches: 0, pings });
                    }
                }
                Refused::Whole { .. } => {}
            }
        }
        Ok(settled)
    }

    /// Puts pings of a held batch under a new number. The old one is released after that, so a crash between sends
    /// them twice rather than never.
    fn append_again(&mut self, number: Number, wanted: impl Fn(u32) -> bool) -> Result<(), SpoolError> {
        let Some(held) = self.read(number)? else { return Ok(()) };
        let pings: Vec<Ping> =
            (0..).zip(held.batch.pings).filter(|(index, _)| wanted(*index)).map(|(_, ping)| ping).collect();
        if !pings.is_empty() {
            self.append(pings)?;
            self.counters.again += 1;
        }
        Ok(())
    }

    /// Moves everything held under the current boot to a new one: the platform knows numbers of it that were never
    /// given here, so what it says about this boot is about other batches.
    fn renumber(&mut self, age: u64) -> Result<Settled, SpoolError> {
        error!(boot = %self.boot(), "the platform knows numbers this spool has not given; was an old copy restored?");
        self.begin().map_err(|source| self.failed(source))?;
        let mut settled = Settled { renumbered: true, ..Settled::default() };
        let mut after = Number { age: age - 1, seq: u64::MAX };
        while let Some(held) = self.next_after(Some(after))?
            && held.number.age == age
        {
            after = held.number;
            self.append_again(after, |_| true)?;
            self.change(age, |numbering| numbering.release(after.seq));
            settled.released += 1;
        }
        self.mark(age);
        self.reclaim();
        Ok(settled)
    }

    /// Remembers what is released. It need not be durable: what is forgotten is sent again and recognised.
    fn mark(&mut self, age: u64) {
        let Some(numbering) = self.numberings.iter().find(|numbering| numbering.age == age) else { return };
        let (boot, low) = (numbering.boot, numbering.low());
        let bytes = self.active_segment().encode_mark(boot, low);
        if self.sound
            && let Err(error) = self.write(&bytes, false)
        {
            warn!(%error, "a receipt could not be noted on the disk");
        }
    }

    fn change<T: Default>(&mut self, age: u64, change: impl FnOnce(&mut Numbering) -> T) -> T {
        let numbering = self.numberings.iter_mut().find(|numbering| numbering.age == age);
        numbering.map(change).unwrap_or_default()
    }
}
