//! Every topic of the platform as a value that prints and parses; nobody else formats a topic.

use std::fmt;
use std::str::FromStr;

use crate::{CommandId, DeviceId, OrganizationId, VenueId};

/// A topic of the platform.
///
/// Parsing is exact: ids are lowercase, nothing stands before or after, so what parses prints as the same text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// `v1/{device}/pings`: batches, from the device.
    Pings(DeviceId),
    /// `v1/{device}/receipts`: what is safe, to the device.
    Receipts(DeviceId),
    /// `v1/{device}/telemetry`: what beacons around it say of themselves, from the device.
    Telemetry(DeviceId),
    /// `v1/{device}/certificate/request`: a request to sign, from the device.
    CertificateRequest(DeviceId),
    /// `v1/{device}/certificate`: the next certificate, or why there is none, to the device.
    Certificate(DeviceId),
    /// `v1/{device}/twin/reported`: merge patches of reported state, from the device.
    TwinReported(DeviceId),
    /// `v1/{device}/twin/desired`: desired state, retained, to the device.
    TwinDesired(DeviceId),
    /// `v1/{device}/commands/{command}`: an order, to the device.
    Command {
        /// Who is to run it.
        device: DeviceId,
        /// Which order it is.
        command: CommandId,
    },
    /// `v1/{device}/commands/{command}/ack`: how far it got, from the device.
    CommandAck {
        /// Who runs it.
        device: DeviceId,
        /// Which order it is.
        command: CommandId,
    },
    /// `v1/organizations/{organization}/devices/{device}/status`: whether it is connected, retained.
    Status {
        /// The tenant.
        organization: OrganizationId,
        /// Its device.
        device: DeviceId,
    },
    /// `v1/organizations/{organization}/devices/{device}/reported`: its whole reported state.
    Reported {
        /// The tenant.
        organization: OrganizationId,
        /// Its device.
        device: DeviceId,
    },
    /// `v1/organizations/{organization}/devices/{device}/acks`: its answers to commands.
    Acks {
        /// The tenant.
        organization: OrganizationId,
        /// Its device.
        device: DeviceId,
    },
    /// `v1/organizations/{organization}/devices/{device}/orders`: orders for it, from services.
    Orders {
        /// The tenant.
        organization: OrganizationId,
        /// Its device.
        device: DeviceId,
    },
    /// `v1/organizations/{organization}/venues/{venue}/movements`: the live stream of a venue.
    Movements {
        /// The tenant.
        organization: OrganizationId,
        /// Its venue.
        venue: VenueId,
    },
    /// `v1/organizations/{organization}/venues/{venue}/occupancy`: how many are in each zone of it, retained.
    Occupancy {
        /// The tenant.
        organization: OrganizationId,
        /// Its venue.
        venue: VenueId,
    },
}

/// A topic that is none of the platform's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a topic of the platform")]
pub struct TopicError;

impl Topic {
    /// What every topic of the platform starts with; free topics never do.
    pub const PREFIX: &str = "v1/";

    /// The subscription with which a device gets all its commands, and not its own acks.
    pub fn commands_filter(device: DeviceId) -> String {
        format!("v1/{device}/commands/+")
    }

    /// The device whose own family `v1/{device}/…` this is in; `None` for what services see.
    pub const fn device(&self) -> Option<DeviceId> {
        match *self {
            Self::Pings(device)
            | Self::Receipts(device)
            | Self::Telemetry(device)
            | Self::CertificateRequest(device)
            | Self::Certificate(device)
            | Self::TwinReported(device)
            | Self::TwinDesired(device)
            | Self::Command { device, .. }
            | Self::CommandAck { device, .. } => Some(device),
            Self::Status { .. }
            | Self::Reported { .. }
            | Self::Acks { .. }
            | Self::Orders { .. }
            | Self::Movements { .. }
            | Self::Occupancy { .. } => None,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pings(device) => write!(f, "v1/{device}/pings"),
            Self::Receipts(device) => write!(f, "v1/{device}/receipts"),
            Self::Telemetry(device) => write!(f, "v1/{device}/telemetry"),
            Self::CertificateRequest(device) => write!(f, "v1/{device}/certificate/request"),
            Self::Certificate(device) => write!(f, "v1/{device}/certificate"),
            Self::TwinReported(device) => write!(f, "v1/{device}/twin/reported"),
            Self::TwinDesired(device) => write!(f, "v1/{device}/twin/desired"),
            Self::Command { device, command } => write!(f, "v1/{device}/commands/{command}"),
            Self::CommandAck { device, command } => write!(f, "v1/{device}/commands/{command}/ack"),
            Self::Status { organization, device } => {
                write!(f, "v1/organizations/{organization}/devices/{device}/status")
            }
            Self::Reported { organization, device } => {
                write!(f, "v1/organizations/{organization}/devices/{device}/reported")
            }
            Self::Acks { organization, device } => {
                write!(f, "v1/organizations/{organization}/devices/{device}/acks")
            }
            Self::Orders { organization, device } => {
                write!(f, "v1/organizations/{organization}/devices/{device}/orders")
            }
            Self::Movements { organization, venue } => {
                write!(f, "v1/organizations/{organization}/venues/{venue}/movements")
            }
            Self::Occupancy { organization, venue } => {
                write!(f, "v1/organizations/{organization}/venues/{venue}/occupancy")
            }
        }
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        let mut levels = [""; MOST_LEVELS];
        let mut count = 0;
        for level in text.split('/') {
            *levels.get_mut(count).ok_or(TopicError)? = level;
            count += 1;
        }
        match levels[..count] {
            ["v1", device, "pings"] => Ok(Self::Pings(id(device)?)),
            ["v1", device, "receipts"] => Ok(Self::Receipts(id(device)?)),
            ["v1", device, "telemetry"] => Ok(Self::Telemetry(id(device)?)),
            ["v1", device, "certificate", "request"] => Ok(Self::CertificateRequest(id(device)?)),
            ["v1", device, "certificate"] => Ok(Self::Certificate(id(device)?)),
            ["v1", device, "twin", "reported"] => Ok(Self::TwinReported(id(device)?)),
            ["v1", device, "twin", "desired"] => Ok(Self::TwinDesired(id(device)?)),
            ["v1", device, "commands", command] => {
                Ok(Self::Command { device: id(device)?, command: id(command)? })
            }
            ["v1", device, "commands", command, "ack"] => {
                Ok(Self::CommandAck { device: id(device)?, command: id(command)? })
            }
            ["v1", "organizations", organization, "devices", device, leaf] => {
                let (organization, device) = (id(organization)?, id(device)?);
                match leaf {
                    "status" => Ok(Self::Status { organization, device }),
                    "reported" => Ok(Self::Reported { organization, device }),
                    "acks" => Ok(Self::Acks { organization, device }),
                    "orders" => Ok(Self::Orders { organization, device }),
                    _ => Err(TopicError),
                }
            }
            ["v1", "organizations", organization, "venues", venue, leaf] => {
                let (organization, venue) = (id(organization)?, id(venue)?);
                match leaf {
                    "movements" => Ok(Self::Movements { organization, venue }),
                    "occupancy" => Ok(Self::Occupancy { organization, venue }),
                    _ => Err(TopicError),
                }
            }
            _ => Err(TopicError),
        }
    }
}

/// Levels of the longest topics, those of organizations.
const MOST_LEVELS: usize = 6;

fn id<T: FromStr>(level: &str) -> Result<T, TopicError> {
    if level.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(TopicError);
    }
    level.parse().map_err(|_| TopicError)
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: &str = "01999999-0000-7000-8000-00000000000a";
    const O: &str = "01999999-0000-7000-8000-00000000000b";

    #[test]
    fn every_topic_is_spelled_as_devices_know_it() {
        let (device, organization): (DeviceId, OrganizationId) = (D.parse().unwrap(), O.parse().unwrap());
        let (command, venue): (CommandId, VenueId) = (O.parse().unwrap(), D.parse().unwrap());
        for (topic, text) in [
            (Topic::Pings(device), format!("v1/{D}/pings")),
            (Topic::Receipts(device), format!("v1/{D}/receipts")),
            (Topic::Telemetry(device), format!("v1/{D}/telemetry")),
            (Topic::CertificateRequest(device), format!("v1/{D}/certificate/request")),
            (Topic::Certificate(device), format!("v1/{D}/certificate")),
            (Topic::TwinReported(device), format!("v1/{D}/twin/reported")),
            (Topic::TwinDesired(device), format!("v1/{D}/twin/desired")),
            (Topic::Command { device, command }, format!("v1/{D}/commands/{O}")),
            (Topic::CommandAck { device, command }, format!("v1/{D}/commands/{O}/ack")),
            (Topic::Status { organization, device }, format!("v1/organizations/{O}/devices/{D}/status")),
            (Topic::Reported { organization, device }, format!("v1/organizations/{O}/devices/{D}/reported")),
            (Topic::Acks { organization, device }, format!("v1/organizations/{O}/devices/{D}/acks")),
            (Topic::Orders { organization, device }, format!("v1/organizations/{O}/devices/{D}/orders")),
            (Topic::Movements { organization, venue }, format!("v1/organizations/{O}/venues/{D}/movements")),
            (Topic::Occupancy { organization, venue }, format!("v1/organizations/{O}/venues/{D}/occupancy")),
        ] {
            assert_eq!(topic.to_string(), text);
            assert_eq!(text.parse(), Ok(topic));
        }
        assert_eq!(Topic::commands_filter(device), format!("v1/{D}/commands/+"));
    }

    #[test]
    fn everything_else_is_no_topic() {
        for text in [
            "",
            "v1",
            "v1/",
            "a/b",
            "v1/organizations",
            &format!("v1/{D}"),
            &format!("v1/{D}/"),
            &format!("v1/{D}/pings/"),
            &format!("/v1/{D}/pings"),
            &format!("V1/{D}/pings"),
            &format!("v2/{D}/pings"),
            &format!("v1/{D}/Pings"),
            &format!("v1/{}/pings", D.to_uppercase()),
            &format!("v1/{}/pings", D.replace('-', "")),
            &format!("v1/{D}/twin"),
            &format!("v1/{D}/commands"),
            &format!("v1/{D}/commands/+"),
            &format!("v1/{D}/commands/{O}/ack/x"),
            "v1/organizations/pings",
            &format!("v1/organizations/{O}/devices/{D}"),
            &format!("v1/organizations/{O}/devices/{D}/pings"),
            &format!("v1/organizations/{O}/venues/{D}/status"),
            &format!("v1/organizations/{O}/venues/{D}/movements/x"),
            &format!("v1/organizations/{O}/venues/{D}/orders"),
            &format!("v1/organizations/{O}/devices/{D}/occupancy"),
        ] {
            assert_eq!(text.parse::<Topic>(), Err(TopicError), "{text}");
        }
    }
}
