//! Ids: one newtype over a UUID for each kind of thing, so that a zone cannot be passed for a venue.

use std::fmt;
use std::str::FromStr;

use uuid::{Builder, Uuid};

use crate::Timestamp;
use crate::text::serde_as_text;

/// A text that is not the hyphenated form of a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is a UUID of 32 hexadecimal digits and four hyphens")]
pub struct IdError;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Prints as a lowercase hyphenated UUID and parses either case (RFC 9562 section 4).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A version 7 UUID (RFC 9562 section 5.7) of this time and 74 of these random bits: ids order by creation.
            pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
                Self(v7(at, random))
            }

            /// The id with this value; any UUID is one.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The value, for a database column.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self.0.as_hyphenated(), f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                hyphenated(text).map(Self)
            }
        }

        serde_as_text!($name, "a hyphenated UUID");
    )*};
}

ids! {
    /// A tenant.
    OrganizationId;
    /// A shop, hall or home of one organization.
    VenueId;
    /// A part of a venue.
    ZoneId;
    /// Anything with an identity here.
    DeviceId;
    /// One order to one device.
    CommandId;
    /// One order to many devices.
    BulkCommandId;
    /// An API key, not its secret.
    KeyId;
    /// A subject in one zone, from-to.
    StayId;
    /// A subject in one venue, from-to.
    VisitId;
    /// A person.
    AccountId;
    /// A credential that a person's device keeps (`WebAuthn`).
    PasskeyId;
    /// A browser that a person signed in with.
    BrowserSessionId;
    /// A role that an organization made for itself.
    RoleId;
    /// An invitation into an organization.
    InvitationId;
    /// An application that asks for access (`OAuth2`).
    ClientId;
    /// What was allowed to a client.
    GrantId;
    /// An entry of the audit log.
    AuditId;
    /// A device's request to come in.
    EnrolmentId;
    /// A key that devices of a fleet ask to come in with, not its secret.
    ClaimKeyId;
}

fn v7(at: Timestamp, random: [u8; 10]) -> Uuid {
    // The field has 48 bits and no sign; a clock before 1970 gets the earliest id there is.
    let ms = u64::try_from(at.0).unwrap_or(0);
    Builder::from_unix_timestamp_millis(ms, &random).into_uuid()
}

/// Only the hyphenated form: `Uuid` itself would also take braces, URNs and bare digits.
fn hyphenated(text: &str) -> Result<Uuid, IdError> {
    if text.len() != 36 {
        return Err(IdError);
    }
    Uuid::try_parse(text).map_err(|_| IdError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v7_has_the_fields_of_rfc_9562() {
        // RFC 9562 appendix A.6: Unix milliseconds 0x017F22E279B0, random bits 0xCC3 and 0x18C4DC0C0C07398F.
        let random = [0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f];
        let id = DeviceId::new(Timestamp(0x017f_22e2_79b0), random);
        assert_eq!(id.to_string(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    }

    #[test]
    fn ids_order_by_creation() {
        assert!(StayId::new(Timestamp(1), [0xff; 10]) < StayId::new(Timestamp(2), [0; 10]));
        assert_eq!(VenueId::new(Timestamp(-1), [7; 10]), VenueId::new(Timestamp(0), [7; 10]));
    }

    #[test]
    fn only_the_hyphenated_form_parses() {
        let lower = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
        let id: ZoneId = lower.parse().unwrap();
        assert_eq!(lower.to_uppercase().parse(), Ok(id));
        for wrong in [
            "",
            "017f22e279b07cc398c4dc0c0c07398f",
            "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
            "urn:uuid:017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
            "017f22e2079b0-7cc3-98c4-dc0c0c07398f",
            "{017f22e279b07cc398c4dc0c0c07398f}12",
            "ä17f22e2-79b0-7cc3-98c4-dc0c0c0739",
        ] {
            assert_eq!(wrong.parse::<ZoneId>(), Err(IdError), "{wrong}");
        }
    }
}
