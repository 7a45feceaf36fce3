//! SYNC: what there is.

use serde_json::{Map, Value, json};

use super::kind::device_type;
use super::traits;
use crate::endpoint::{Endpoint, EndpointId, Endpoints};

/// The answer to SYNC. `agent_user` is the same for ever for one person in one organization. `reports` says whether Home Graph
/// is told of changes.
pub fn sync(request_id: &str, agent_user: &str, endpoints: &Endpoints, reports: bool) -> Value {
    let devices: Vec<Value> =
        endpoints.values().filter_map(|endpoint| description(endpoint, reports)).collect();
    json!({"requestId": request_id, "payload": {"agentUserId": agent_user, "devices": devices}})
}

/// Whether Google is shown the endpoint: what it has no trait for is nothing to it.
pub fn sees(endpoint: &Endpoint) -> bool {
    !traits::declared(endpoint).is_empty()
}

/// An endpoint as SYNC tells it; none where Google is not shown it.
pub(crate) fn description(endpoint: &Endpoint, reports: bool) -> Option<Value> {
    let declared = traits::declared(endpoint);
    if declared.is_empty() {
        return None;
    }
    let (traits, attributes) = declared.into_parts();
    let mut device = Map::from_iter([
        ("id".to_owned(), json!(endpoint.id.to_string())),
        ("type".to_owned(), json!(device_type(endpoint.profile.r#type))),
        ("traits".to_owned(), json!(traits)),
        ("name".to_owned(), json!({"name": endpoint.name, "defaultNames": [], "nicknames": []})),
        // Where every change of a state goes to Home Graph, Google need not ask.
        ("willReportState".to_owned(), json!(reports && !is_silent(endpoint))),
        ("attributes".to_owned(), attributes.into()),
        ("deviceInfo".to_owned(), info(endpoint)),
    ]);
    if let Some(room) = &endpoint.room {
        device.insert("roomHint".to_owned(), json!(room));
    }
    Some(device.into())
}

/// A device that is nothing but a scene has no state that could be reported.
fn is_silent(endpoint: &Endpoint) -> bool {
    endpoint.profile.capabilities.names().eq(["scene"])
}

fn info(endpoint: &Endpoint) -> Value {
    let model = match endpoint.id {
        EndpointId::Venue(_) => json!("venue"),
        EndpointId::Device(_) => json!(endpoint.profile.r#type),
    };
    let firmware = endpoint.reported.get("firmware").and_then(Value::as_str).unwrap_or_default();
    json!({"manufacturer": "Promenade", "model": model, "hwVersion": "", "swVersion": firmware})
}
