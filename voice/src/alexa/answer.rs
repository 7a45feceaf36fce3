//! What directives are answered.

use protocol::Order;
use serde_json::{Value, json};

use super::directive::{Directive, Unreadable};
use super::discovery::sees;
use super::event::{Event, Stamp, time};
use super::failure::{ACCEPT_GRANT_FAILED, ErrorType, Failure};
use super::interfaces;
use crate::endpoint::{self, Endpoint, Endpoints};
use crate::outcome::Outcome;

/// After how many seconds Alexa may expect what could not be said at once.
const DEFERRAL_S: u32 = 20;

/// The endpoint that a directive is about and the order that it is.
pub fn control<'a>(
    directive: &Directive,
    endpoints: &'a Endpoints,
) -> Result<(&'a Endpoint, Order), Failure> {
    let endpoint = named(directive, endpoints)?;
    let order = interfaces::order(endpoint, directive)?;
    if endpoint.profile.confirmation(&order).is_some() {
        let message = "the device takes this only after a question that Alexa does not ask";
        return Err(Failure::new(ErrorType::InsufficientPermissions, message));
    }
    Ok((endpoint, order))
}

/// The answer to `ReportState`.
pub fn state_report(stamp: &Stamp, directive: &Directive, endpoints: &Endpoints) -> Value {
    match named(directive, endpoints) {
        Ok(endpoint) => Event::new("Alexa", "StateReport", json!({}))
            .answering(directive.correlation.as_ref())
            .of(endpoint.id.to_string())
            .with(interfaces::properties(endpoint))
            .stamped(stamp),
        Err(failure) => error(stamp, Some(directive), &failure),
    }
}

/// The answer to a directive that became an order, by what came of it.
pub fn answer(stamp: &Stamp, directive: &Directive, endpoint: &Endpoint, outcome: &Outcome) -> Value {
    match (outcome, started(directive)) {
        // A scene is answered when it begins ("Alexa.SceneController Interface": the event says that the activation has started,
        // and is the only answer that there is).
        (Outcome::Done { .. } | Outcome::Pending, Some(started)) => {
            let payload = json!({"cause": {"type": "VOICE_INTERACTION"}, "timestamp": time(stamp.at)});
            Event::new("Alexa.SceneController", started, payload)
                .answering(directive.correlation.as_ref())
                .of(endpoint.id.to_string())
                .with(interfaces::properties(endpoint))
                .stamped(stamp)
        }
        (Outcome::Done { reported, at }, None) => Event::new("Alexa", "Response", json!({}))
            .answering(directive.correlation.as_ref())
            .of(endpoint.id.to_string())
            .with(interfaces::properties(&endpoint.after(reported.clone(), *at)))
            .stamped(stamp),
        (Outcome::Pending, None) => deferred(stamp, directive),
        (Outcome::Offline, _) => {
            let failure = Failure::new(ErrorType::EndpointUnreachable, "the device is not connected");
            error(stamp, Some(directive), &failure)
        }
        (Outcome::Failed(reason), _) => error(stamp, Some(directive), &(*reason).into()),
    }
}

/// Whether a directive has its answer once it has begun: then nothing follows.
pub(crate) fn is_answered_at_its_start(directive: &Directive) -> bool {
    started(directive).is_some()
}

/// The event that says that a scene began.
fn started(directive: &Directive) -> Option<&'static str> {
    match (directive.namespace.as_str(), directive.name.as_str()) {
        ("Alexa.SceneController", "Activate") => Some("ActivationStarted"),
        ("Alexa.SceneController", "Deactivate") => Some("DeactivationStarted"),
        _ => None,
    }
}

/// That the answer follows on another way, with the same correlation token.
pub fn deferred(stamp: &Stamp, directive: &Directive) -> Value {
    Event::new("Alexa", "DeferredResponse", json!({"estimatedDeferralInSeconds": DEFERRAL_S}))
        .answering(directive.correlation.as_ref())
        .stamped(stamp)
}

/// That something is not done; of which directive, where it was one.
pub fn error(stamp: &Stamp, directive: Option<&Directive>, failure: &Failure) -> Value {
    let mut event = Event::new("Alexa", "ErrorResponse", failure.payload());
    if let Some(directive) = directive {
        event = event.answering(directive.correlation.as_ref());
        if let Some(endpoint) = &directive.endpoint {
            event = event.of(endpoint.clone());
        }
    }
    event.stamped(stamp)
}

/// The answer to what is no directive.
pub fn unreadable(stamp: &Stamp, unreadable: &Unreadable) -> Value {
    Event::new("Alexa", "ErrorResponse", unreadable.failure.payload())
        .answering(unreadable.correlation.as_ref())
        .stamped(stamp)
}

/// The answer to `AcceptGrant` when the code was worth something.
pub fn grant_accepted(stamp: &Stamp) -> Value {
    Event::new("Alexa.Authorization", "AcceptGrant.Response", json!({})).stamped(stamp)
}

/// The answer to `AcceptGrant` when it was not.
pub fn grant_refused(stamp: &Stamp, message: &str) -> Value {
    let payload = json!({"type": ACCEPT_GRANT_FAILED, "message": message});
    Event::new("Alexa.Authorization", "ErrorResponse", payload).stamped(stamp)
}

/// A device of somebody else is as unknown as one that never was.
fn named<'a>(directive: &Directive, endpoints: &'a Endpoints) -> Result<&'a Endpoint, Failure> {
    let id = directive.endpoint.as_deref().ok_or_else(|| {
        Failure::new(ErrorType::InvalidDirective, "the directive is not known, or names no endpoint")
    })?;
    endpoint::find(endpoints, id)
        .filter(|endpoint| sees(endpoint))
        .ok_or_else(|| Failure::new(ErrorType::NoSuchEndpoint, "there is no such endpoint"))
}
