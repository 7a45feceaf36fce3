//! What paths say. Pure; `docs/metrics.md` says in words what is computed here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use presence::Paths;
use protocol::ZoneId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::footfall::part;

/// Visits that went from one zone to the next.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Transition {
    /// Null for the beginning of visits.
    #[schema(value_type = Option<String>, format = "uuid")]
    from: Option<ZoneId>,
    /// Null for the end of visits.
    #[schema(value_type = Option<String>, format = "uuid")]
    to: Option<ZoneId>,
    /// How often it was done.
    count: Option<u64>,
}

/// A path and the visits that took it.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Way {
    /// The zones in order.
    #[schema(value_type = Vec<String>)]
    zones: Vec<ZoneId>,
    visits: Option<u64>,
}

/// One step of a funnel.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct FunnelStep {
    #[schema(value_type = String, format = "uuid")]
    zone: ZoneId,
    /// Visits that were in this zone after those before it in the sequence; other zones may lie between.
    visits: Option<u64>,
    /// These as a part of all visits; null without a visit.
    part: Option<f64>,
}

/// A zone that visits of another one stayed in too.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Crossing {
    #[schema(value_type = String, format = "uuid")]
    zone: ZoneId,
    /// Visits that stayed in both.
    visits: Option<u64>,
    /// These as a part of the visits that stayed in the first.
    part: Option<f64>,
}

pub(super) fn transitions(paths: &Paths) -> Vec<Transition> {
    let mut counts: BTreeMap<(Option<ZoneId>, Option<ZoneId>), u64> = BTreeMap::new();
    for (path, visits) in paths.iter().filter(|(path, _)| !path.is_empty()) {
        let zones = || path.iter().copied().map(Some);
        for pair in [None].into_iter().chain(zones()).zip(zones().chain([None])) {
            *counts.entry(pair).or_default() += visits;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    counts.into_iter().map(|((from, to), count)| Transition { from, to, count: Some(count) }).collect()
}

pub(super) fn most_frequent(paths: &Paths, most: usize) -> Vec<Way> {
    let mut ways: Vec<_> = paths.iter().collect();
    ways.sort_by_key(|(_, visits)| Reverse(*visits));
    ways.truncate(most);
    ways.into_iter().map(|(path, visits)| Way { zones: path.to_vec(), visits: Some(visits) }).collect()
}

pub(super) fn funnel(paths: &Paths, sequence: &[ZoneId]) -> Vec<FunnelStep> {
    let mut reached = vec![0; sequence.len()];
    let mut all = 0;
    for (path, visits) in paths.iter() {
        all += visits;
        let mut zones = path.iter();
        // Each step looks on where the one before was found.
        for (step, count) in sequence.iter().zip(&mut reached) {
            if !zones.any(|zone| zone == step) {
                break;
            }
            *count += visits;
        }
    }
    let steps = sequence.iter().zip(reached);
    steps
        .map(|(zone, visits)| FunnelStep { zone: *zone, visits: Some(visits), part: part(visits, all) })
        .collect()
}

/// The visits that stayed in a zone, and where else they did.
pub(super) fn crossings(paths: &Paths, zone: ZoneId) -> (u64, Vec<Crossing>) {
    let mut counts: BTreeMap<ZoneId, u64> = BTreeMap::new();
    for (path, visits) in paths.iter().filter(|(path, _)| path.contains(&zone)) {
        for zone in path.iter().collect::<BTreeSet<_>>() {
            *counts.entry(*zone).or_default() += visits;
        }
    }
    let all = counts.remove(&zone).unwrap_or(0);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, visits)| Reverse(*visits));
    let crossing = |(zone, visits)| Crossing { zone, visits: Some(visits), part: part(visits, all) };
    (all, counts.into_iter().map(crossing).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(number: u128) -> ZoneId {
        ZoneId::from_uuid(uuid::Uuid::from_u128(number))
    }

    fn paths(paths: &[&[u128]]) -> Paths {
        let mut found = Paths::default();
        for path in paths {
            found.insert(path.iter().copied().map(zone));
        }
        found
    }

    #[test]
    fn a_way_begins_goes_on_and_ends() {
        let paths = paths(&[&[1, 2, 1, 2], &[1, 2], &[2], &[]]);
        let found = transitions(&paths);
        let found: Vec<_> = found.iter().map(|t| (t.from, t.to, t.count.unwrap())).collect();
        let (a, b) = (Some(zone(1)), Some(zone(2)));
        assert_eq!(found, [(a, b, 3), (b, None, 3), (None, a, 2), (None, b, 1), (b, a, 1)]);
        let most = most_frequent(&paths, 3);
        assert_eq!(most.iter().map(|way| way.zones.len()).collect::<Vec<_>>(), [0, 2, 4]);
    }

    #[test]
    fn a_funnel_lets_through_who_keeps_to_the_order() {
        let paths = paths(&[&[1, 3, 2], &[2, 1], &[1, 2], &[3], &[]]);
        let of = |sequence: &[u128]| {
            let sequence: Vec<_> = sequence.iter().copied().map(zone).collect();
            funnel(&paths, &sequence).iter().map(|step| step.visits.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!((of(&[1, 2]), of(&[1, 3, 2]), of(&[1, 1])), (vec![3, 2], vec![3, 1, 1], vec![3, 0]));
        assert_eq!(funnel(&paths, &[zone(3)])[0].part, Some(0.4));
    }

    #[test]
    fn a_zone_crosses_each_other_once_a_visit() {
        let (visits, others) = crossings(&paths(&[&[1, 2, 1, 2], &[1, 3], &[2, 3], &[]]), zone(1));
        let others: Vec<_> = others.iter().map(|other| (other.zone, other.visits, other.part)).collect();
        assert_eq!(visits, 2);
        assert_eq!(others, [(zone(2), Some(1), Some(0.5)), (zone(3), Some(1), Some(0.5))]);
    }
}
