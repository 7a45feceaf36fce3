//! What a scenario must hold beyond its shape: names that exist, numbers in range, everything on the floor.

mod crowd;
mod fault;

use super::{AppliancePlan, Scenario, ScenarioError};
use crate::chance::Span;
use crate::floor::{Point, Polygon};
use protocol::DeviceKind;
use std::collections::HashSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

type Checked = Result<(), ScenarioError>;

/// Refuses a scenario that cannot be simulated as it says.
pub(super) fn check(scenario: &Scenario) -> Checked {
    names(scenario)?;
    venue(scenario)?;
    zones(scenario)?;
    mounted(scenario)?;
    for appliance in &scenario.appliances {
        check_appliance(scenario, &format!("appliances.{}", appliance.name), appliance)?;
    }
    crowd::check(scenario)?;
    bounds(scenario)?;
    radio(scenario)?;
    fault::check(scenario)
}

fn names(scenario: &Scenario) -> Checked {
    let distinct = |place: &str, names: Vec<&str>| {
        let mut seen = HashSet::new();
        for name in names {
            if name.trim().is_empty() || name.len() > 60 {
                return senseless(place, "a name has 1 to 60 bytes");
            }
            if !seen.insert(name) {
                return senseless(place, format!("two are called {name:?}"));
            }
        }
        Ok(())
    };
    distinct("zones", scenario.zones.iter().map(|zone| zone.name.as_str()).collect())?;
    let gateways = scenario.gateways.iter().map(|gateway| gateway.name.as_str());
    let beacons = scenario.beacons.iter().map(|beacon| beacon.name.as_str());
    let appliances = scenario.appliances.iter().map(|appliance| appliance.name.as_str());
    distinct("gateways", gateways.chain(beacons).chain(appliances).collect())
}

fn venue(scenario: &Scenario) -> Checked {
    let venue = &scenario.venue;
    if let Err(error) = jiff::tz::TimeZone::get(&venue.timezone) {
        return senseless("venue.timezone", error);
    }
    if !venue.day_starts_at.0.is_multiple_of(60) {
        return senseless("venue.day_starts_at", "the table is by the hour: a day starts at a full hour");
    }
    in_range("venue.size", venue.size[0], 2.0..=2_000.0)?;
    in_range("venue.size", venue.size[1], 2.0..=2_000.0)
}

fn zones(scenario: &Scenario) -> Checked {
    if scenario.zones.is_empty() {
        return senseless("zones", "there is none");
    }
    let mut shapes: Vec<(&str, Polygon)> = Vec::new();
    for zone in &scenario.zones {
        let place = format!("zones.{}", zone.name);
        let Some(shape) = zone.shape() else {
            return senseless(
                &place,
                "give a `rectangle` (left, bottom, right, top) or a `polygon`, with an area",
            );
        };
        let (low, high) = shape.bounds();
        let [width, height] = scenario.venue.size;
        if low.x < 0.0 || low.y < 0.0 || high.x > width || high.y > height {
            return senseless(&place, format!("reaches out of the venue's {width} x {height} m"));
        }
        if let Some((other, _)) = shapes.iter().find(|(_, other)| overlap(other, &shape)) {
            return senseless(&place, format!("lies over {other}"));
        }
        for neighbour in &zone.neighbours {
            if scenario.zone(neighbour).is_none() || *neighbour == zone.name {
                return senseless(
                    &format!("{place}.neighbours"),
                    format!("no other zone is called {neighbour:?}"),
                );
            }
        }
        in_range(&format!("{place}.attraction"), zone.attraction, 0.0..=1_000.0)?;
        shapes.push((&zone.name, shape));
    }
    Ok(())
}

/// Two zones overlap when the middle of a square of a grid of 1/4 m is in both; borders may touch.
fn overlap(a: &Polygon, b: &Polygon) -> bool {
    let (low, high) = (a.bounds().0, a.bounds().1);
    let (other_low, other_high) = b.bounds();
    let (left, right) = (low.x.max(other_low.x), high.x.min(other_high.x));
    let (bottom, top) = (low.y.max(other_low.y), high.y.min(other_high.y));
    if left >= right || bottom >= top {
        return false;
    }
    let columns = ((right - left) / 0.25).ceil() as u32;
    let rows = ((top - bottom) / 0.25).ceil() as u32;
    let middle = |low: f32, high: f32, count: u32, index: u32| {
        low + (high - low) * (index as f32 + 0.5) / count as f32
    };
    (0..columns).any(|column| {
        (0..rows).any(|row| {
            let place = Point::new(middle(left, right, columns, column), middle(bottom, top, rows, row));
            a.contains(place) && b.contains(place)
        })
    })
}

fn mounted(scenario: &Scenario) -> Checked {
    if scenario.gateways.is_empty() {
        return senseless("gateways", "there is none");
    }
    let gateways = scenario.gateways.iter().map(|it| ("gateways", &it.name, &it.zone, it.position));
    let beacons = scenario.beacons.iter().map(|it| ("beacons", &it.name, &it.zone, it.position));
    for (list, name, zone, [x, y, z]) in gateways.chain(beacons) {
        let place = format!("{list}.{name}");
        if scenario.zone(zone).is_none() {
            return senseless(&format!("{place}.zone"), format!("no zone is called {zone:?}"));
        }
        let [width, height] = scenario.venue.size;
        in_range(&format!("{place}.position"), x, 0.0..=width)?;
        in_range(&format!("{place}.position"), y, 0.0..=height)?;
        in_range(&format!("{place}.position"), z, 0.0..=50.0)?;
    }
    for beacon in &scenario.beacons {
        in_range(&format!("beacons.{}.every_s", beacon.name), beacon.every_s, 1..=3_600)?;
    }
    Ok(())
}

fn check_appliance(scenario: &Scenario, place: &str, appliance: &AppliancePlan) -> Checked {
    if scenario.zone(&appliance.zone).is_none() {
        return senseless(&format!("{place}.zone"), format!("no zone is called {:?}", appliance.zone));
    }
    if !matches!(appliance.kind, DeviceKind::Appliance | DeviceKind::Kiosk) {
        return senseless(&format!("{place}.kind"), "an appliance or a kiosk");
    }
    if let Err(fault) = appliance.profile.check() {
        return senseless(&format!("{place}.profile{}", fault.path.replace('/', ".")), fault.what);
    }
    let manners = &appliance.manners;
    in_range(&format!("{place}.manners.failure_rate"), manners.failure_rate, 0.0..=1.0)?;
    in_range(&format!("{place}.manners.duplicate_acks"), manners.duplicate_acks, 0.0..=1.0)?;
    for (name, [least, most]) in [("delay_ms", manners.delay_ms), ("ack_delay_ms", manners.ack_delay_ms)] {
        if least > most || most > 3_600_000 {
            return senseless(&format!("{place}.manners.{name}"), "least and most, up to 3600000");
        }
    }
    in_range(&format!("{place}.manners.online_ms"), manners.online_ms, 0..=86_400_000)?;
    in_range(&format!("{place}.manners.offline_ms"), manners.offline_ms, 0..=86_400_000)
}

fn bounds(scenario: &Scenario) -> Checked {
    in_range("bounds.counts", scenario.bounds.counts, 0.0..=1.0)?;
    in_range("bounds.dwell_s", scenario.bounds.dwell_s, 0.0..=3_600.0)?;
    in_range("bounds.occupancy", scenario.bounds.occupancy, 0.0..=1.0)
}

fn radio(scenario: &Scenario) -> Checked {
    let radio = &scenario.radio;
    in_range("radio.tx_power_dbm", radio.tx_power_dbm, -100.0..=0.0)?;
    in_range("radio.path_loss_exponent", radio.path_loss_exponent, 1.5..=6.0)?;
    in_range("radio.shadowing_db", radio.shadowing_db, 0.0..=15.0)?;
    in_range("radio.shadowing_memory_s", radio.shadowing_memory_s, 0.1..=3_600.0)?;
    in_range("radio.fading_db", radio.fading_db, 0.0..=15.0)?;
    in_range("radio.sensitivity_dbm", radio.sensitivity_dbm, -120.0..=-30.0)?;
    in_range("radio.loss", radio.loss, 0.0..=0.95)?;
    in_range("radio.advertising_interval_ms", radio.advertising_interval_ms, 20..=10_240)?;
    in_range("radio.front_db", radio.front_db, 0.0..=60.0)?;
    in_range("radio.partition_db", radio.partition_db, 0.0..=60.0)?;
    in_range("radio.batch_every_s", radio.batch_every_s, 1..=60)?;
    let walking = &scenario.walking;
    in_range("walking.speed_mps", walking.speed_mps, 0.3..=3.0)?;
    in_range("walking.speed_sigma", walking.speed_sigma, 0.0..=1.0)?;
    in_range("walking.drift_m", walking.drift_m, 0.0..=10.0)
}

fn sound(place: &str, span: &Span) -> Checked {
    if span.is_sound() {
        return Ok(());
    }
    senseless(place, "needs 0 <= min_s <= median_s <= max_s <= 86400 and sigma of 0 to 3")
}

fn in_range<T: PartialOrd + Display + Copy>(place: &str, value: T, range: RangeInclusive<T>) -> Checked {
    if range.contains(&value) {
        return Ok(());
    }
    senseless(place, format!("{value} is not in {} to {}", range.start(), range.end()))
}

fn senseless<T>(place: &str, why: impl Display) -> Result<T, ScenarioError> {
    Err(ScenarioError::Senseless { place: place.to_owned(), why: why.to_string() })
}

#[cfg(test)]
mod tests {
    use super::super::Scenario;

    const QUIET: &str = include_str!("../../scenarios/quiet.toml");

    /// Each line: what is replaced in a good file, by what, and a part of the complaint.
    const WRONG: &[(&str, &str, &str)] = &[
        ("name = \"quiet\"", "name = \"quiet\"\ncolour = \"red\"", "colour"),
        ("timezone = \"Europe/Berlin\"", "timezone = \"Europe/Berlinn\"", "venue.timezone"),
        ("day_starts_at = \"04:00\"", "day_starts_at = \"4:00\"", "time of day"),
        ("day_starts_at = \"04:00\"", "day_starts_at = \"24:00\"", "time of day"),
        ("day_starts_at = \"04:00\"", "day_starts_at = \"+4:00\"", "time of day"),
        ("size = [24.0, 21.0]", "size = [24.0, nan]", "venue.size"),
        ("rectangle = [0.0, 0.0, 24.0, 5.0]", "rectangle = [0.0, 0.0, 24.0, 6.0]", "lies over street"),
        ("rectangle = [0.0, 0.0, 24.0, 5.0]", "rectangle = [0.0, 0.0, 0.0, 5.0]", "zones.street"),
        ("rectangle = [0.0, 0.0, 24.0, 5.0]", "rectangle = [0.0, 0.0, 24.5, 5.0]", "reaches out"),
        ("kind = \"outside\"", "kind = \"inside\"", "inside"),
        ("neighbours = [\"street\"", "neighbours = [\"road\"", "road"),
        ("kind = \"passer_by\"", "kind = \"staff\"", "kind staff"),
        ("loss = 0.1", "loss = 1.0", "radio.loss"),
        ("median_s = 600", "median_s = 6", "shoppers[0].dwell"),
        ("registered_tags = 1", "registered_tags = -1", "registered_tags"),
        (
            "[radio]",
            "[sleep]\nshare = 2\nsilence = { median_s = 9, max_s = 9, min_s = 9 }\n[radio]",
            "sleep.share",
        ),
        (
            "[radio]",
            "[sleep]\nshare = 1\nsilence = { median_s = 9, max_s = 9 }\n[radio]",
            "sleep.silence.min_s",
        ),
        ("[radio]", "[bounds]\ncounts = 2\n[radio]", "bounds.counts"),
    ];

    #[test]
    fn wrong_appliances_are_refused_with_the_place() {
        const SHOWROOM: &str = include_str!("../../scenarios/showroom.toml");
        Scenario::parse(SHOWROOM).unwrap();
        for (good, wrong, complaint) in [
            ("name = \"ceiling light\"", "name = \"door gateway\"", "two are called"),
            ("kind = \"kiosk\"", "kind = \"phone\"", "appliances.welcome kiosk.kind"),
            ("max = 30", "max = 3", "profile.capabilities.range.temperature.max"),
            ("brightness = {}", "darkness = {}", "darkness"),
            ("failure_rate = 0.05", "failure_rate = 5", "manners.failure_rate"),
            ("delay_ms = [500, 2000]", "delay_ms = [2000, 500]", "manners.delay_ms"),
            ("delay_ms = [500, 2000]", "delays = [500, 2000]", "delays"),
        ] {
            assert!(SHOWROOM.contains(good), "the good file has no {good}");
            let error = Scenario::parse(&SHOWROOM.replacen(good, wrong, 1)).expect_err(wrong).to_string();
            assert!(error.contains(complaint), "{wrong} gave: {error}");
        }
    }

    #[test]
    fn wrong_files_are_refused_with_the_place() {
        Scenario::parse(QUIET).unwrap();
        for (good, wrong, complaint) in WRONG {
            assert!(QUIET.contains(good), "the good file has no {good}");
            let text = QUIET.replacen(good, wrong, 1);
            let error = Scenario::parse(&text).expect_err(wrong).to_string();
            assert!(error.contains(complaint), "{wrong} gave: {error}");
        }
    }
}
