use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3_600_000;

fn run(subject: u128, from: i64, to: i64, class: VisitClass) -> Run {
    Run { subject: Subject(subject), from: Timestamp(from), to: Timestamp(to), class }
}

fn span(from: i64, to: i64) -> Span {
    Span { from: Timestamp(from), to: Timestamp(to) }
}

fn hours(count: i64) -> (Vec<Timestamp>, Timestamp) {
    ((0..count).map(|hour| Timestamp(hour * HOUR)).collect(), Timestamp(count * HOUR))
}

#[test]
fn an_empty_bucket_is_zeros() {
    let (starts, end) = hours(2);
    let empty = |start| Figures {
        start: Timestamp(start),
        visits: 0,
        uniques: 0,
        bounces: 0,
        passers_by: 0,
        dwell_median: None,
        dwell_p90: None,
        occupancy_peak: 0,
        occupancy_mean: 0.0,
    };
    assert_eq!(figures(&starts, end, end, &[], &[]), [empty(0), empty(HOUR)]);
    assert_eq!(figures(&[], end, end, &[], &[]), []);
}

#[test]
fn a_visit_belongs_to_the_bucket_of_its_start() {
    let (starts, end) = hours(2);
    let runs = [
        run(1, HOUR - 1, HOUR + 600_000, VisitClass::Visit),
        run(1, HOUR, HOUR + 200_000, VisitClass::Visit),
        run(2, HOUR, HOUR + 400_000, VisitClass::Visit),
        run(2, HOUR + 1, HOUR + 2, VisitClass::Bounce),
        run(3, 0, 0, VisitClass::PasserBy),
        run(4, 0, HOUR, VisitClass::Staff),
        run(5, 0, HOUR, VisitClass::Transient),
        run(6, -1, HOUR, VisitClass::Visit),
        run(7, 2 * HOUR, 3 * HOUR, VisitClass::Visit),
    ];
    let series = figures(&starts, end, end, &runs, &[]);
    let counts: Vec<_> = series.iter().map(|f| (f.visits, f.uniques, f.bounces, f.passers_by)).collect();
    assert_eq!(counts, [(1, 1, 0, 1), (2, 2, 1, 0)]);
    assert_eq!((series[0].dwell_median, series[1].dwell_median), (Some(600.001), Some(300.0)));
}

#[test]
fn uniques_are_subjects_not_visits() {
    let (starts, end) = hours(1);
    let runs = [
        run(1, 0, 130_000, VisitClass::Visit),
        run(1, 2_000_000, 2_200_000, VisitClass::Visit),
        run(2, 5, 10, VisitClass::Bounce),
    ];
    let series = figures(&starts, end, end, &runs, &[]);
    assert_eq!((series[0].visits, series[0].uniques), (2, 1));
}

#[test]
fn quantiles_of_few_values() {
    assert_eq!((median(&[]), nearest_rank(&[], 90)), (None, None));
    assert_eq!((median(&[7]), nearest_rank(&[7], 90)), (Some(7.0), Some(7)));
    assert_eq!((median(&[1, 4]), nearest_rank(&[1, 4], 90)), (Some(2.5), Some(4)));
    let ten: Vec<i64> = (1..=10).collect();
    assert_eq!((median(&ten), nearest_rank(&ten, 90)), (Some(5.5), Some(9)));
}

#[test]
fn occupancy_is_a_level_over_time() {
    let (starts, end) = hours(3);
    // Two at once for half of the first hour; one passes from zone to zone at the full hour and is one all the time.
    let spans = [span(0, HOUR), span(HOUR / 2, HOUR), span(HOUR, HOUR + HOUR / 4), span(HOUR, HOUR)];
    let series = figures(&starts, end, end, &[], &spans);
    let levels: Vec<_> = series.iter().map(|f| (f.occupancy_peak, f.occupancy_mean)).collect();
    assert_eq!(levels, [(2, 1.5), (1, 0.25), (0, 0.0)]);
}

#[test]
fn a_span_over_several_buckets_is_in_each() {
    let (starts, end) = hours(3);
    let series = figures(&starts, end, end, &[], &[span(-HOUR, 10 * HOUR)]);
    assert!(series.iter().all(|f| (f.occupancy_peak, f.occupancy_mean) == (1, 1.0)), "{series:?}");
}

#[test]
fn what_is_not_known_yet_does_not_lower_the_mean() {
    let (starts, end) = hours(3);
    let known = Timestamp(HOUR + HOUR / 2);
    let series = figures(&starts, end, known, &[], &[span(0, 5 * HOUR)]);
    let levels: Vec<_> = series.iter().map(|f| (f.occupancy_peak, f.occupancy_mean)).collect();
    assert_eq!(levels, [(1, 1.0), (1, 1.0), (0, 0.0)]);
}

fn classes() -> impl Strategy<Value = VisitClass> {
    prop::sample::select(vec![
        VisitClass::Visit,
        VisitClass::Bounce,
        VisitClass::PasserBy,
        VisitClass::Staff,
        VisitClass::Transient,
    ])
}

fn runs() -> impl Strategy<Value = Vec<Run>> {
    let one = (0u128..20, 0..12 * HOUR, 0..4 * HOUR, classes());
    prop::collection::vec(
        one.prop_map(|(subject, from, length, class)| run(subject, from, from + length, class)),
        0..80,
    )
}

fn spans() -> impl Strategy<Value = Vec<Span>> {
    let one = (-HOUR..13 * HOUR, 0..4 * HOUR);
    prop::collection::vec(one.prop_map(|(from, length)| span(from, from + length)), 0..60)
}

/// Buckets of any sizes that cover twelve hours.
fn cuts() -> impl Strategy<Value = Vec<Timestamp>> {
    prop::collection::btree_set(1..12 * HOUR, 0..30)
        .prop_map(|cuts| [0].into_iter().chain(cuts).map(Timestamp).collect())
}

proptest! {
    #[test]
    fn buckets_add_up_to_the_whole(runs in runs(), spans in spans(), cuts in cuts()) {
        let end = Timestamp(12 * HOUR);
        let parts = figures(&cuts, end, end, &runs, &spans);
        let whole = figures(&[Timestamp(0)], end, end, &runs, &spans).remove(0);
        prop_assert_eq!(parts.iter().map(|f| f.visits).sum::<u64>(), whole.visits);
        prop_assert_eq!(parts.iter().map(|f| f.bounces).sum::<u64>(), whole.bounces);
        prop_assert_eq!(parts.iter().map(|f| f.passers_by).sum::<u64>(), whole.passers_by);
        prop_assert_eq!(parts.iter().map(|f| f.occupancy_peak).max(), Some(whole.occupancy_peak));
        let ends = cuts.iter().skip(1).chain([&end]);
        let area: f64 = parts.iter().zip(ends).map(|(f, end)| f.occupancy_mean * end.since(f.start) as f64).sum();
        let expected = whole.occupancy_mean * (12 * HOUR) as f64;
        prop_assert!((area - expected).abs() <= 1e-6 * expected.max(1.0), "{} is not {}", area, expected);
    }

    #[test]
    fn each_bucket_is_sane(runs in runs(), spans in spans(), cuts in cuts(), known in 0..13 * HOUR) {
        let end = Timestamp(12 * HOUR);
        for f in figures(&cuts, end, Timestamp(known), &runs, &spans) {
            prop_assert!(f.uniques <= f.visits);
            prop_assert_eq!(f.uniques == 0, f.visits == 0);
            prop_assert_eq!(f.dwell_median.is_some(), f.visits > 0);
            prop_assert!(f.dwell_median <= f.dwell_p90);
            prop_assert!(f.occupancy_mean >= 0.0 && f.occupancy_mean <= f.occupancy_peak as f64 + 1e-9);
        }
    }

    #[test]
    fn uniques_match_a_plain_count(runs in runs()) {
        let end = Timestamp(12 * HOUR);
        let whole = figures(&[Timestamp(0)], end, end, &runs, &[]).remove(0);
        let visits = runs.iter().filter(|run| run.class == VisitClass::Visit);
        let subjects: HashSet<Subject> = visits.map(|run| run.subject).collect();
        prop_assert_eq!(whole.uniques, subjects.len() as u64);
    }

    #[test]
    fn the_level_at_any_moment_matches_a_plain_count(spans in spans(), at in 0..12 * HOUR) {
        let moment = [Timestamp(at)];
        let end = Timestamp(at + 1);
        let f = figures(&moment, end, Timestamp(i64::MAX), &[], &spans).remove(0);
        let inside = spans.iter().filter(|span| span.from.0 <= at && at < span.to.0).count() as u64;
        prop_assert_eq!(f.occupancy_peak, inside);
        prop_assert!((f.occupancy_mean - inside as f64).abs() < 1e-9);
    }
}
