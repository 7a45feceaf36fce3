//! What a screen shows: a `ModeController`, so that people can say "set its content to Summer sale".

use protocol::Order;
use protocol::capability::{Capability, Content, ContentOrder};
use serde_json::{Value, json};

use super::capability::{Instance, in_language, named};
use super::{Declared, Ordered, Property};
use crate::alexa::directive::Directive;
use crate::alexa::failure::{ErrorType, Failure};
use crate::endpoint::Endpoint;
use crate::language;

const INTERFACE: &str = "Alexa.ModeController";

/// What people call it, in the languages that Alexa speaks.
const NAMES: &[(&str, &str)] = &[
    ("en-US", "content"),
    ("de-DE", "Inhalt"),
    ("fr-FR", "contenu"),
    ("es-ES", "contenido"),
    ("it-IT", "contenuto"),
];

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    // Alexa takes no mode with a single setting.
    let Some(content) = endpoint.profile.capabilities.content.as_ref().filter(|of| of.items.len() > 1) else {
        return;
    };
    let items = content.items.iter().map(|(key, item)| {
        let names = [named(endpoint, &item.name)];
        json!({"value": value(key), "modeResources": {"friendlyNames": names}})
    });
    let items: Vec<Value> = items.collect();
    declared.add_instance(Instance {
        namespace: INTERFACE,
        capability: Content::NAME,
        key: Content::NAME.to_owned(),
        names: localized(endpoint, NAMES),
        property: "mode",
        is_read_only: false,
        configuration: json!({"ordered": false, "supportedModes": items}),
    });
}

pub(super) fn properties(endpoint: &Endpoint, properties: &mut Vec<Property>) {
    let Some(content) = &endpoint.profile.capabilities.content else { return };
    if let Some(state) = endpoint.state(content) {
        let instance = Content::NAME.to_owned();
        properties.push(Property::of(instance, INTERFACE, "mode", json!(value(&state.item))));
    }
}

pub(super) fn order(endpoint: &Endpoint, directive: &Directive) -> Ordered {
    let content = endpoint.profile.capabilities.content.as_ref()?;
    let is_mine = directive.namespace == INTERFACE && directive.instance.as_deref() == Some(Content::NAME);
    if !is_mine || directive.name != "SetMode" {
        return None;
    }
    let Some(said) = directive.parameters().text("mode") else { return Some(Err(Failure::lacks("mode"))) };
    let item = content.items.keys().find(|key| value(key) == said);
    let item = item.ok_or_else(|| Failure::new(ErrorType::InvalidValue, "there is no such content"));
    Some(item.map(|item| Order::Content(ContentOrder::Show { item: item.clone() })))
}

/// Our own words, the language of the endpoint first: it is what the app shows.
pub(super) fn localized(endpoint: &Endpoint, names: &[(&str, &str)]) -> Vec<Value> {
    let of_language = |locale: &str| locale.get(..2) == language::alexa(&endpoint.locale).get(..2);
    let (first, rest): (Vec<_>, Vec<_>) = names.iter().partition(|(locale, _)| of_language(locale));
    first.into_iter().chain(rest).map(|(locale, name)| in_language(locale, name)).collect()
}

/// The value of an item, which names what it is of too.
fn value(key: &str) -> String {
    format!("{}.{key}", Content::NAME)
}
