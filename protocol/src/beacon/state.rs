//! How it is with a beacon, as far as those know who hear it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The member `state` of the part `beacon` of a twin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BeaconState {
    /// Nobody has ever heard it.
    #[default]
    Unheard,
    /// It is heard as it used to be.
    Ok,
    /// Its battery is nearly empty.
    Low,
    /// It is heard otherwise than it used to be: it was most likely carried elsewhere.
    Moved,
    /// Those who used to hear it do not any more.
    Silent,
}

impl BeaconState {
    /// The word for it in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unheard => "unheard",
            Self::Ok => "ok",
            Self::Low => "low",
            Self::Moved => "moved",
            Self::Silent => "silent",
        }
    }
}

impl fmt::Display for BeaconState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_its_word() {
        for state in
            [BeaconState::Unheard, BeaconState::Ok, BeaconState::Low, BeaconState::Moved, BeaconState::Silent]
        {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
            assert_eq!(state.to_string(), state.as_str());
        }
    }
}
