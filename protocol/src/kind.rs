//! The closed sets of kinds that devices and zones come in.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_as_text;

/// A word that names no kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind; one of {0}")]
pub struct KindError(&'static str);

macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident, $words:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every kind, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word for it in JSON, SQL and topics.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = KindError;

            fn from_str(text: &str) -> Result<Self, KindError> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(KindError($words)),
                }
            }
        }

        serde_as_text!($name, $words);
    };
}

kinds! {
    /// What a device is to the platform.
    DeviceKind, "beacon, gateway, kiosk, phone, tag, appliance" {
        /// A fixed transmitter.
        Beacon = "beacon",
        /// A fixed receiver.
        Gateway = "gateway",
        /// Fixed, transmits and receives, has a screen.
        Kiosk = "kiosk",
        /// Moves and belongs to an account.
        Phone = "phone",
        /// Moves and only transmits.
        Tag = "tag",
        /// Is controlled.
        Appliance = "appliance",
    }
}

kinds! {
    /// What being in a zone says about a subject.
    ZoneKind, "entrance, interior, outside, staff" {
        /// Between outside and inside; alone it makes no visit.
        Entrance = "entrance",
        /// Reaching it makes a visit or a bounce.
        Interior = "interior",
        /// In front of the venue; alone it makes a passer-by.
        Outside = "outside",
        /// Never counted.
        Staff = "staff",
    }
}

impl DeviceKind {
    /// Whether devices of this kind are fixed parts of a venue and therefore never counted as subjects.
    pub const fn is_infrastructure(self) -> bool {
        matches!(self, Self::Beacon | Self::Gateway | Self::Kiosk)
    }

    /// Whether devices of this kind have a connection on which orders reach them; the others only transmit.
    pub const fn hears_orders(self) -> bool {
        !matches!(self, Self::Beacon | Self::Tag)
    }

    /// Whether devices of this kind are known by what they transmit: a phone is known by what it hears.
    pub const fn transmits(self) -> bool {
        matches!(self, Self::Beacon | Self::Gateway | Self::Kiosk | Self::Tag)
    }
}

impl ZoneKind {
    /// Whether a subject in a zone of this kind is inside the venue and not one of its staff.
    pub const fn is_inside(self) -> bool {
        matches!(self, Self::Entrance | Self::Interior)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_prints_the_word_that_parses_to_it() {
        for &kind in DeviceKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for &kind in ZoneKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert_eq!(serde_json::from_value::<ZoneKind>(kind.as_str().into()).unwrap(), kind);
        }
        assert_eq!((DeviceKind::ALL.len(), ZoneKind::ALL.len()), (6, 4));
    }

    #[test]
    fn words_are_exact() {
        assert!("Beacon".parse::<DeviceKind>().is_err());
        assert!("".parse::<ZoneKind>().is_err());
    }

    #[test]
    fn what_is_fixed_is_infrastructure() {
        let fixed: Vec<_> = DeviceKind::ALL.iter().filter(|kind| kind.is_infrastructure()).collect();
        assert_eq!(fixed, [&DeviceKind::Beacon, &DeviceKind::Gateway, &DeviceKind::Kiosk]);
    }

    #[test]
    fn what_only_transmits_hears_no_orders_and_inside_is_behind_the_door() {
        let mute: Vec<_> = DeviceKind::ALL.iter().filter(|kind| !kind.hears_orders()).collect();
        assert_eq!(mute, [&DeviceKind::Beacon, &DeviceKind::Tag]);
        let silent: Vec<_> = DeviceKind::ALL.iter().filter(|kind| !kind.transmits()).collect();
        assert_eq!(silent, [&DeviceKind::Phone, &DeviceKind::Appliance]);
        let inside: Vec<_> = ZoneKind::ALL.iter().filter(|kind| kind.is_inside()).collect();
        assert_eq!(inside, [&ZoneKind::Entrance, &ZoneKind::Interior]);
    }
}
