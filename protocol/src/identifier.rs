//! What a radio calls itself: the `id` of a ping.

mod canonical;
mod parse;
mod print;

use std::fmt;
use std::str::FromStr;

use crate::text::serde_as_text;

/// An identifier heard over the air, or made up by an app.
///
/// Parses hexadecimal of either case and prints lowercase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identifier {
    /// `ibeacon:UUID:MAJOR:MINOR`, the UUID hyphenated, the numbers decimal.
    IBeacon {
        /// Proximity UUID.
        uuid: [u8; 16],
        /// Major, by custom the site.
        major: u16,
        /// Minor, by custom the beacon.
        minor: u16,
    },
    /// `eddystone:NAMESPACE:INSTANCE`, 20 and 12 hexadecimal digits.
    Eddystone {
        /// Namespace, the owner.
        namespace: [u8; 10],
        /// Instance, the beacon.
        instance: [u8; 6],
    },
    /// `eid:` and 16 hexadecimal digits: an Eddystone ephemeral identifier, resolved before it means anything.
    Eid([u8; 8]),
    /// `altbeacon:` and 40 hexadecimal digits.
    AltBeacon([u8; 20]),
    /// `ble:aa:bb:cc:dd:ee:ff`, or `ble:~aa:bb:cc:dd:ee:ff` when the address is random.
    Ble {
        /// Device address, most significant byte first, as it is written.
        address: [u8; 6],
        /// Whether the advertiser said that its address is random rather than public.
        random: bool,
    },
    /// `app:` and 1 to 64 visible ASCII characters that only the app understands.
    App(Box<str>),
}

/// A text or byte string that is no identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an identifier is ibeacon:, eddystone:, eid:, altbeacon:, ble: or app: and what belongs to it")]
pub struct IdentifierError;

impl Identifier {
    /// Room for any identifier, as canonical bytes or as text.
    pub const MAX_LEN: usize = 96;

    /// Most characters after `app:`.
    pub const MAX_APP_LEN: usize = 64;

    /// The bytes that stand for this identifier and no other: a kind byte and its fields.
    ///
    /// They are what is hashed into a pseudonym and the compact form in CBOR, so they never change (`batch.cddl`).
    pub fn canonical<'a>(&self, buf: &'a mut [u8; Self::MAX_LEN]) -> &'a [u8] {
        canonical::write(self, buf)
    }

    /// The identifier with these [canonical](Self::canonical) bytes.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, IdentifierError> {
        canonical::read(bytes).ok_or(IdentifierError)
    }

    /// Whether it will soon be another: a private random address, resolvable or not.
    ///
    /// A random address whose two top bits are set is static, so it stays (Bluetooth Core Specification 5.4,
    /// volume 6 part B section 1.3.2.1).
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Ble { address, random: true } if address[0] >> 6 != 0b11)
    }

    /// The identifier in this text, as it stands in a message.
    pub(crate) fn from_bytes(text: &[u8]) -> Result<Self, IdentifierError> {
        parse::parse(text).ok_or(IdentifierError)
    }

    /// What it prints as, without allocating.
    pub(crate) fn text<'a>(&self, buf: &'a mut [u8; Self::MAX_LEN]) -> &'a str {
        print::print(self, buf)
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text(&mut [0; Self::MAX_LEN]))
    }
}

impl FromStr for Identifier {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        Self::from_bytes(text.as_bytes())
    }
}

serde_as_text!(Identifier, "an identifier");

/// What `app:` may be followed by.
fn app(opaque: &[u8]) -> Option<Identifier> {
    if opaque.is_empty() || opaque.len() > Identifier::MAX_APP_LEN || !opaque.iter().all(u8::is_ascii_graphic)
    {
        return None;
    }
    Some(Identifier::App(str::from_utf8(opaque).ok()?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Identifier {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn pings_stay_small() {
        assert_eq!(size_of::<Identifier>(), 24);
        assert_eq!(size_of::<crate::Ping>(), 48);
    }

    #[test]
    fn every_kind_parses_either_case_and_prints_lowercase() {
        let uuid = 0xf782_6da6_4fa2_4e98_8024_bc5b_71e0_893e_u128.to_be_bytes();
        let cases = [
            (
                "ibeacon:F7826DA6-4fa2-4e98-8024-bc5b71e0893E:1:65535",
                Identifier::IBeacon { uuid, major: 1, minor: 65535 },
            ),
            (
                "eddystone:00112233445566778899:AABBCCDDEEFF",
                Identifier::Eddystone {
                    namespace: [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99],
                    instance: [0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff],
                },
            ),
            ("eid:0123456789ABCDEF", Identifier::Eid(0x0123_4567_89ab_cdef_u64.to_be_bytes())),
            ("altbeacon:00112233445566778899AABBCCDDEEFF00112233", {
                let mut id = [0; 20];
                id[..16].copy_from_slice(&0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128.to_be_bytes());
                id[16..].copy_from_slice(&[0x00, 0x11, 0x22, 0x33]);
                Identifier::AltBeacon(id)
            }),
            (
                "ble:AA:bb:CC:dd:EE:ff",
                Identifier::Ble { address: [0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff], random: false },
            ),
            ("ble:~4a:00:01:02:03:04", Identifier::Ble { address: [0x4a, 0, 1, 2, 3, 4], random: true }),
        ];
        for (text, identifier) in cases {
            assert_eq!(parse(text), identifier);
            assert_eq!(identifier.to_string(), text.to_lowercase());
        }
        assert_eq!(parse("app:A~!:x"), Identifier::App("A~!:x".into()));
        assert_eq!(parse("app:A~!:x").to_string(), "app:A~!:x");
    }

    #[test]
    fn everything_else_is_refused() {
        let long = format!("app:{}", "x".repeat(65));
        for wrong in [
            "",
            "ibeacon",
            "ibeacon:",
            "IBEACON:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7",
            "ibeacon:f7826da64fa24e988024bc5b71e0893e:1:7",
            "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1",
            "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:",
            "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e::7",
            "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7:9",
            "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:65536:7",
            "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:000001:7",
            "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:+1:7",
            "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:-1:7",
            "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893g:1:7",
            "ibeacon:f7826da6-4fa2-4e98-8024bc5b71e0893e-:1:7",
            "eddystone:00112233445566778899",
            "eddystone:0011223344556677889:aabbccddeeff",
            "eddystone:00112233445566778899:aabbccddeef",
            "eid:0123456789abcde",
            "eid:0123456789abcdef0",
            "eid:0123456789abcdeg",
            "altbeacon:00112233445566778899aabbccddeeff0011223",
            "ble:aabbccddeeff",
            "ble:aa-bb-cc-dd-ee-ff",
            "ble:~~aa:bb:cc:dd:ee:ff",
            "ble:aa:bb:cc:dd:ee:f",
            "ble:aa:bb:cc:dd:ee:ff:",
            "app:",
            "app:a b",
            "app:é",
            "app:\u{7f}",
            &long,
            " eid:0123456789abcdef",
            "eid:0123456789abcdef ",
            "mac:aa:bb:cc:dd:ee:ff",
        ] {
            assert_eq!(wrong.parse::<Identifier>(), Err(IdentifierError), "{wrong}");
        }
    }

    #[test]
    fn only_private_random_addresses_are_transient() {
        assert!(parse("ble:~4a:00:01:02:03:04").is_transient(), "resolvable");
        assert!(parse("ble:~0a:00:01:02:03:04").is_transient(), "not resolvable");
        assert!(!parse("ble:~ca:00:01:02:03:04").is_transient(), "static");
        assert!(!parse("ble:4a:00:01:02:03:04").is_transient(), "public");
        assert!(!parse("app:x").is_transient());
    }
}
