//! What Alexa asks.

use serde_json::{Map, Value};

use super::failure::{ErrorType, Failure};
use crate::parameters::Parameters;
use crate::secret::Secret;

/// A directive.
#[derive(Clone, Debug, PartialEq)]
pub struct Directive {
    /// The interface, as `Alexa.PowerController`.
    pub namespace: String,
    /// What of it, as `TurnOn`.
    pub name: String,
    /// Which instance of the interface, where a device has several.
    pub instance: Option<String>,
    /// What the answer repeats, so that Alexa knows what it answers.
    pub correlation: Option<Secret>,
    /// The device that is meant.
    pub endpoint: Option<String>,
    /// The access token of the person: it stands in another place in each kind of directive.
    pub token: Option<Secret>,
    /// With what; an object, without the tokens and the code that were in it.
    pub payload: Value,
    /// The code of a grant.
    code: Option<Secret>,
}

/// What a directive is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// `Alexa.Discovery` `Discover`: what there is.
    Discover,
    /// `Alexa.Authorization` `AcceptGrant`: from now on Alexa may be told of changes, with what this code is worth.
    AcceptGrant {
        /// For the token endpoint of Login with Amazon.
        code: Option<Secret>,
    },
    /// `Alexa` `ReportState`: how a device is.
    ReportState,
    /// Any other: that a device do something.
    Control,
}

/// A directive that is none, as far as it could be read, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Unreadable {
    /// What the answer repeats.
    pub correlation: Option<Secret>,
    /// The answer.
    pub failure: Failure,
}

impl Directive {
    /// Reads a directive of payload version 3.
    pub fn read(body: &Value) -> Result<Self, Unreadable> {
        let directive = Parameters::of(body).inner("directive");
        let header = directive.inner("header");
        let secret =
            |of: Parameters<'_>, name| of.text(name).filter(|text| !text.is_empty()).map(Secret::new);
        let correlation = secret(header, "correlationToken");
        let unreadable = |message: &str| Unreadable {
            correlation: correlation.clone(),
            failure: Failure::new(ErrorType::InvalidDirective, message),
        };
        let (Some(namespace), Some(name)) = (header.text("namespace"), header.text("name")) else {
            return Err(unreadable("there is no directive with a header that has a namespace and a name"));
        };
        if header.text("payloadVersion") != Some("3") {
            return Err(unreadable("the payload version is not 3"));
        }
        let payload = directive.inner("payload");
        let endpoint = directive.inner("endpoint");
        let bearer = match (namespace, name) {
            ("Alexa.Discovery", _) => payload.inner("scope"),
            ("Alexa.Authorization", _) => payload.inner("grantee"),
            _ => endpoint.inner("scope"),
        };
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            instance: header.text("instance").map(str::to_owned),
            endpoint: endpoint.text("endpointId").map(str::to_owned),
            token: secret(bearer, "token"),
            code: secret(payload.inner("grant"), "code"),
            payload: without_secrets(directive.members("payload").cloned().unwrap_or_default()),
            correlation,
        })
    }

    /// What it is about.
    pub fn intent(&self) -> Intent {
        match (self.namespace.as_str(), self.name.as_str()) {
            ("Alexa.Discovery", "Discover") => Intent::Discover,
            ("Alexa.Authorization", "AcceptGrant") => Intent::AcceptGrant { code: self.code.clone() },
            ("Alexa", "ReportState") => Intent::ReportState,
            _ => Intent::Control,
        }
    }

    /// The word that it is counted under: what it is about, and of an order the interface; `other` where that is not known
    /// here.
    pub(crate) fn word(&self) -> &'static str {
        const INTERFACES: [&str; 7] = [
            "Alexa.PowerController",
            "Alexa.BrightnessController",
            "Alexa.Speaker",
            "Alexa.ToggleController",
            "Alexa.ModeController",
            "Alexa.RangeController",
            "Alexa.SceneController",
        ];
        match self.intent() {
            Intent::Discover => "Discover",
            Intent::AcceptGrant { .. } => "AcceptGrant",
            Intent::ReportState => "ReportState",
            Intent::Control => {
                INTERFACES.into_iter().find(|interface| self.namespace == *interface).unwrap_or("other")
            }
        }
    }

    pub(super) fn parameters(&self) -> Parameters<'_> {
        Parameters::of(&self.payload)
    }
}

fn without_secrets(mut payload: Map<String, Value>) -> Value {
    for member in ["scope", "grantee", "grant"] {
        payload.remove(member);
    }
    payload.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn directive(namespace: &str, name: &str, more: &Value) -> Value {
        let mut directive = json!({"header": {
            "namespace": namespace, "name": name, "payloadVersion": "3", "messageId": "1", "correlationToken": "corr",
        }});
        for (member, value) in more.as_object().unwrap() {
            directive[member] = value.clone();
        }
        json!({"directive": directive})
    }

    #[test]
    fn the_token_is_where_each_directive_has_it() {
        let scope = json!({"type": "BearerToken", "token": "t0ken"});
        for body in [
            directive("Alexa.Discovery", "Discover", &json!({"payload": {"scope": scope}})),
            directive("Alexa.Authorization", "AcceptGrant", &json!({"payload": {"grantee": scope}})),
            directive("Alexa", "ReportState", &json!({"endpoint": {"endpointId": "e", "scope": scope}})),
        ] {
            let read = Directive::read(&body).unwrap();
            assert_eq!(read.token.as_ref().map(Secret::expose), Some("t0ken"), "{body}");
            let printed = format!("{read:?}");
            assert!(!printed.contains("t0ken") && !printed.contains("corr\""), "{printed}");
        }
    }

    #[test]
    fn what_is_no_directive_is_told_with_its_correlation() {
        let mut old = directive("Alexa", "ReportState", &json!({}));
        old["directive"]["header"]["payloadVersion"] = json!("2");
        for (body, has_correlation) in [(json!(null), false), (json!({"directive": []}), false), (old, true)]
        {
            let unreadable = Directive::read(&body).unwrap_err();
            assert_eq!(unreadable.correlation.is_some(), has_correlation, "{body}");
            assert_eq!(unreadable.failure.kind, ErrorType::InvalidDirective);
        }
    }
}
