//! QUERY: how things are.

use serde_json::{Map, Value, json};

use super::error::ErrorCode;
use super::{sees, traits};
use crate::endpoint::{self, Endpoint, Endpoints};

/// The answer to QUERY: one for every id that was asked for.
pub fn query(request_id: &str, ids: &[String], endpoints: &Endpoints) -> Value {
    let devices: Map<String, Value> = ids
        .iter()
        .map(|id| {
            let found = endpoint::find(endpoints, id).filter(|endpoint| sees(endpoint));
            (id.clone(), found.map_or_else(unknown, state).into())
        })
        .collect();
    json!({"requestId": request_id, "payload": {"devices": devices}})
}

/// A device of somebody else is as unknown as one that never was.
fn unknown() -> Map<String, Value> {
    with_status(Map::new(), false, "ERROR", Some(ErrorCode::DeviceNotFound))
}

fn state(endpoint: &Endpoint) -> Map<String, Value> {
    if endpoint.connected {
        with_status(traits::states(endpoint), true, "SUCCESS", None)
    } else {
        with_status(Map::new(), false, "OFFLINE", Some(ErrorCode::DeviceOffline))
    }
}

fn with_status(
    mut told: Map<String, Value>,
    online: bool,
    status: &str,
    error: Option<ErrorCode>,
) -> Map<String, Value> {
    told.insert("online".to_owned(), json!(online));
    told.insert("status".to_owned(), json!(status));
    if let Some(error) = error {
        told.insert("errorCode".to_owned(), json!(error.as_str()));
    }
    told
}
