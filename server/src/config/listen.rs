//! The `[listen]` section: what listens where.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// The `[listen]` section. What is not encrypted is open to this machine alone until the operator says otherwise.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// The HTTP interface.
    pub http: SocketAddr,
    /// MQTT over TCP.
    pub mqtt: Address,
    /// MQTT over TLS.
    pub mqtts: Address,
    /// MQTT over WebSocket, path `/mqtt`.
    pub ws: Address,
    /// MQTT over WebSocket and TLS, path `/mqtt`.
    pub wss: Address,
}

/// An address to listen on, or none: `off`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Address(pub Option<SocketAddr>);

/// A text that is neither an address nor `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressError;

impl Listen {
    /// The transports of MQTT, each with the name of its setting.
    pub fn of_mqtt(&self) -> [(&'static str, Address); 4] {
        let Self { http: _, mqtt, mqtts, ws, wss } = *self;
        [
            ("MQTT (listen.mqtt)", mqtt),
            ("MQTT over TLS (listen.mqtts)", mqtts),
            ("MQTT over WebSocket (listen.ws)", ws),
            ("MQTT over WebSocket and TLS (listen.wss)", wss),
        ]
    }

    /// The settings that cannot do without a certificate, as far as they are on.
    pub(super) fn need_tls(&self) -> Vec<&'static str> {
        let secure = [("listen.mqtts", self.mqtts), ("listen.wss", self.wss)];
        secure.into_iter().filter(|(_, address)| address.0.is_some()).map(|(name, _)| name).collect()
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            http: SocketAddr::from(([127, 0, 0, 1], 8080)),
            mqtt: Address(Some(SocketAddr::from(([127, 0, 0, 1], 1883)))),
            mqtts: Address::default(),
            ws: Address::default(),
            wss: Address::default(),
        }
    }
}

const EXPECTED: &str = "an address such as \"127.0.0.1:1883\", or \"off\"";

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "must be {EXPECTED}")
    }
}

impl std::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text {
            "off" => Ok(Self(None)),
            address => address.parse().map(|address| Self(Some(address))).map_err(|_| AddressError),
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Address;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Address, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}
