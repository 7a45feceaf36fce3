//! Discovery: what there is.

use serde_json::{Value, json};

use super::directive::Directive;
use super::event::{Event, Stamp};
use super::{interfaces, kind};
use crate::endpoint::{Endpoint, Endpoints};

/// How many endpoints one answer has at most.
pub const MAX_ENDPOINTS: usize = 300;

/// The answer to `Discover`. What is too many is left out, the newest first, and logged. `reports` says whether the event
/// gateway is told of changes.
pub fn discovered(stamp: &Stamp, directive: &Directive, endpoints: &Endpoints, reports: bool) -> Value {
    let all: Vec<Value> = endpoints.values().filter_map(|endpoint| described(endpoint, reports)).collect();
    if all.len() > MAX_ENDPOINTS {
        tracing::warn!(
            endpoints = all.len(),
            most = MAX_ENDPOINTS,
            "Alexa is not shown all devices of a person"
        );
    }
    let told: Vec<Value> = all.into_iter().take(MAX_ENDPOINTS).collect();
    Event::new("Alexa.Discovery", "Discover.Response", json!({"endpoints": told}))
        .answering(directive.correlation.as_ref())
        .stamped(stamp)
}

/// Whether Alexa is shown the endpoint: what it has no interface for is nothing to it.
pub fn sees(endpoint: &Endpoint) -> bool {
    described(endpoint, true).is_some()
}

/// An endpoint as discovery tells it; none where Alexa is not shown it.
pub(crate) fn described(endpoint: &Endpoint, reports: bool) -> Option<Value> {
    let capabilities = interfaces::declared(endpoint).into_capabilities(reports)?;
    Some(json!({
        "endpointId": endpoint.id.to_string(),
        "manufacturerName": "Promenade",
        "friendlyName": friendly(&endpoint.name)?,
        "description": kind::description(endpoint),
        "displayCategories": [kind::category(endpoint)],
        "capabilities": capabilities,
    }))
}

/// A name without what Alexa takes for punctuation.
fn friendly(name: &str) -> Option<String> {
    let plain = |c: char| if c.is_alphanumeric() || c == '\'' || c == '-' { c } else { ' ' };
    let plain: String = name.chars().map(plain).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    Some(words.join(" ")).filter(|name| name.chars().any(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_without_punctuation() {
        for (name, expected) in [
            ("Lamp (left)", Some("Lamp left")),
            ("Ann's re-run #2", Some("Ann's re-run 2")),
            ("Küche", Some("Küche")),
            ("***", None),
            ("-", None),
        ] {
            assert_eq!(friendly(name).as_deref(), expected);
        }
    }
}
