//! What the agent is told about the programs that drive a thing.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{ApplianceType, Capabilities};
use serde::Deserialize;

use super::ConfigError;

/// What a program can be told of a percentage.
pub(crate) const PERCENT: &str = "{percent}";

/// What it can be told of an item: its name.
pub(crate) const ITEM: &str = "{item}";

/// What it can be told of an item: its address in `urls`.
pub(crate) const URL: &str = "{url}";

/// `[appliance]` with `kind = "programs"`: a kiosk or another machine that drives itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramsConfig {
    /// What it is.
    pub r#type: ApplianceType,
    /// What it can do, as in the registry's profile of the device: `on_off`, `brightness`, `volume` and `content`.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// What is run for it.
    #[serde(default)]
    pub programs: Programs,
    /// Milliseconds that a program may take.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// The whole environment of the programs but for `PATH`, which is the agent's.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// What `{url}` stands for, by item.
    #[serde(default)]
    pub urls: BTreeMap<String, String>,
}

/// `[appliance.programs]`: each a program and its arguments, run without a shell.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Programs {
    /// Makes the device known to whoever stands before it.
    pub identify: Option<CommandLine>,
    /// Switches on.
    pub on: Option<CommandLine>,
    /// Switches off.
    pub off: Option<CommandLine>,
    /// Sets the brightness to `{percent}`.
    pub brightness: Option<CommandLine>,
    /// Sets the volume to `{percent}`.
    pub volume: Option<CommandLine>,
    /// Makes silent.
    pub mute: Option<CommandLine>,
    /// Makes as loud as before.
    pub unmute: Option<CommandLine>,
    /// Shows `{item}`, which is at `{url}`.
    pub show: Option<CommandLine>,
}

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct CommandLine {
    /// Its path, or its name on the `PATH`.
    pub program: String,
    /// Its arguments, with placeholders as whole arguments or within them.
    pub args: Vec<String>,
}

impl TryFrom<Vec<String>> for CommandLine {
    type Error = &'static str;

    fn try_from(words: Vec<String>) -> Result<Self, Self::Error> {
        if words.iter().any(|word| word.contains('\0')) {
            return Err("a word of a program has no NUL in it");
        }
        let mut words = words.into_iter();
        match words.next() {
            Some(program) if !program.is_empty() => Ok(Self { program, args: words.collect() }),
            _ => Err("a program is a list of its path and its arguments, as in [\"/usr/bin/true\"]"),
        }
    }
}

impl ProgramsConfig {
    /// How long a program may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub(super) fn validate(
        &self,
        check: impl Fn(bool, &'static str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let (can, programs) = (&self.capabilities, &self.programs);
        check((10..=600_000).contains(&self.timeout_ms), "`timeout_ms` is 10 to 600000")?;
        let known = ["on_off", "brightness", "volume", "content"];
        check(
            can.names().all(|name| known.contains(&name)),
            "programs can do `on_off`, `brightness`, `volume` and `content`",
        )?;
        let goes = |can: bool, program: &Option<CommandLine>| can == program.is_some();
        check(
            goes(can.on_off.is_some(), &programs.on) && goes(can.on_off.is_some(), &programs.off),
            "the capability `on_off` and the programs `on` and `off` need each other",
        )?;
        check(
            goes(can.brightness.is_some(), &programs.brightness),
            "the capability `brightness` and the program `brightness` need each other",
        )?;
        check(
            goes(can.volume.is_some(), &programs.volume),
            "the capability `volume` and the program `volume` need each other",
        )?;
        let can_mute = can.volume.as_ref().is_some_and(|volume| volume.mute);
        check(
            goes(can_mute, &programs.mute) && goes(can_mute, &programs.unmute),
            "`mute` of the capability `volume` and the programs `mute` and `unmute` need each other",
        )?;
        check(
            goes(can.content.is_some(), &programs.show),
            "the capability `content` and the program `show` need each other",
        )?;
        self.validate_words(check)
    }

    /// Placeholders stand where they mean something, and every item has its address if one is asked for.
    fn validate_words(
        &self,
        check: impl Fn(bool, &'static str) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        for (name, program) in self.programs.named() {
            let allowed: &[&str] = match name {
                "brightness" | "volume" => &[PERCENT],
                "show" => &[ITEM, URL],
                _ => &[],
            };
            let foreign = [PERCENT, ITEM, URL].into_iter().filter(|word| !allowed.contains(word));
            check(
                foreign.into_iter().all(|word| !program.asks_for(word)),
                "`{percent}` is for `brightness` and `volume`, `{item}` and `{url}` are for `show`",
            )?;
        }
        let items = self.capabilities.content.iter().flat_map(|content| content.items.keys());
        let asks_for_url = self.programs.show.as_ref().is_some_and(|show| show.asks_for(URL));
        check(
            !asks_for_url || items.clone().all(|item| self.urls.contains_key(item)),
            "`{url}` needs an address in [appliance.urls] for each item",
        )?;
        check(
            self.urls.keys().all(|item| items.clone().any(|known| known == item)),
            "[appliance.urls] names items of the capability `content`",
        )?;
        let is_text = |text: &String| !text.contains('\0');
        check(self.urls.values().all(is_text), "an address in [appliance.urls] has no NUL in it")?;
        let is_name = |name: &String| is_text(name) && !name.is_empty() && !name.contains('=');
        check(
            self.environment.iter().all(|(name, value)| is_name(name) && is_text(value)),
            "a name in [appliance.environment] is not empty and has no `=` in it",
        )
    }
}

impl Programs {
    /// Those that there are, by their names in the configuration.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &CommandLine)> {
        let Self { identify, on, off, brightness, volume, mute, unmute, show } = self;
        let all = [
            ("identify", identify),
            ("on", on),
            ("off", off),
            ("brightness", brightness),
            ("volume", volume),
            ("mute", mute),
            ("unmute", unmute),
            ("show", show),
        ];
        all.into_iter().filter_map(|(name, program)| Some((name, program.as_ref()?)))
    }
}

impl CommandLine {
    fn asks_for(&self, placeholder: &str) -> bool {
        self.args.iter().any(|arg| arg.contains(placeholder))
    }
}

fn timeout_ms() -> u64 {
    10_000
}
