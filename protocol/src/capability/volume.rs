//! How loud a device is.

use serde::{Deserialize, Serialize};

use super::{Capability, Fault, check_percent, moved};
use crate::command::CommandReason;

/// It can be made louder and quieter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// It can be muted and remembers how loud it was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mute: bool,
}

/// How loud it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// 0 to 100 per cent of what it can, muted or not.
    pub percent: u8,
    /// Whether it is muted.
    #[serde(default)]
    pub muted: bool,
}

/// What it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", content = "args", deny_unknown_fields)]
pub enum Order {
    /// To be that loud; it is no longer muted then.
    #[serde(rename = "volume.set")]
    Set {
        /// 0 to 100.
        percent: u8,
    },
    /// To be louder or quieter than it is; it stops at 0 and 100 and is no longer muted then.
    #[serde(rename = "volume.adjust")]
    Adjust {
        /// Points of a per cent: -100 to 100.
        by: i16,
    },
    /// To be silent, or as loud as before.
    #[serde(rename = "volume.mute")]
    Mute {
        /// Whether it shall be silent.
        muted: bool,
    },
}

impl Capability for Volume {
    const NAME: &'static str = "volume";
    const ORDERS: &'static [&'static str] = &["volume.set", "volume.adjust", "volume.mute"];
    type State = State;
    type Order = Order;

    fn check(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn holds(&self, state: &State) -> Result<(), Fault> {
        if state.muted && !self.mute {
            return Err(Fault::new("/muted", "this device cannot be muted"));
        }
        check_percent(state.percent)
    }

    fn after(&self, state: Option<&State>, order: &Order) -> Result<State, CommandReason> {
        let known = state.copied().unwrap_or_default();
        match *order {
            Order::Set { percent } if percent <= 100 => Ok(State { percent, muted: false }),
            Order::Adjust { by } if (-100..=100).contains(&by) => {
                Ok(State { percent: moved(known.percent, by), muted: false })
            }
            Order::Mute { muted } if self.mute => Ok(State { muted, ..known }),
            Order::Mute { .. } => Err(CommandReason::NotSupported),
            Order::Set { .. } | Order::Adjust { .. } => Err(CommandReason::OutOfRange),
        }
    }
}
