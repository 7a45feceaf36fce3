//! What faults must hold: gateways that exist, shares in range, times on the day, clocks that can be corrected.

use super::super::{ClockFault, LocalTime, Scenario, Spells, Whom};
use super::{Checked, in_range, senseless, sound};

/// A clock that is off by more is refused by the platform, which is what `unset_until` is for. Seconds, somewhat less than
/// the platform's ten minutes.
const MOST_OFF_S: f64 = 590.0;

/// Refuses faults that cannot be simulated as they say.
pub(super) fn check(scenario: &Scenario) -> Checked {
    clock(scenario)?;
    for outage in &scenario.outages {
        named(scenario, "outages", &outage.gateways)?;
        if outage.to.is_some_and(|to| !is_one_day(scenario, outage.from, to)) {
            return senseless("outages", "an outage ends after it begins, on the same day");
        }
    }
    for (number, fault) in scenario.faults.network.iter().enumerate() {
        let place = format!("faults.network[{number}]");
        whom(scenario, &place, &fault.gateways)?;
        in_range(&format!("{place}.cuts"), fault.cuts, 0.0..=0.5)?;
        in_range(&format!("{place}.duplicates"), fault.duplicates, 0.0..=1.0)?;
        if let Some(latency) = &fault.latency {
            sound(&format!("{place}.latency"), latency)?;
        }
        spells(&format!("{place}.away"), fault.away.as_ref())?;
    }
    clock_faults(scenario)?;
    for (number, fault) in scenario.faults.adapter.iter().enumerate() {
        let place = format!("faults.adapter[{number}]");
        whom(scenario, &place, &fault.gateways)?;
        if let Some(weaker_db) = fault.weaker_db {
            in_range(&format!("{place}.weaker_db"), weaker_db, 0.0..=60.0)?;
        }
        spells(&format!("{place}.spells"), fault.spells.as_ref())?;
        match (fault.from, fault.to, &fault.spells) {
            (Some(_), None, None) | (None, None, Some(_)) => {}
            (Some(from), Some(to), None) if is_one_day(scenario, from, to) => {}
            _ => return senseless(&place, "give `from`, with or without a later `to`, or else `spells`"),
        }
    }
    Ok(())
}

fn clock(scenario: &Scenario) -> Checked {
    in_range("clock.offset_sigma_ms", scenario.clock.offset_sigma_ms, 0.0..=5_000.0)?;
    for step in &scenario.clock.steps {
        named(scenario, "clock.steps", std::slice::from_ref(&step.gateway))?;
        in_range("clock.steps.by_ms", step.by_ms, -10_000..=10_000)?;
    }
    Ok(())
}

/// A gateway may have several, and one that is among a share may be any.
fn clock_faults(scenario: &Scenario) -> Checked {
    let mut off_s = vec![0.0; scenario.gateways.len()];
    for (number, fault) in scenario.faults.clock.iter().enumerate() {
        let place = format!("faults.clock[{number}]");
        whom(scenario, &place, &fault.gateways)?;
        for (gateway, off_s) in scenario.gateways.iter().zip(&mut off_s) {
            if let Whom::Named(names) = &fault.gateways
                && !names.contains(&gateway.name)
            {
                continue;
            }
            *off_s += most_off_s(fault);
            if *off_s <= MOST_OFF_S {
                continue;
            }
            return senseless(
                &place,
                format!(
                    "offset, jumps and a day's drift come to {off_s} s for {:?} with those before, and at most to \
                     {MOST_OFF_S}",
                    gateway.name
                ),
            );
        }
    }
    Ok(())
}

/// By how much a clock with this fault is off at most, in seconds.
fn most_off_s(fault: &ClockFault) -> f64 {
    let jumps: f64 = fault.jumps.iter().map(|jump| jump.by_s.abs()).sum();
    // The longest day has 25 hours.
    let drift = fault.drift_ppm.abs() / 1e6 * 25.0 * 3_600.0;
    fault.offset_s.abs() + jumps + drift
}

fn whom(scenario: &Scenario, place: &str, whom: &Whom) -> Checked {
    let place = format!("{place}.gateways");
    match whom {
        Whom::Named(names) => named(scenario, &place, names),
        Whom::Share(share) if *share > 0.0 && *share <= 1.0 => Ok(()),
        Whom::Share(share) => senseless(&place, format!("a share is above 0 to 1, and not {share}")),
    }
}

fn named(scenario: &Scenario, place: &str, names: &[String]) -> Checked {
    if names.is_empty() {
        return senseless(place, "it names no gateway");
    }
    match names.iter().find(|name| scenario.gateway(name).is_none()) {
        Some(name) => senseless(place, format!("no gateway is called {name:?}")),
        None => Ok(()),
    }
}

fn spells(place: &str, spells: Option<&Spells>) -> Checked {
    let Some(spells) = spells else { return Ok(()) };
    in_range(&format!("{place}.count"), spells.count, 1..=100)?;
    sound(&format!("{place}.lasting"), &spells.lasting)
}

/// Whether the one time comes after the other between two starts of the venue's day.
fn is_one_day(scenario: &Scenario, from: LocalTime, to: LocalTime) -> bool {
    let starts = scenario.venue.day_starts_at;
    from < to && (from < starts) == (to < starts)
}

#[cfg(test)]
mod tests {
    use super::super::super::Scenario;

    const QUIET: &str = include_str!("../../../scenarios/quiet.toml");

    /// Each: what stands at the end of a good file, and a part of the complaint.
    const WRONG: &[(&str, &str)] = &[
        ("[[faults.network]]\ncut = 0.1", "cut = 0.1"),
        ("[[faults.network]]\ncuts = 0.6", "faults.network[0].cuts"),
        ("[[faults.network]]\ngateways = [\"door\"]", "no gateway is called \"door\""),
        ("[[faults.network]]\ngateways = []", "names no gateway"),
        ("[[faults.network]]\ngateways = 0", "faults.network[0].gateways"),
        ("[[faults.network]]\ngateways = 1.5", "faults.network[0].gateways"),
        ("[[faults.network]]\ngateways = \"all\"", "gateways = \"all\""),
        ("[[faults.network]]\nduplicates = -1", "faults.network[0].duplicates"),
        ("[[faults.network]]\nlatency = { median_s = 9, max_s = 8 }", "faults.network[0].latency"),
        ("[[faults.network]]\naway = { count = 0, lasting = { median_s = 9, max_s = 9 } }", "away.count"),
        ("[[faults.clock]]\noffset_s = 600", "faults.clock[0]"),
        ("[[faults.clock]]\noffset_s = nan", "faults.clock[0]"),
        ("[[faults.clock]]\noffset_s = 300\ndrift_ppm = 4000", "a day's drift come to 660 s"),
        (
            "[[faults.clock]]\noffset_s = 300\n[[faults.clock]]\ngateways = 0.1\noffset_s = 300",
            "faults.clock[1]: offset, jumps and a day's drift come to 600 s",
        ),
        ("[[faults.clock]]\njumps = [{ at = \"11:00\", by_s = 10, to = 3 }]", "unknown field `to`"),
        ("[[faults.clock]]\nunset_until = \"25:00\"", "time of day"),
        ("[[faults.adapter]]\nweaker_db = 10", "faults.adapter[0]: give `from`"),
        ("[[faults.adapter]]\nfrom = \"12:00\"\nto = \"11:00\"", "faults.adapter[0]: give `from`"),
        ("[[faults.adapter]]\nfrom = \"12:00\"\nweaker_db = 61", "faults.adapter[0].weaker_db"),
        ("[[faults.weather]]\nrain = 1", "unknown field `weather`"),
    ];

    #[test]
    fn wrong_faults_are_refused_with_the_place() {
        for (wrong, complaint) in WRONG {
            let text = format!("{QUIET}\n{wrong}\n");
            let error = Scenario::parse(&text).expect_err(wrong).to_string();
            assert!(error.contains(complaint), "{wrong} gave: {error}");
            // What no list of ours can name is found by its line.
            assert!(error.contains("faults.") || error.contains("line "), "{wrong} gave: {error}");
        }
    }
}
