//! What the agent is told about coming in by itself.

use std::path::PathBuf;

use protocol::DeviceKind;
use serde::Deserialize;

use super::ConfigError;
use crate::enrolment::Address;

/// `[enrolment]`: how a device that has no identity yet asks for one.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentConfig {
    /// The platform's own address, as `https://id.example.org`.
    pub server: String,
    /// PEM file of the authorities that may vouch for it; without it, those of the system.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Whether `http` is spoken with others than this machine too: whoever is on the way reads what the device gets.
    #[serde(default)]
    pub insecure_http: bool,
    /// A file that holds the claim key of the fleet and nothing else.
    #[serde(default)]
    pub claim_key_file: Option<PathBuf>,
    /// Whether a certificate is asked for, for a key that is made here, instead of a secret.
    #[serde(default)]
    pub certificate: bool,
    /// What the device is.
    #[serde(default = "gateway")]
    pub kind: DeviceKind,
    /// Its serial number, 1 to 100 characters; without it, that of the machine.
    #[serde(default)]
    pub serial: Option<String>,
}

impl EnrolmentConfig {
    /// With everything but the server as it is by default.
    pub fn at(server: String) -> Self {
        Self {
            server,
            ca: None,
            insecure_http: false,
            claim_key_file: None,
            certificate: false,
            kind: gateway(),
            serial: None,
        }
    }

    /// Checks what types cannot.
    pub fn validate(
        &self,
        check: impl Fn(bool, &'static str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        Address::of(self).map_err(|error| ConfigError::Value(error.0))?;
        check(
            self.serial.as_ref().is_none_or(|serial| (1..=100).contains(&serial.chars().count())),
            "[enrolment] `serial` has 1 to 100 characters",
        )
    }
}

fn gateway() -> DeviceKind {
    DeviceKind::Gateway
}
