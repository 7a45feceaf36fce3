//! A device, or a venue, as assistants see it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use protocol::capability::Capability;
use protocol::{DeviceId, Fault, Profile, Timestamp, VenueId};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Longest name of a device or a room that assistants are told, in characters: what Alexa takes for a `friendlyName`.
pub const MAX_NAME: usize = 128;

/// Everything that one person may see through an assistant, by id.
pub type Endpoints = BTreeMap<EndpointId, Endpoint>;

/// Something that an assistant can be asked about. Its text never changes, and every assistant is told the same one:
/// the id of the device as it is, or `venue:` and the id of the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointId {
    /// A device.
    Device(DeviceId),
    /// A venue, which answers how many people are in it.
    Venue(VenueId),
}

/// A text that is no id of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no id of an endpoint")]
pub struct EndpointIdError;

/// A device, or a venue, as assistants see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// What people call it: 1 to [`MAX_NAME`] characters without blanks around them.
    pub name: String,
    /// Where it is, in the same form.
    pub room: Option<String>,
    /// The language of its names: a tag of BCP 47, as venues have it.
    pub locale: String,
    /// What it is and can do.
    pub profile: Profile,
    /// Whether it can be reached now.
    pub connected: bool,
    /// The reported side of its twin.
    pub reported: Map<String, Value>,
    /// When that was reported last.
    pub reported_at: Timestamp,
    /// Which version of that side it is; 0 of a venue.
    pub reported_version: u64,
}

/// Why something is not shown to assistants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Nobody could call it.
    #[error("its name is blank")]
    Nameless,
    /// It cannot be described so.
    #[error("its profile: {0}")]
    Profile(#[from] Fault),
}

impl Endpoint {
    /// The same with its names made fit and its profile checked.
    pub fn checked(mut self) -> Result<Self, Unfit> {
        self.name = fit_name(&self.name).ok_or(Unfit::Nameless)?;
        self.room = self.room.as_deref().and_then(fit_name);
        self.profile.check()?;
        Ok(self)
    }

    /// The same after its device reported anew.
    #[must_use]
    pub fn after(&self, reported: Map<String, Value>, at: Timestamp) -> Self {
        Self { reported, reported_at: at, ..self.clone() }
    }

    /// What is reported of a capability. None when nothing is, or nothing that the capability can be: a device that says
    /// nonsense is said nothing of.
    pub(crate) fn state<C: Capability>(&self, capability: &C) -> Option<C::State> {
        let state = C::State::deserialize(self.reported.get(C::NAME)?).ok()?;
        capability.holds(&state).ok()?;
        Some(state)
    }
}

/// Collects those that are fit; one that is not is left out and logged.
pub fn collect(all: impl IntoIterator<Item = Endpoint>) -> Endpoints {
    let mut fit = Endpoints::new();
    for endpoint in all {
        let id = endpoint.id;
        match endpoint.checked() {
            Ok(endpoint) => drop(fit.insert(id, endpoint)),
            Err(why) => tracing::warn!(%id, %why, "a device is not shown to assistants"),
        }
    }
    fit
}

/// The endpoint that an assistant means.
pub(crate) fn find<'a>(endpoints: &'a Endpoints, id: &str) -> Option<&'a Endpoint> {
    endpoints.get(&id.parse().ok()?)
}

/// Without blanks around it, without control characters, and not too long; none when nothing is left.
fn fit_name(name: &str) -> Option<String> {
    let plain: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let cut: String = plain.trim().chars().take(MAX_NAME).collect();
    Some(cut.trim_end().to_owned()).filter(|name| !name.is_empty())
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(device) => write!(f, "{device}"),
            Self::Venue(venue) => write!(f, "venue:{venue}"),
        }
    }
}

impl FromStr for EndpointId {
    type Err = EndpointIdError;

    fn from_str(text: &str) -> Result<Self, EndpointIdError> {
        let id = match text.strip_prefix("venue:") {
            Some(venue) => Self::Venue(venue.parse().map_err(|_| EndpointIdError)?),
            None => Self::Device(text.parse().map_err(|_| EndpointIdError)?),
        };
        // Another spelling would be answered under an id that was never told.
        if id.to_string() == text { Ok(id) } else { Err(EndpointIdError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_fit() {
        let long = "ä".repeat(200);
        for (name, fit) in [
            ("  Lamp ", Some("Lamp")),
            ("Shop\nwindow", Some("Shop window")),
            (" \t ", None),
            (&long, Some(&*"ä".repeat(MAX_NAME))),
        ] {
            assert_eq!(fit_name(name).as_deref(), fit);
        }
    }

    #[test]
    fn an_id_has_one_spelling() {
        let device = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
        for text in [device, &format!("venue:{device}")] {
            assert_eq!(text.parse::<EndpointId>().map(|id| id.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "venue:", &device.to_uppercase(), &format!("zone:{device}")] {
            assert_eq!(text.parse::<EndpointId>(), Err(EndpointIdError));
        }
    }
}
