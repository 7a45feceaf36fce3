//! The same stays and visits, made slowly from everything at once.

use std::collections::{BTreeMap, BTreeSet};

use presence::{Layout, Sighting, Timeline, VisitClass};
use protocol::{DeviceId, Subject, Timestamp, ZoneId, ZoneKind};

/// A stay without its ids: subject, zone, from, to.
pub(crate) type PlainStay = (Subject, ZoneId, Timestamp, Timestamp);
/// A visit without its id: subject, from, to, class, start of its day.
pub(crate) type PlainVisit = (Subject, Timestamp, Timestamp, VisitClass, Timestamp);

/// All rows, as they are when everything is over.
pub(crate) fn rows(
    timeline: &Timeline,
    sightings: &[Sighting],
) -> (BTreeSet<PlainStay>, BTreeSet<PlainVisit>) {
    let (mut stays, mut visits) = (BTreeSet::new(), BTreeSet::new());
    let mut by_subject: BTreeMap<Subject, Vec<Sighting>> = BTreeMap::new();
    for sighting in sightings {
        if place(layout_of(timeline, sighting), sighting.anchor).is_some() {
            by_subject.entry(sighting.subject).or_default().push(*sighting);
        }
    }
    for (subject, mut heard) in by_subject {
        heard.sort();
        for run in runs(timeline, &heard) {
            let (from, to) = (run[0].at, run[run.len() - 1].at);
            let (of_run, kinds) = stays_of(timeline, &run);
            stays.extend(of_run.into_iter().map(|(zone, from, to)| (subject, zone, from, to)));
            let interior = kinds.contains(&ZoneKind::Interior);
            let class = if run.iter().any(|s| s.transient) {
                VisitClass::Transient
            } else if interior && to.since(from) >= 120_000 {
                VisitClass::Visit
            } else if interior {
                VisitClass::Bounce
            } else if kinds.contains(&ZoneKind::Entrance) || kinds.contains(&ZoneKind::Outside) {
                VisitClass::PasserBy
            } else {
                VisitClass::Staff
            };
            visits.insert((subject, from, to, class, timeline.day(from).from));
        }
    }
    (stays, visits)
}

/// Splits at silences of more than 15 minutes, at the start of day and at an age of 4 hours.
fn runs(timeline: &Timeline, heard: &[Sighting]) -> Vec<Vec<Sighting>> {
    let mut runs: Vec<Vec<Sighting>> = Vec::new();
    for sighting in heard {
        let goes_on = runs.last().is_some_and(|run| {
            let (first, last) = (run[0].at, run[run.len() - 1].at);
            sighting.at.since(last) <= 900_000
                && sighting.at.since(first) < 14_400_000
                && timeline.day(first) == timeline.day(sighting.at)
        });
        match runs.last_mut() {
            Some(run) if goes_on => run.push(*sighting),
            _ => runs.push(vec![*sighting]),
        }
    }
    runs
}

type ZoneTimes = Vec<(ZoneId, Timestamp, Timestamp)>;

/// The stays of one run, and the kinds of the zones it was in.
fn stays_of(timeline: &Timeline, run: &[Sighting]) -> (ZoneTimes, BTreeSet<ZoneKind>) {
    let mut stays: ZoneTimes = Vec::new();
    let mut kinds = BTreeSet::new();
    let mut levels: BTreeMap<DeviceId, (i64, f32)> = BTreeMap::new();
    let mut rival: Option<(ZoneId, i64)> = None;
    let mut current: Option<ZoneId> = None;
    let mut heard_last = run[0].at;
    for heard in run.chunk_by(|one, other| one.at.second() == other.at.second()) {
        let (first, last, second) = (heard[0].at, heard[heard.len() - 1].at, heard[0].at.second());
        let layout = layout_of(timeline, &heard[0]);
        if first.since(heard_last) > 30_000 {
            (current, rival) = (None, None);
        }
        hear(&mut levels, second, heard);

        let mut zones: BTreeMap<ZoneId, f32> = BTreeMap::new();
        for (anchor, (at, level)) in &levels {
            if let Some((zone, _)) = place(layout, *anchor) {
                let level = level - 0.5 * (second - at) as f32;
                let strongest = zones.entry(zone).or_insert(level);
                *strongest = strongest.max(level);
            }
        }
        // The strongest, and of equals the one with the lowest id.
        let best = |zones: &BTreeMap<ZoneId, f32>, but: Option<ZoneId>| {
            let others = zones.iter().filter(|(zone, _)| Some(**zone) != but).rev();
            others.max_by(|one, other| one.1.total_cmp(other.1)).map(|(zone, level)| (*zone, *level))
        };
        match current.and_then(|zone| zones.get(&zone)) {
            None => (current, rival) = (best(&zones, None).map(|(zone, _)| zone), None),
            Some(own) => match best(&zones, current) {
                Some((zone, level)) if level - own >= 1.0 => {
                    let since = rival.filter(|(other, _)| *other == zone).map_or(second, |(_, since)| since);
                    rival = Some((zone, since));
                    if second - since >= i64::from(layout.settings.zone.hold_s) {
                        (current, rival) = (Some(zone), None);
                    }
                }
                _ => rival = None,
            },
        }

        let zone = current.expect("a heard subject is somewhere");
        kinds.insert(layout.zones[&zone]);
        heard_last = last;
        match stays.last_mut() {
            Some((of, _, to)) if *of == zone => *to = last,
            before => {
                // Until it is seen elsewhere it is where it was seen last.
                if let Some((_, _, to)) = before {
                    *to = first;
                }
                stays.push((zone, first, last));
            }
        }
    }
    (stays, kinds)
}

/// Median, then a moving average; gone after ten seconds.
fn hear(levels: &mut BTreeMap<DeviceId, (i64, f32)>, second: i64, heard: &[Sighting]) {
    levels.retain(|_, (at, _)| second - *at <= 10);
    let mut values: BTreeMap<DeviceId, Vec<f32>> = BTreeMap::new();
    for sighting in heard {
        values.entry(sighting.anchor).or_default().push(f32::from(sighting.rssi));
    }
    for (anchor, mut values) in values {
        values.sort_by(f32::total_cmp);
        let half = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[half] } else { f32::midpoint(values[half - 1], values[half]) };
        let level = match levels.get(&anchor) {
            Some((at, level)) => {
                let before = level - 0.5 * (second - 1 - at) as f32;
                before + 0.3 * (median - before)
            }
            None => median,
        };
        levels.insert(anchor, (second, level));
    }
}

fn layout_of<'a>(timeline: &'a Timeline, sighting: &Sighting) -> &'a Layout {
    timeline.at(Timestamp(sighting.at.second() * 1_000))
}

fn place(layout: &Layout, anchor: DeviceId) -> Option<(ZoneId, ZoneKind)> {
    let zone = layout.anchors.get(&anchor)?;
    layout.zones.get(zone).map(|kind| (*zone, *kind))
}
