//! Which numbers may be shown: none that so few people are behind that somebody could be recognized by it.
//!
//! A number belongs to a *cell*: a week of the venue's calendar, a day of it, an hour, a quarter of an hour; of the venue or
//! of one zone. Whether a cell is shown is decided from the cells around it and never from the question, so that no two
//! answers at the same time differ by a hidden cell. Nor is what is hidden the rest of what is shown of its venue or zone, which
//! takes hiding more than the small cells themselves: complementary suppression, as statistical offices do it (Hundepool et al., *Statistical Disclosure
//! Control*, Wiley 2012, sections 4.2 and 4.3), in a hierarchy of cells from the top down.

/// Numbers that stand together and are shown together, at most.
pub(super) const TOGETHER: usize = 6;

/// The people behind a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct People {
    /// Behind each of its numbers; what is not used is 0.
    pub(super) inside: [u64; TOGETHER],
    /// Of a zone: behind what is left of the venue's number without the zone's. Of the venue: nobody.
    pub(super) outside: [u64; TOGETHER],
    /// Whether it is hidden for another cause: a zone's cell is wherever the venue's is, or where all of the venue was in the
    /// zone the one would tell the other.
    pub(super) hidden: bool,
}

/// How many people make a group, at least 1: with 1 nothing is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SmallestGroup(pub(super) u64);

impl SmallestGroup {
    /// Whether a number that these people are behind may be shown: nobody, or a group.
    pub(super) fn allows(self, people: u64) -> bool {
        people == 0 || people >= self.0
    }

    /// Whether a cell without a larger one around it is shown.
    pub(super) fn shows(self, cell: People) -> bool {
        cell.is_empty() || (!cell.hidden && self.allows_all(cell))
    }

    /// Which parts of a cell are shown, if the whole is or is not.
    ///
    /// Of a whole that is hidden no part is shown, or their sum would show it. Of one that is shown the hidden parts must
    /// together be a group, since the whole minus the shown ones is their sum: until they are, the smallest shown part is hidden,
    /// too (of equal ones the first).
    pub(super) fn shows_parts(self, whole_is_shown: bool, parts: &[People]) -> Vec<bool> {
        if !whole_is_shown {
            return vec![false; parts.len()];
        }
        let mut shown: Vec<bool> = parts.iter().map(|part| self.shows(*part)).collect();
        // Where nobody was in the zone hiding that helps only those who were elsewhere, so it comes last.
        let mut spare: Vec<usize> = (0..parts.len()).filter(|&index| shown[index]).collect();
        let size = |people: [u64; TOGETHER]| people.iter().sum::<u64>();
        spare.sort_by_key(|&index| {
            let part = parts[index];
            (part.is_empty(), size(part.inside), size(part.outside), index)
        });
        for index in spare {
            let hidden = parts.iter().zip(&shown).filter(|(_, shown)| !**shown).map(|(part, _)| *part);
            if self.allows_all(hidden.fold(People::default(), People::with)) {
                break;
            }
            shown[index] = false;
        }
        shown
    }

    fn allows_all(self, cell: People) -> bool {
        cell.inside.iter().chain(&cell.outside).all(|&people| self.allows(people))
    }
}

impl People {
    fn is_empty(&self) -> bool {
        self.inside.iter().all(|&people| people == 0)
    }

    fn with(self, other: Self) -> Self {
        let sum =
            |one: [u64; TOGETHER], other: [u64; TOGETHER]| std::array::from_fn(|at| one[at] + other[at]);
        Self { inside: sum(self.inside, other.inside), outside: sum(self.outside, other.outside), ..self }
    }
}

#[cfg(test)]
#[path = "suppression_tests.rs"]
mod tests;
