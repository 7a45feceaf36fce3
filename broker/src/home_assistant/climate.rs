//! A thermostat: what it holds, how it does so and what it measures, as one thing.

use protocol::capability::{Mode, Range, Reading, Unit};
use protocol::{ApplianceType, Profile};

use super::component::{Component, Platform, chosen, either, literal, order, plain, reported, translated};
use super::device::Thing;
use super::sensor;

/// What of a profile belongs to its thermostat.
pub(super) struct Climate<'a> {
    /// The range that is held.
    pub(super) target: &'a str,
    range: &'a Range,
    /// The mode that says whether it heats or cools.
    pub(super) mode: Option<Operation<'a>>,
    /// It is switched on and off, and has no such mode.
    pub(super) has_switch: bool,
}

/// A mode whose settings are those that Home Assistant knows.
pub(super) struct Operation<'a> {
    pub(super) key: &'a str,
    /// Each setting by its key, and the word for it.
    settings: Vec<(&'a str, &'static str)>,
}

impl<'a> Climate<'a> {
    /// None for what is no thermostat, or holds no temperature.
    pub(super) fn of(profile: &'a Profile) -> Option<Self> {
        if profile.r#type != ApplianceType::Thermostat {
            return None;
        }
        let ranges = &profile.capabilities.range.as_ref()?.0;
        let (target, range) = ranges.iter().find(|(_, range)| range.unit == Some(Unit::Celsius))?;
        let modes = profile.capabilities.mode.as_ref();
        let mode = modes.and_then(|modes| modes.0.iter().find_map(|(key, mode)| Operation::of(key, mode)));
        let has_switch = mode.is_none() && profile.capabilities.on_off.is_some();
        Some(Self { target, range, mode, has_switch })
    }
}

impl<'a> Operation<'a> {
    fn of(key: &'a str, mode: &'a Mode) -> Option<Self> {
        let mut settings: Vec<(&str, &str)> = Vec::new();
        for setting in &mode.settings {
            let word = word(&setting.key)?;
            if settings.iter().any(|(_, other)| *other == word) {
                return None;
            }
            settings.push((&setting.key, word));
        }
        Some(Self { key, settings })
    }
}

/// The mode of operation that a setting is; Home Assistant's list is closed.
fn word(setting: &str) -> Option<&'static str> {
    match setting {
        "off" => Some("off"),
        "heat" | "heating" => Some("heat"),
        "cool" | "cooling" => Some("cool"),
        "auto" => Some("auto"),
        "heat_cool" => Some("heat_cool"),
        "dry" => Some("dry"),
        "fan" | "fan_only" => Some("fan_only"),
        _ => None,
    }
}

/// The thermostat that a device is.
pub(super) fn component(thing: &Thing<'_>) -> Option<Component> {
    let climate = thing.climate.as_ref()?;
    let Climate { target, range, mode, has_switch } = climate;
    let mut component = Component::main(Platform::Climate, "climate")
        .with("temperature_unit", "C")
        .with("min_temp", range.min)
        .with("max_temp", range.max)
        .with("temp_step", range.step)
        .with("temperature_state_topic", thing.reported())
        .with("temperature_state_template", plain(&reported("range", target)))
        .with("temperature_command_topic", thing.orders())
        .with(
            "temperature_command_template",
            order("range.set", &[("range", &literal(target)), ("value", "{{ value }}")]),
        )
        .with("mode_state_topic", thing.reported());
    component = match mode {
        Some(Operation { key, settings }) => {
            let setting = chosen(settings.iter().map(|(setting, word)| (*word, *setting)));
            component
                .with("modes", settings.iter().map(|(_, word)| *word).collect::<Vec<_>>())
                .with("mode_state_template", translated(&reported("mode", key), settings.iter().copied()))
                .with("mode_command_topic", thing.orders())
                .with(
                    "mode_command_template",
                    order("mode.set", &[("mode", &literal(key)), ("setting", &setting)]),
                )
        }
        None if *has_switch => component
            .with("modes", vec!["off", "heat"])
            .with("mode_state_template", either(&reported("on_off", "on"), "heat", "off"))
            .with("mode_command_topic", thing.orders())
            .with(
                "mode_command_template",
                order("on_off.set", &[("on", "{{ 'false' if value == 'off' else 'true' }}")]),
            ),
        // It always heats, and there is nothing to choose.
        None => component.with("modes", vec!["heat"]).with("mode_state_template", "heat"),
    };
    let readings = thing.profile.capabilities.sensor.as_ref().map(|sensor| &sensor.readings);
    let measures = |reading| readings.is_some_and(|readings| readings.contains(&reading));
    for (reading, option) in
        [(Reading::Temperature, "current_temperature"), (Reading::Humidity, "current_humidity")]
    {
        if measures(reading) {
            component = component
                .with(&format!("{option}_topic"), thing.reported())
                .with(&format!("{option}_template"), plain(&reported("sensor", sensor::key(reading))));
        }
    }
    Some(component)
}
