//! What crowds must hold: numbers in range, zones to go to, and something that their transmitters call themselves.

use super::super::{Crowd, CrowdKind, Scenario};
use super::{Checked, in_range, senseless, sound};
use protocol::ZoneKind;

/// Refuses people who cannot be simulated as it says.
pub(super) fn check(scenario: &Scenario) -> Checked {
    for (number, crowd) in scenario.shoppers.iter().enumerate() {
        check_crowd(scenario, &format!("shoppers[{number}]"), crowd)?;
    }
    identifiers(scenario)?;
    sleep(scenario)
}

fn check_crowd(scenario: &Scenario, place: &str, crowd: &Crowd) -> Checked {
    for (hour, rate) in crowd.per_hour.iter().enumerate() {
        in_range(&format!("{place}.per_hour[{hour}]"), *rate, 0.0..=100_000.0)?;
    }
    sound(&format!("{place}.dwell"), &crowd.dwell)?;
    let [fewest, most] = crowd.stops;
    if fewest < 1 || fewest > most || most > 50 {
        return senseless(&format!("{place}.stops"), "fewest and most, of 1 to 50");
    }
    if let Some(returns) = &crowd.returns {
        in_range(&format!("{place}.returns.share"), returns.share, 0.0..=1.0)?;
        sound(&format!("{place}.returns.after"), &returns.after)?;
    }
    let needed: &[ZoneKind] = match crowd.kind {
        CrowdKind::PasserBy => &[ZoneKind::Outside],
        CrowdKind::Bouncer | CrowdKind::Visitor => {
            &[ZoneKind::Outside, ZoneKind::Entrance, ZoneKind::Interior]
        }
        CrowdKind::Staff => &[ZoneKind::Staff],
    };
    for kind in needed {
        if !scenario.zones.iter().any(|zone| zone.kind == *kind && zone.attraction > 0.0) {
            return senseless(place, format!("they need a zone of kind {kind} with an attraction"));
        }
    }
    Ok(())
}

fn identifiers(scenario: &Scenario) -> Checked {
    let mix = &scenario.identifiers;
    let weights = [("ble", mix.ble), ("app", mix.app), ("ibeacon", mix.ibeacon), ("random", mix.random)];
    for (name, weight) in weights {
        in_range(&format!("identifiers.{name}"), weight, 0.0..=1_000.0)?;
    }
    if weights.iter().all(|(_, weight)| *weight == 0.0) {
        return senseless("identifiers", "one weight must be more than 0");
    }
    in_range("identifiers.registered_tags", mix.registered_tags, 0..=10_000)?;
    if format!("ibeacon:{}:0:0", mix.ibeacon_uuid).parse::<protocol::Identifier>().is_err() {
        return senseless("identifiers.ibeacon_uuid", "not a UUID");
    }
    Ok(())
}

fn sleep(scenario: &Scenario) -> Checked {
    let Some(sleep) = &scenario.sleep else { return Ok(()) };
    in_range("sleep.share", sleep.share, 0.0..=1.0)?;
    // No transmitter advertises more often than every 20 ms.
    in_range("sleep.silence.min_s", sleep.silence.min_s, 0.02..=86_400.0)?;
    sound("sleep.silence", &sleep.silence)
}
