//! The capabilities of an endpoint under construction.

use std::collections::BTreeSet;

use protocol::Profile;
use serde_json::{Value, json};

use super::health;
use crate::endpoint::Endpoint;
use crate::language;

/// Names that Alexa keeps for itself ("Names you cannot use" of its document on resources): an interface called so would
/// cost the whole endpoint.
const KEPT: &[&str] = &[
    "alarm",
    "alarms",
    "all alarms",
    "away mode",
    "bass",
    "camera",
    "date",
    "date today",
    "day",
    "do not disturb",
    "drop in",
    "music",
    "night light",
    "notification",
    "playing",
    "sleep sounds",
    "time",
    "timer",
    "today in music",
    "treble",
    "volume",
];

/// The interfaces of an endpoint.
#[derive(Default)]
pub(in crate::alexa) struct Declared {
    interfaces: Vec<Interface>,
    names: BTreeSet<String>,
}

struct Interface {
    namespace: &'static str,
    /// The capability of the model that it is of.
    capability: &'static str,
    instance: Option<String>,
    written: Value,
}

/// An interface that a device has several of.
pub(super) struct Instance {
    pub(super) namespace: &'static str,
    pub(super) capability: &'static str,
    /// Its name among them.
    pub(super) key: String,
    /// What people call it: the first is shown, and is the endpoint's only one of that name.
    pub(super) names: Vec<Value>,
    pub(super) property: &'static str,
    /// It can be asked and not told.
    pub(super) is_read_only: bool,
    /// What its values can be; null where the interface has no configuration.
    pub(super) configuration: Value,
}

impl Declared {
    /// An interface that a device has once, with the properties that are reported.
    pub(super) fn add(&mut self, namespace: &'static str, capability: &'static str, properties: &[&str]) {
        let mut written = json!({"type": "AlexaInterface", "interface": namespace, "version": "3"});
        if !properties.is_empty() {
            written["properties"] = told(properties);
        }
        self.interfaces.push(Interface { namespace, capability, instance: None, written });
    }

    /// The scene controller, which has no properties.
    pub(super) fn add_scene(&mut self, capability: &'static str, is_reversible: bool) {
        self.add("Alexa.SceneController", capability, &[]);
        if let Some(added) = self.interfaces.last_mut() {
            added.written["supportsDeactivation"] = json!(is_reversible);
        }
    }

    /// An interface that a device has several of. One that Alexa would not take is left out, and the rest stays.
    pub(super) fn add_instance(&mut self, of: Instance) {
        let name = of.names.first().and_then(|name| name.pointer("/value/text")).and_then(Value::as_str);
        let name = name.unwrap_or_default().to_lowercase();
        if KEPT.contains(&name.as_str()) || !self.names.insert(name) {
            tracing::debug!(instance = of.key, "an interface is not shown to Alexa: its name is taken");
            return;
        }
        let mut properties = told(&[of.property]);
        properties["nonControllable"] = json!(of.is_read_only);
        let mut written = json!({
            "type": "AlexaInterface",
            "interface": of.namespace,
            "version": "3",
            "instance": of.key,
            "capabilityResources": {"friendlyNames": of.names},
            "properties": properties,
        });
        if !of.configuration.is_null() {
            written["configuration"] = of.configuration;
        }
        let Instance { namespace, capability, key, .. } = of;
        self.interfaces.push(Interface { namespace, capability, instance: Some(key), written });
    }

    /// The same without what an assistant must ask a question for.
    pub(super) fn without_confirmed(mut self, profile: &Profile) -> Self {
        self.interfaces.retain(|interface| !profile.confirm.contains_key(interface.capability));
        self
    }

    /// Whether it has that interface, in that instance.
    pub(super) fn has(&self, namespace: &str, instance: Option<&str>) -> bool {
        self.interfaces
            .iter()
            .any(|interface| interface.namespace == namespace && interface.instance.as_deref() == instance)
    }

    /// The `capabilities` of the endpoint; none where it has none but those that everything has. `reports` says whether Alexa is
    /// told when a property changes, and need not ask.
    pub(in crate::alexa) fn into_capabilities(mut self, reports: bool) -> Option<Vec<Value>> {
        if self.interfaces.is_empty() {
            return None;
        }
        health::declare(&mut self);
        self.add("Alexa", "", &[]);
        let written = self.interfaces.into_iter().map(|interface| interface.written);
        let promised = written.map(|mut written| {
            if let Some(Value::Object(properties)) = written.get_mut("properties") {
                properties.insert("proactivelyReported".to_owned(), json!(reports));
            }
            written
        });
        Some(promised.collect())
    }
}

/// A name for people, in the language of the endpoint.
pub(super) fn named(endpoint: &Endpoint, name: &str) -> Value {
    in_language(language::alexa(&endpoint.locale), name)
}

/// A name for people, in a language that Alexa knows.
pub(super) fn in_language(locale: &str, name: &str) -> Value {
    json!({"@type": "text", "value": {"text": name, "locale": locale}})
}

fn told(properties: &[&str]) -> Value {
    let supported: Vec<Value> = properties.iter().map(|name| json!({"name": name})).collect();
    json!({"supported": supported, "retrievable": true})
}
