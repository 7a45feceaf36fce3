//! What goes into a tracker.

use protocol::{DeviceId, Subject, Timestamp};

/// One ping as the estimate sees it: a subject was heard at, or heard, a fixed anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sighting {
    /// When, in event time, after correction of the reporter's clock.
    pub at: Timestamp,
    /// Who.
    pub subject: Subject,
    /// The fixed end of the ping (gateway, kiosk or beacon), whoever reported it.
    pub anchor: DeviceId,
    /// How strongly, in dBm.
    pub rssi: i8,
    /// Whether the subject is a private random address, which is never counted as a visit. One marked sighting marks
    /// its whole run.
    pub transient: bool,
}

/// A short name of an anchor inside one [`crate::Tracker`]; it means nothing to another one, nor after a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnchorKey(pub(crate) u16);

/// A [`Sighting`] whose anchor was interned with [`crate::Tracker::anchor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedSighting {
    /// When, in event time.
    pub at: Timestamp,
    /// Who.
    pub subject: Subject,
    /// The fixed end of the ping.
    pub anchor: AnchorKey,
    /// How strongly, in dBm.
    pub rssi: i8,
    /// Whether the subject is a private random address.
    pub transient: bool,
}
