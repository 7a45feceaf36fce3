//! What the event gateway is told without having asked.

use serde_json::{Value, json};

use super::discovery::{MAX_ENDPOINTS, described, sees};
use super::event::{Event, Stamp, scope};
use super::interfaces;
use crate::endpoint::{Endpoint, EndpointId};
use crate::secret::Secret;

/// What made a device change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An application, or the interface of the platform.
    App,
    /// Somebody's hand, or the device itself.
    Physical,
    /// An assistant.
    Voice,
}

impl Cause {
    /// The `type` of the cause.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::App => "APP_INTERACTION",
            Self::Physical => "PHYSICAL_INTERACTION",
            Self::Voice => "VOICE_INTERACTION",
        }
    }
}

/// A `ChangeReport`: what of a device is other than it was told before, and beside it the rest. None where nothing is.
pub fn change_report(
    stamp: &Stamp,
    token: &Secret,
    cause: Cause,
    before: Option<&Endpoint>,
    now: &Endpoint,
) -> Option<Value> {
    if !sees(now) {
        return None;
    }
    let told = before.map(interfaces::properties).unwrap_or_default();
    let is_told = |property: &Value| told.iter().any(|before| is_same(before, property));
    let (unchanged, changed): (Vec<_>, Vec<_>) = interfaces::properties(now).into_iter().partition(is_told);
    if changed.is_empty() {
        return None;
    }
    let payload = json!({"change": {"cause": {"type": cause.as_str()}, "properties": changed}});
    let mut message =
        Event::new("Alexa", "ChangeReport", payload).of(now.id.to_string()).with(unchanged).stamped(stamp);
    super::add_scope(&mut message, token);
    Some(message)
}

/// `AddOrUpdateReport`s: that there are these devices, or that they are now so.
pub fn add_or_update_report<'a>(
    stamp: &Stamp,
    token: &Secret,
    endpoints: impl IntoIterator<Item = &'a Endpoint>,
) -> Value {
    // Whoever is told this is told of changes.
    let described = endpoints.into_iter().filter_map(|endpoint| described(endpoint, true));
    let endpoints: Vec<Value> = described.take(MAX_ENDPOINTS).collect();
    let payload = json!({"endpoints": endpoints, "scope": scope(token)});
    Event::new("Alexa.Discovery", "AddOrUpdateReport", payload).stamped(stamp)
}

/// A `DeleteReport`: that these devices are gone.
pub fn delete_report(
    stamp: &Stamp,
    token: &Secret,
    endpoints: impl IntoIterator<Item = EndpointId>,
) -> Value {
    let endpoints: Vec<Value> =
        endpoints.into_iter().map(|id| json!({"endpointId": id.to_string()})).collect();
    let payload = json!({"endpoints": endpoints, "scope": scope(token)});
    Event::new("Alexa.Discovery", "DeleteReport", payload).stamped(stamp)
}

/// Whether two properties say the same, whenever they were sampled.
fn is_same(one: &Value, other: &Value) -> bool {
    ["namespace", "name", "instance", "value"].iter().all(|member| one.get(member) == other.get(member))
}
