use super::*;

const FIVE: SmallestGroup = SmallestGroup(5);

fn people(inside: u64, outside: u64) -> People {
    let alone = |people| [people, 0, 0, 0, 0, 0];
    People { inside: alone(inside), outside: alone(outside), hidden: false }
}

fn venue(inside: u64) -> People {
    people(inside, 0)
}

fn shown(numbers: &[u64]) -> Vec<bool> {
    let parts: Vec<People> = numbers.iter().map(|&number| venue(number)).collect();
    FIVE.shows_parts(FIVE.allows(numbers.iter().sum()), &parts)
}

#[test]
fn nobody_and_groups_are_shown() {
    assert_eq!(shown(&[0, 5, 6, 100]), [true; 4]);
    assert!(FIVE.shows(venue(0)) && FIVE.shows(venue(5)) && !FIVE.shows(venue(4)) && !FIVE.shows(venue(1)));
}

#[test]
fn one_small_part_hides_the_next_smallest_too() {
    assert_eq!(shown(&[9, 4, 7, 0, 8]), [true, false, false, true, true]);
    // Two small ones that are a group together need no third.
    assert_eq!(shown(&[9, 4, 1, 0, 8]), [true, false, false, true, true]);
    assert_eq!(shown(&[9, 1, 1, 0, 9]), [false, false, false, true, true]);
}

#[test]
fn of_a_hidden_whole_nothing_is_shown() {
    assert_eq!(shown(&[0, 4, 0]), [false; 3]);
    assert_eq!(FIVE.shows_parts(false, &[venue(50), venue(0)]), [false; 2]);
}

#[test]
fn a_group_of_one_hides_nothing() {
    let one = SmallestGroup(1);
    assert_eq!(one.shows_parts(true, &[venue(1), venue(0), venue(2)]), [true; 3]);
}

#[test]
fn what_stands_together_is_hidden_together() {
    let lengths = |inside| People { inside, ..People::default() };
    // One length of three people; what is hidden with it makes each length nobody's or a group's.
    let parts = [lengths([9, 0, 0, 3, 0, 0]), lengths([0, 0, 0, 7, 0, 0]), lengths([30, 0, 0, 0, 0, 0])];
    assert_eq!(FIVE.shows_parts(true, &parts), [false, false, true]);
}

/// What an attacker knows: sums of unknown numbers. Whether a sum follows from them is a question of linear algebra, over the
/// integers modulo a large prime (2^61 - 1).
struct Attacker {
    /// In row echelon form, each with the column of its pivot.
    known: Vec<(usize, Vec<u64>)>,
}

const PRIME: u128 = (1 << 61) - 1;

fn times(a: u64, b: u64) -> u64 {
    (u128::from(a) * u128::from(b) % PRIME) as u64
}

fn minus(a: u64, b: u64) -> u64 {
    ((u128::from(a) + PRIME - u128::from(b)) % PRIME) as u64
}

fn inverse(a: u64) -> u64 {
    // Fermat: a to the power of p - 2.
    let (mut result, mut base, mut exponent) = (1, a, PRIME - 2);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = times(result, base);
        }
        base = times(base, base);
        exponent >>= 1;
    }
    result
}

impl Attacker {
    fn reduce(&self, mut sum: Vec<u64>) -> Vec<u64> {
        for (pivot, row) in &self.known {
            let factor = sum[*pivot];
            for (value, known) in sum.iter_mut().zip(row) {
                *value = minus(*value, times(factor, *known));
            }
        }
        sum
    }

    fn learn(&mut self, sum: Vec<u64>) {
        let mut sum = self.reduce(sum);
        let Some(pivot) = sum.iter().position(|&value| value != 0) else { return };
        let scale = inverse(sum[pivot]);
        for value in &mut sum {
            *value = times(*value, scale);
        }
        self.known.push((pivot, sum));
    }

    fn knows(&self, sum: Vec<u64>) -> bool {
        self.reduce(sum).iter().all(|&value| value == 0)
    }
}

/// A venue, one of its zones, and days of hours. Unknown are, for each hour, who was in the zone and who was not.
struct World {
    days: Vec<Vec<(u64, u64)>>,
}

impl World {
    fn hours(&self) -> usize {
        self.days.iter().map(Vec::len).sum()
    }

    /// A sum of unknowns: of the hours of `range`, those in the zone, those outside it.
    fn sum(&self, range: std::ops::Range<usize>, inside: bool, outside: bool) -> Vec<u64> {
        let mut sum = vec![0; 2 * self.hours()];
        for hour in range {
            sum[2 * hour] = u64::from(inside);
            sum[2 * hour + 1] = u64::from(outside);
        }
        sum
    }

    fn people(&self, range: std::ops::Range<usize>) -> (u64, u64) {
        let hours: Vec<(u64, u64)> = self.days.concat();
        hours[range].iter().fold((0, 0), |sum, hour| (sum.0 + hour.0, sum.1 + hour.1))
    }

    /// The hours of the week, of each day, and of each hour, as ranges.
    fn cells(&self) -> Vec<(std::ops::Range<usize>, Vec<std::ops::Range<usize>>)> {
        let mut first = 0;
        let days = self.days.iter().map(|day| {
            let range = first..first + day.len();
            first = range.end;
            range
        });
        let days: Vec<_> = days.collect();
        let of_hours = days.iter().map(|day| (day.clone(), day.clone().map(|hour| hour..hour + 1).collect()));
        std::iter::once((0..self.hours(), days.clone())).chain(of_hours).collect()
    }
}

/// Everything that is shown of a world is told to an attacker, who must not learn of fewer than five people: in no cell, and in no
/// difference between the venue's and the zone's.
fn attack(world: &World, seed: u64) {
    let mut attacker = Attacker { known: Vec::new() };
    let mut decided: Vec<(std::ops::Range<usize>, bool, bool)> = Vec::new();
    let mut look = |range: &std::ops::Range<usize>, of_venue: bool, of_zone: bool| {
        let (inside, outside) = world.people(range.clone());
        if of_venue {
            attacker.learn(world.sum(range.clone(), true, true));
            // Nobody at all means nobody in each hour, here and there.
            if inside + outside == 0 {
                range.clone().for_each(|hour| attacker.learn(world.sum(hour..hour + 1, true, false)));
                range.clone().for_each(|hour| attacker.learn(world.sum(hour..hour + 1, false, true)));
            }
        }
        if of_zone {
            attacker.learn(world.sum(range.clone(), true, false));
            if inside == 0 {
                range.clone().for_each(|hour| attacker.learn(world.sum(hour..hour + 1, true, false)));
            }
        }
        decided.push((range.clone(), of_venue, of_zone));
    };
    let week = 0..world.hours();
    let of_venue = |range: &std::ops::Range<usize>| {
        let (inside, outside) = world.people(range.clone());
        venue(inside + outside)
    };
    let of_zone = |range: &std::ops::Range<usize>, venue_is_shown: bool| {
        let (inside, outside) = world.people(range.clone());
        People { hidden: !venue_is_shown, ..people(inside, outside) }
    };
    let venue_week = FIVE.shows(of_venue(&week));
    let zone_week = FIVE.shows(of_zone(&week, venue_week));
    look(&week, venue_week, zone_week);
    let mut shown = std::collections::HashMap::from([(week.clone(), (venue_week, zone_week))]);
    for (whole, parts) in world.cells() {
        let (venue_whole, zone_whole) = shown[&whole];
        let in_venue: Vec<People> = parts.iter().map(of_venue).collect();
        let venue_parts = FIVE.shows_parts(venue_whole, &in_venue);
        let in_zone: Vec<People> =
            parts.iter().zip(&venue_parts).map(|(part, &shown)| of_zone(part, shown)).collect();
        let zone_parts = FIVE.shows_parts(zone_whole, &in_zone);
        for ((part, &of_venue), &of_zone) in parts.iter().zip(&venue_parts).zip(&zone_parts) {
            look(part, of_venue, of_zone);
            shown.entry(part.clone()).or_insert((of_venue, of_zone));
        }
    }
    for (range, ..) in decided {
        let (inside, outside) = world.people(range.clone());
        for (number, sum) in [
            (inside + outside, world.sum(range.clone(), true, true)),
            (inside, world.sum(range.clone(), true, false)),
            (outside, world.sum(range.clone(), false, true)),
        ] {
            assert!(
                FIVE.allows(number) || !attacker.knows(sum),
                "seed {seed}: {number} people of {range:?} are known in {:?}",
                world.days
            );
        }
    }
}

/// `SplitMix64` (Steele et al. 2014): the tests need no more than that.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % most
    }
}

#[test]
fn nobody_learns_of_a_few_by_sums_and_differences() {
    for seed in 0..3_000 {
        let mut random = Random(seed);
        let most = [3, 8, 20][random.below(3) as usize];
        let number = |random: &mut Random| if random.below(3) == 0 { 0 } else { random.below(most) };
        let days = (0..=random.below(4))
            .map(|_| (0..=random.below(5)).map(|_| (number(&mut random), number(&mut random))).collect())
            .collect();
        attack(&World { days }, seed);
    }
}
