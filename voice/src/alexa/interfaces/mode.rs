//! Things that are one of several settings: a `ModeController` for each.

use protocol::Order;
use protocol::capability::{Capability, Mode, ModeOrder, Modes};
use serde_json::{Value, json};

use super::capability::{Instance, named};
use super::{Declared, Ordered, Property, key};
use crate::alexa::directive::Directive;
use crate::alexa::failure::{ErrorType, Failure};
use crate::endpoint::Endpoint;
use crate::parameters::Parameters;

const INTERFACE: &str = "Alexa.ModeController";

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    for (key, mode) in modes(endpoint) {
        let settings = mode.settings.iter().map(|setting| {
            let names = [named(endpoint, &setting.name)];
            json!({"value": value(key, &setting.key), "modeResources": {"friendlyNames": names}})
        });
        let settings: Vec<Value> = settings.collect();
        declared.add_instance(Instance {
            namespace: INTERFACE,
            capability: Modes::NAME,
            key: instance(key),
            names: vec![named(endpoint, &mode.name)],
            property: "mode",
            is_read_only: false,
            configuration: json!({"ordered": mode.ordered, "supportedModes": settings}),
        });
    }
}

pub(super) fn properties(endpoint: &Endpoint, properties: &mut Vec<Property>) {
    let Some(modes) = &endpoint.profile.capabilities.mode else { return };
    for (key, setting) in endpoint.state(modes).unwrap_or_default() {
        let value = json!(value(&key, &setting));
        properties.push(Property::of(instance(&key), INTERFACE, "mode", value));
    }
}

pub(super) fn order(endpoint: &Endpoint, directive: &Directive) -> Ordered {
    let key = key(directive, Modes::NAME)?;
    let (key, mode) = modes(endpoint).find(|(known, _)| *known == key)?;
    let payload = directive.parameters();
    let order = match (directive.namespace.as_str(), directive.name.as_str()) {
        (INTERFACE, "SetMode") => set(key, mode, payload),
        (INTERFACE, "AdjustMode") if mode.ordered => adjust(key, payload),
        _ => return None,
    };
    Some(order.map(Order::Modes))
}

fn set(key: &str, mode: &Mode, payload: Parameters<'_>) -> Result<ModeOrder, Failure> {
    let said = payload.text("mode").ok_or_else(|| Failure::lacks("mode"))?;
    let setting = mode.settings.iter().find(|setting| value(key, &setting.key) == said);
    let setting = setting.ok_or_else(|| Failure::new(ErrorType::InvalidValue, "there is no such mode"))?;
    Ok(ModeOrder::Set { mode: key.to_owned(), setting: setting.key.clone() })
}

fn adjust(key: &str, payload: Parameters<'_>) -> Result<ModeOrder, Failure> {
    let by = payload.whole("modeDelta").ok_or_else(|| Failure::lacks("modeDelta"))?;
    Ok(ModeOrder::Adjust { mode: key.to_owned(), by: by.clamp(-100, 100) as i16 })
}

/// The modes that Alexa is told: it takes none with a single setting.
fn modes(endpoint: &Endpoint) -> impl Iterator<Item = (&String, &Mode)> {
    let modes = endpoint.profile.capabilities.mode.iter().flat_map(|modes| &modes.0);
    modes.filter(|(_, mode)| mode.settings.len() > 1)
}

fn instance(key: &str) -> String {
    format!("{}.{key}", Modes::NAME)
}

/// The value of a setting, which names its mode too.
fn value(key: &str, setting: &str) -> String {
    format!("{key}.{setting}")
}
