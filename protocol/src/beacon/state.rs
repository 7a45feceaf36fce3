//! How it is with a beacon, as far as those know who hear it.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_its_word() {
        for (state, word) in [
            (BeaconState::Unheard, "unheard"),
            (BeaconState::Ok, "ok"),
            (BeaconState::Low, "low"),
            (BeaconState::Moved, "moved"),
            (BeaconState::Silent, "silent"),
        ] {
            assert_eq!(serde_json::to_value(state).unwrap(), word);
        }
    }
}
