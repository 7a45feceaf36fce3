//! What can be controlled and read of a device: one model, from which twins, assistants and pages are derived.
//!
//! A device declares [`Capabilities`]. Each has a part of the twin by its name, and orders that are commands to the device.
//! A capability is a file here with the same four things: what a device declares, `State`, `Order`, and how they go together.

mod brightness;
mod content;
mod mode;
mod on_off;
mod range;
mod scene;
mod sensor;
mod toggle;
mod volume;

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::command::CommandReason;
use crate::words::plain_words;

pub use brightness::{Brightness, Order as BrightnessOrder, State as BrightnessState};
pub use content::{Content, Item, Order as ContentOrder, State as ContentState};
pub use mode::{Mode, Modes, Order as ModeOrder, Setting, State as ModeState};
pub use on_off::{OnOff, Order as OnOffOrder, State as OnOffState};
pub use range::{Order as RangeOrder, Range, Ranges, State as RangeState, Unit};
pub use scene::{Order as SceneOrder, Scene, State as SceneState};
pub use sensor::{Order as SensorOrder, Reading, Sensor, State as SensorState};
pub use toggle::{Order as ToggleOrder, State as ToggleState, Toggle, Toggles};
pub use volume::{Order as VolumeOrder, State as VolumeState, Volume};

/// What each capability is made of.
pub trait Capability: Serialize + DeserializeOwned {
    /// Its name in [`Capabilities`] and its part of the twin.
    const NAME: &'static str;

    /// The commands it brings, by their names.
    const ORDERS: &'static [&'static str];

    /// Its part of the twin.
    type State: Serialize + DeserializeOwned;

    /// Its commands: serialized as `{"name","args"}`.
    type Order: Serialize + DeserializeOwned;

    /// Whether a device can declare it so.
    fn check(&self) -> Result<(), Fault>;

    /// Whether a device that declares it so can be in that state. States of a device may be partial.
    fn holds(&self, state: &Self::State) -> Result<(), Fault>;

    /// What the part of the twin changes to once the order is done, as a merge patch; `state` is what is known of it. The
    /// reason for which the device refuses it otherwise.
    fn after(&self, state: Option<&Self::State>, order: &Self::Order) -> Result<Self::State, CommandReason>;
}

/// What is wrong with what someone declared, desired, reported or ordered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {what}")]
pub struct Fault {
    /// Where: a JSON pointer (RFC 6901); empty for the whole.
    pub path: String,
    /// What, in words for whoever sent it.
    pub what: String,
}

impl Fault {
    /// A fault of the value at `path`.
    pub fn new(path: impl Into<String>, what: impl fmt::Display) -> Self {
        Self { path: path.into(), what: what.to_string() }
    }

    /// The same fault, of a part of something.
    pub(crate) fn within(mut self, part: &str) -> Self {
        self.path = format!("/{}{}", pointer(part), self.path);
        self
    }
}

macro_rules! capabilities {
    ($($(#[$doc:meta])* $field:ident: $name:ident($order:ty),)*) => {
        /// What a device can do: what is none it cannot.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Capabilities {
            $($(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $field: Option<$name>,)*
        }

        /// An order of a capability: a command whose name and arguments the platform understands.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Order {
            $($(#[$doc])* $name($order),)*
        }

        impl Order {
            /// Every command that capabilities bring.
            pub const NAMES: &[&[&str]] = &[$($name::ORDERS),*];

            /// Reads a command; none where it is none of a capability.
            pub fn read(name: &str, args: &Value) -> Result<Option<Self>, Fault> {
                $(if $name::ORDERS.contains(&name) {
                    return read_order::<$name>(name, args).map(|order| Some(Self::$name(order)));
                })*
                Ok(None)
            }

            /// The name and the arguments of the command.
            pub fn write(&self) -> (String, Value) {
                match self {
                    $(Self::$name(order) => write_order(order),)*
                }
            }

            /// The name of the capability it belongs to.
            pub fn capability(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $name::NAME,)*
                }
            }
        }

        impl Capabilities {
            /// The names of all.
            pub const NAMES: &[&str] = &[$($name::NAME),*];

            /// The names of those it has.
            pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
                let has = [$(self.$field.is_some()),*];
                Self::NAMES.iter().copied().zip(has).filter_map(|(name, has)| has.then_some(name))
            }

            /// Whether a device can declare this.
            pub fn check(&self) -> Result<(), Fault> {
                $(if let Some(capability) = &self.$field {
                    capability.check().map_err(|fault| fault.within($name::NAME))?;
                })*
                Ok(())
            }

            /// Whether the parts of a twin that belong to its capabilities are such parts. Other parts are the device's own.
            pub fn holds(&self, state: &Map<String, Value>) -> Result<(), Fault> {
                $(if let (Some(capability), Some(part)) = (&self.$field, state.get($name::NAME)) {
                    let part = read_part::<$name>(part)?;
                    capability.holds(&part).map_err(|fault| fault.within($name::NAME))?;
                })*
                Ok(())
            }

            /// Whether it has every capability that a part of a twin is called like; null takes a part away.
            pub fn has_parts_of(&self, state: &Map<String, Value>) -> Result<(), Fault> {
                $(if self.$field.is_none() && state.get($name::NAME).is_some_and(|part| !part.is_null()) {
                    return Err(Fault::new(format!("/{}", $name::NAME), "the device has not declared that it can do this"));
                })*
                Ok(())
            }

            /// What the twin changes to once the order is done, as a merge patch; `state` is what is known of the device.
            pub fn after(&self, state: &Map<String, Value>, order: &Order) -> Result<Map<String, Value>, CommandReason> {
                match order {
                    $(Order::$name(order) => {
                        let capability = self.$field.as_ref().ok_or(CommandReason::NotSupported)?;
                        let known = state.get($name::NAME).and_then(|part| read_part::<$name>(part).ok());
                        let part = capability.after(known.as_ref(), order)?;
                        Ok(patch($name::NAME, &part))
                    })*
                }
            }
        }
    };
}

capabilities! {
    /// It can be switched on and off; a kiosk's screen too.
    on_off: OnOff(OnOffOrder),
    /// How bright it is.
    brightness: Brightness(BrightnessOrder),
    /// How loud it is.
    volume: Volume(VolumeOrder),
    /// Further things of it that can be switched on and off.
    toggle: Toggles(ToggleOrder),
    /// Things of it that are one of several.
    mode: Modes(ModeOrder),
    /// Things of it that are numbers.
    range: Ranges(RangeOrder),
    /// It stands for something that is made to happen.
    scene: Scene(SceneOrder),
    /// What it measures.
    sensor: Sensor(SensorOrder),
    /// What it shows on its screen.
    content: Content(ContentOrder),
}

/// Longest name of a mode, a setting, a range, a toggle or an item: they are keys of the twin.
const MAX_KEY: usize = 32;

/// How many of them there may be in one place.
const MAX_KEYS: usize = 32;

/// Longest name for people.
const MAX_NAME: usize = 128;

fn read_order<C: Capability>(name: &str, args: &Value) -> Result<C::Order, Fault> {
    serde_json::from_value(json!({"name": name, "args": args}))
        .map_err(|error| Fault::new("/args", plain_words(&error.to_string())))
}

fn write_order(order: &impl Serialize) -> (String, Value) {
    let mut written = serde_json::to_value(order).unwrap_or_default();
    let name = written["name"].as_str().unwrap_or_default().to_owned();
    (name, written["args"].take())
}

fn read_part<C: Capability>(part: &Value) -> Result<C::State, Fault> {
    C::State::deserialize(part)
        .map_err(|error| Fault::new(format!("/{}", C::NAME), plain_words(&error.to_string())))
}

fn patch(name: &str, part: &impl Serialize) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), serde_json::to_value(part).unwrap_or_default())])
}

/// One level of a JSON pointer (RFC 6901 section 3).
fn pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Checks names that are keys, and of each what it names.
fn check_keys<'a, T: 'a>(
    what: &str,
    named: impl ExactSizeIterator<Item = (&'a String, &'a T)>,
    check: impl Fn(&T) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if named.len() == 0 || named.len() > MAX_KEYS {
        return Err(Fault::new("", format_args!("between 1 and {MAX_KEYS} {what}s")));
    }
    for (key, value) in named {
        let is_key = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(is_key) {
            let rule = format_args!("a {what} is called by 1 to {MAX_KEY} of a-z, 0-9 and _");
            return Err(Fault::new(format!("/{}", pointer(key)), rule));
        }
        check(value).map_err(|fault| fault.within(key))?;
    }
    Ok(())
}

/// Checks a name for people.
fn check_name(name: &str) -> Result<(), Fault> {
    let trimmed = name.trim();
    if trimmed.is_empty() || trimmed != name || name.chars().count() > MAX_NAME {
        return Err(Fault::new(
            "/name",
            format_args!("1 to {MAX_NAME} characters without blanks around them"),
        ));
    }
    Ok(())
}

/// A percentage moved by some points; it stops at its ends.
fn moved(percent: u8, by: i16) -> u8 {
    (i16::from(percent) + by).clamp(0, 100) as u8
}

/// A percentage within its bounds.
fn check_percent(percent: u8) -> Result<(), Fault> {
    if percent > 100 { Err(Fault::new("/percent", "a number from 0 to 100")) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
