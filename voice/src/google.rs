//! Google: what Smart Home fulfilment is asked and answers, and what Home Graph is told.
//!
//! All of it is a function of the request and of what the person may see. The rules are those of the Cloud-to-cloud
//! documents at developers.home.google.com; schemas of 2021 describe most of it.

mod error;
mod execute;
mod kind;
mod query;
mod report;
mod request;
mod sync;
mod traits;

use protocol::{AccountId, OrganizationId};
use serde_json::{Value, json};

pub(crate) use error::refusals;
pub use error::{Challenge, ErrorCode, Refusal};
pub use execute::{Answer, Step, executed, plan};
pub use query::query;
pub use report::{report_state, request_sync};
pub use request::{Command, Execution, Given, Intent, Request, Unreadable};
pub(crate) use sync::description;
pub use sync::{sees, sync};
pub use traits::states;

/// The answer to DISCONNECT, which is empty.
pub fn disconnected() -> Value {
    json!({})
}

/// The answer to a request as a whole that is not carried out.
pub fn refused(request_id: &str, error: ErrorCode) -> Value {
    json!({"requestId": request_id, "payload": {"errorCode": error.as_str()}})
}

/// Who a person is to Google, in one organization: the same for ever.
pub fn agent_user(organization: OrganizationId, account: AccountId) -> String {
    format!("{organization}.{account}")
}
