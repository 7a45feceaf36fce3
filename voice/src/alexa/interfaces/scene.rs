//! What is made to happen: `SceneController`, which has no properties.

use protocol::Order;
use protocol::capability::{Capability, Scene, SceneOrder};

use super::{Declared, Ordered};
use crate::alexa::directive::Directive;
use crate::endpoint::Endpoint;

const INTERFACE: &str = "Alexa.SceneController";

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    if let Some(scene) = &endpoint.profile.capabilities.scene {
        declared.add_scene(Scene::NAME, scene.reversible);
    }
}

pub(super) fn order(endpoint: &Endpoint, directive: &Directive) -> Ordered {
    let scene = endpoint.profile.capabilities.scene.as_ref()?;
    let order = match (directive.namespace.as_str(), directive.name.as_str()) {
        (INTERFACE, "Activate") => SceneOrder::Activate {},
        (INTERFACE, "Deactivate") if scene.reversible => SceneOrder::Deactivate {},
        _ => return None,
    };
    Some(Ok(Order::Scene(order)))
}
