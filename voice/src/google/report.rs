//! What Home Graph is told without having asked.

use serde_json::{Map, Value, json};

use super::{sees, traits};
use crate::endpoint::Endpoint;

/// The body of `devices:reportStateAndNotification`: the states of these endpoints. Each of their traits is told whole,
/// since a trait that is told in part loses the rest.
pub fn report_state<'a>(
    request_id: &str,
    agent_user: &str,
    endpoints: impl IntoIterator<Item = &'a Endpoint>,
) -> Value {
    let states: Map<String, Value> = endpoints
        .into_iter()
        .filter(|endpoint| sees(endpoint))
        .map(|endpoint| {
            let mut states = if endpoint.connected { traits::states(endpoint) } else { Map::new() };
            states.insert("online".to_owned(), json!(endpoint.connected));
            (endpoint.id.to_string(), states.into())
        })
        .collect();
    json!({"requestId": request_id, "agentUserId": agent_user, "payload": {"devices": {"states": states}}})
}

/// The body of `devices:requestSync`: Google shall ask anew what there is.
pub fn request_sync(agent_user: &str) -> Value {
    json!({"agentUserId": agent_user, "async": true})
}
