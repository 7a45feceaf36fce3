//! Alexa: what a smart home skill is asked and answers, and what the event gateway is told.
//!
//! All of it is a function of the directive and of what the person may see. The rules are those of the Smart Home Skill
//! API (payload version 3) at developer.amazon.com; its published message schema describes most of it.

mod answer;
mod directive;
mod discovery;
mod event;
mod failure;
mod interfaces;
mod kind;
mod report;

pub(crate) use answer::is_answered_at_its_start;
pub use answer::{answer, control, deferred, error, grant_accepted, grant_refused, state_report, unreadable};
pub use directive::{Directive, Intent, Unreadable};
pub(crate) use discovery::described as description;
pub use discovery::{MAX_ENDPOINTS, discovered, sees};
pub use event::{Stamp, add_scope};
pub(crate) use failure::refusal;
pub use failure::{ErrorType, Failure};
pub use report::{Cause, add_or_update_report, change_report, delete_report};
