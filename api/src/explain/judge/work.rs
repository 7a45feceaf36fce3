//! Why the work of a device does not count.

use std::collections::BTreeMap;

use protocol::{Reason, Timestamp};

use super::{Evidence, Place};
use crate::explain::facts::{Tally, Unread};
use crate::explain::finding::{Code, Finding};
use crate::explain::words::{counted, length};

/// The reason that has a finding of its own.
const NO_CONSENT: &str = Reason::NoConsent.as_str();
/// What happened within this time before the last contact is told.
const RECENT_MS: i64 = 3_600_000;
/// A receiver that says nothing for so long is silent: the longest gap inside one visit.
const SILENT_MS: i64 = 15 * 60_000;
/// A clock that is off by more than this refuses batches, and one by less than the other is left alone (`docs/mqtt.md`).
const SKEW_MS: i64 = 10 * 60_000;
const TOLERATED_MS: i64 = 5_000;

/// Why something that a scanner reported is no ping.
fn is_unread(cause: &str) -> bool {
    let causes = [
        Reason::Unreadable,
        Reason::TooLarge,
        Reason::TooManyPings,
        Reason::BadIdentifier,
        Reason::BadRssi,
        Reason::BadField,
    ];
    causes.iter().any(|reason| reason.as_str() == cause)
}

impl Evidence {
    /// What is wrong with what it sends.
    pub(super) fn of_work(&self) -> Vec<Finding> {
        let found = [
            self.not_placed(),
            self.no_consent(),
            self.throttled(),
            self.clock(),
            self.not_authorized(),
            self.reporter_unreadable(),
            self.content_refused(),
            self.silent(),
            self.no_pings(),
            self.losses_open(),
        ];
        found.into_iter().flatten().collect()
    }

    pub(super) fn not_placed(&self) -> Option<Finding> {
        if !self.kind.is_infrastructure() {
            return None;
        }
        let what = match self.place {
            Place::Somewhere => return None,
            Place::Nowhere => "It stands in no venue, so what is heard there counts nowhere.".to_owned(),
            Place::From(at) => format!(
                "It stands in no venue until {}, so what is heard there counts nowhere yet.",
                crate::instant::Instant(at)
            ),
        };
        let remedy = "Place it: PATCH /api/v1/devices/{device} with its venue and zone, and with `effective_from` if it stood there \
                      before.";
        Some(Finding::problem(Code::NotPlaced, what, remedy))
    }

    fn no_consent(&self) -> Option<Finding> {
        let refused = self.recent(&self.facts.refusals, |cause| cause == NO_CONSENT)?;
        let what = format!("Its person has not agreed to being counted, or took it back: {refused}.");
        let remedy = "Its application should send nothing before its person has agreed (POST /api/v1/consents), and ask again when the \
                      text has changed.";
        Some(Finding::problem(Code::NoConsent, what, remedy))
    }

    fn throttled(&self) -> Option<Finding> {
        let refused = self.recent(&self.facts.refusals, |cause| cause.starts_with("rate_limited:"));
        let limits = self.recent(&self.facts.limits, |_| true).or(refused)?;
        let what = format!("It ran into limits: {limits}.");
        let remedy = "Let it send less or in larger batches, or raise the limit in the configuration. Batches over quota may be \
                      sent again unchanged.";
        Some(Finding::problem(Code::Throttled, what, remedy))
    }

    fn clock(&self) -> Option<Finding> {
        let offset = self.facts.clock_offset_ms?;
        let off = offset.saturating_abs();
        let direction = if offset > 0 { "behind" } else { "ahead" };
        if self.has_refused_clock() {
            let what = format!("Its clock is {} {direction}, and its pings are refused.", length(off));
            let remedy = "Set its clock, or let it ask a time server; it may then send the same pings under new numbers.";
            return Some(Finding::problem(Code::ClockRefused, what, remedy));
        }
        (off > TOLERATED_MS).then(|| {
            let what = format!("Its clock is {} {direction}, which is put right here.", length(off));
            Finding::note(Code::ClockCorrected, what, "Let it ask a time server.")
        })
    }

    fn has_refused_clock(&self) -> bool {
        self.facts.clock_offset_ms.is_some_and(|offset| offset.saturating_abs() > SKEW_MS)
    }

    fn not_authorized(&self) -> Option<Finding> {
        let refused = self.recent(&self.facts.refusals, |cause| cause.ends_with("_not_authorized"))?;
        let what = format!("It used topics that it may not: {refused}.");
        let remedy = "Check its topics: a device has `v1/{its id}/…` and, where its profile has a `reporter`, the topics of that \
                      format.";
        Some(Finding::problem(Code::NotAuthorized, what, remedy))
    }

    fn reporter_unreadable(&self) -> Option<Finding> {
        let unread = self.unread()?;
        let refused = self.recent(&self.facts.refusals, is_unread)?;
        let pointer = if unread.pointer.is_empty() { "the whole" } else { &unread.pointer };
        let what = format!(
            "What it reports on `{}` cannot all be read; the last time `{pointer}` should have been: {}. Refused: {refused}.",
            unread.filter, unread.expected
        );
        let remedy = "Compare the `reporter` of its profile with what it sends; docs/reporters.md describes the formats.";
        Some(Finding::problem(Code::ReporterUnreadable, what, remedy))
    }

    /// What of a scanner's messages could not be read lately, while it is one.
    fn unread(&self) -> Option<&Unread> {
        let unread = self.facts.scanned.unread.as_ref().filter(|_| self.has_format)?;
        (unread.at >= self.lately()).then_some(unread)
    }

    fn content_refused(&self) -> Option<Finding> {
        // Those have findings of their own.
        let told = |cause: &str| {
            (is_unread(cause) && self.unread().is_some())
                || cause.starts_with("rate_limited:")
                || cause.ends_with("_not_authorized")
                || cause == NO_CONSENT
                || (cause == "not_placed" && self.kind.is_infrastructure())
                || (cause == "clock_skew" && self.has_refused_clock())
        };
        let refused = self.recent(&self.facts.refusals, |cause| !told(cause))?;
        let what = format!("Some of what it sent was refused: {refused}.");
        let remedy =
            "Look the causes up in docs/mqtt.md; GET /api/v1/devices/{device}/losses lists the batches.";
        Some(Finding::problem(Code::ContentRefused, what, remedy))
    }

    fn silent(&self) -> Option<Finding> {
        let since = self.last_sign_of_life()?;
        if !self.hears() || self.now.since(since) < SILENT_MS {
            return None;
        }
        let what = format!("It is connected and silent: the last that came from it was {}.", self.ago(since));
        let remedy = "Check its scanner and its antenna; a receiver hears something almost everywhere.";
        Some(Finding::problem(Code::Silent, what, remedy))
    }

    fn no_pings(&self) -> Option<Finding> {
        let connected_since = self.connected_since?;
        let last = self.facts.last_batch_at.map_or(connected_since, |at| at.max(connected_since));
        let is_silent = self.now.since(self.last_sign_of_life()?) >= SILENT_MS;
        if !self.hears() || is_silent || self.now.since(last) < SILENT_MS {
            return None;
        }
        let what = format!(
            "It sends messages, but for {} no pings that were accepted.",
            length(self.now.since(last))
        );
        let empty = self.recent(&self.facts.scanned.messages, |outcome| outcome == "empty");
        let remedy = match empty {
            Some(_) if self.has_format => {
                "Its messages hold no signal strength where the `reporter` of its profile looks for it: compare the two."
            }
            _ => "Check its scanner, and the refusals listed here.",
        };
        Some(Finding::problem(Code::NoPings, what, remedy))
    }

    fn losses_open(&self) -> Option<Finding> {
        // Such a scanner keeps nothing that it could send again.
        if self.has_format {
            return None;
        }
        let newest = self.open_losses.first()?;
        let batches: u64 =
            self.open_losses.iter().map(|loss| loss.batches.saturating_sub(loss.recovered)).sum();
        let boot = newest.boot.map_or_else(String::new, |boot| format!("boot {}, ", boot.as_str()));
        let (from, to) = (newest.from.unwrap_or_default(), newest.to.unwrap_or_default());
        let range = if from == to { format!("number {from}") } else { format!("numbers {from} to {to}") };
        let what = format!(
            "{} that it was refused may still be sent again, the newest of {boot}{range} (`{}`).",
            counted(batches, "batch"),
            newest.cause
        );
        let remedy = "Promenade's agent sends them again by itself; other devices should do so, unchanged and more slowly.";
        Some(Finding::note(Code::LossesOpen, what, remedy))
    }

    /// When it last said something in this connection; none when it is not connected.
    fn last_sign_of_life(&self) -> Option<Timestamp> {
        let since = self.connected_since?;
        Some(self.facts.last_message_at.map_or(since, |at| at.max(since)))
    }

    /// What happened in the hour before the last contact, in words; none when nothing did.
    fn recent(&self, tallies: &BTreeMap<String, Tally>, is_meant: impl Fn(&str) -> bool) -> Option<String> {
        let from = self.lately();
        let meant = |(name, tally): &(&String, &Tally)| tally.last_at >= from && is_meant(name);
        let said = |(name, tally): (&String, &Tally)| {
            let times = counted(tally.count, "time");
            format!("`{name}` {times}, the last {}", self.ago(tally.last_at))
        };
        let said: Vec<String> = tallies.iter().filter(meant).map(said).collect();
        (!said.is_empty()).then(|| said.join("; "))
    }

    /// When the hour before the last contact began.
    fn lately(&self) -> Timestamp {
        let facts = &self.facts;
        let contacts = [
            facts.last_message_at,
            facts.disconnected.as_ref().map(|ended| ended.at),
            facts.sign_in.as_ref().map(|sign_in| sign_in.at),
        ];
        let last = if self.is_connected() { Some(self.now) } else { contacts.into_iter().flatten().max() };
        last.unwrap_or(self.now).minus(RECENT_MS)
    }
}
