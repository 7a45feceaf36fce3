//! How loud something is: `Speaker`.

use protocol::Order;
use protocol::capability::{Capability, Volume, VolumeOrder};
use serde_json::json;

use super::{Declared, Ordered, Property};
use crate::alexa::directive::Directive;
use crate::alexa::failure::Failure;
use crate::amount;
use crate::endpoint::Endpoint;
use crate::parameters::Parameters;

const INTERFACE: &str = "Alexa.Speaker";

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    let Some(volume) = &endpoint.profile.capabilities.volume else { return };
    let properties: &[&str] = if volume.mute { &["volume", "muted"] } else { &["volume"] };
    declared.add(INTERFACE, Volume::NAME, properties);
}

pub(super) fn properties(endpoint: &Endpoint, properties: &mut Vec<Property>) {
    let Some(volume) = &endpoint.profile.capabilities.volume else { return };
    let Some(state) = endpoint.state(volume) else { return };
    properties.push(Property::new(INTERFACE, "volume", json!(state.percent)));
    if volume.mute {
        properties.push(Property::new(INTERFACE, "muted", json!(state.muted)));
    }
}

pub(super) fn order(endpoint: &Endpoint, directive: &Directive) -> Ordered {
    let volume = endpoint.profile.capabilities.volume.as_ref()?;
    let payload = directive.parameters();
    let order = match (directive.namespace.as_str(), directive.name.as_str()) {
        (INTERFACE, "SetVolume") => set(payload),
        (INTERFACE, "AdjustVolume") => adjust(payload),
        (INTERFACE, "SetMute") if volume.mute => mute(payload),
        _ => return None,
    };
    Some(order.map(Order::Volume))
}

fn set(payload: Parameters<'_>) -> Result<VolumeOrder, Failure> {
    let said = payload.whole("volume").ok_or_else(|| Failure::lacks("volume"))?;
    let percent = amount::percent(said).ok_or_else(|| Failure::beyond(0.0, 100.0))?;
    Ok(VolumeOrder::Set { percent })
}

fn adjust(payload: Parameters<'_>) -> Result<VolumeOrder, Failure> {
    let by = payload.whole("volume").ok_or_else(|| Failure::lacks("volume"))?;
    Ok(VolumeOrder::Adjust { by: amount::points(by) })
}

fn mute(payload: Parameters<'_>) -> Result<VolumeOrder, Failure> {
    let muted = payload.flag("mute").ok_or_else(|| Failure::lacks("mute"))?;
    Ok(VolumeOrder::Mute { muted })
}
