//! What people read about voice assistants.

use store::Assistant;

pub(crate) const ASSISTANTS: &str = "Voice assistants";
const GOOGLE_HOME: &str = "Google Home";
const ALEXA: &str = "Alexa";

/// The name of an assistant, which is that of its app, too.
pub(crate) fn assistant(assistant: Assistant) -> &'static str {
    match assistant {
        Assistant::Google => GOOGLE_HOME,
        Assistant::Alexa => ALEXA,
    }
}

pub(crate) fn assistant_linked(at: &str) -> String {
    format!("Linked since {at}.")
}

pub(crate) fn assistant_broken(assistant: &str, at: &str) -> String {
    format!("Since {at}, {assistant} no longer knows this link. Link again in the app of {assistant}.")
}

pub(crate) fn assistant_unlinked(at: &str) -> String {
    format!("Unlinked since {at}.")
}

/// It was linked without what it takes to tell it of changes.
pub(crate) fn assistant_untold(assistant: &str) -> String {
    format!(
        "{assistant} can ask and order, but it is not told of changes, so its app may show what is old. Link again in the app of {assistant}; if that does not help, ask whoever runs this server."
    )
}
