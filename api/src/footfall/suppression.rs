//! Which numbers may be shown: none that so few people are behind that somebody could be recognized by it.
//!
//! A number belongs to a *cell*: a week of the venue's calendar, a day of it, an hour, a quarter of an hour; of the venue or
//! of one zone. Whether a cell is shown is decided once, from the cells around it and never from the question, so that no two
//! answers differ by a hidden cell. What is hidden cannot be had by subtraction either, which takes hiding more than the small
//! cells themselves: complementary suppression, as statistical offices do it (Hundepool et al., *Statistical Disclosure
//! Control*, Wiley 2012, sections 4.2 and 4.3), in a hierarchy of cells from the top down.

/// The people behind a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct People {
    /// Behind its number.
    pub(super) inside: u64,
    /// Of a zone: behind what is left of the venue's number without the zone's. Of the venue: nobody.
    pub(super) outside: u64,
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
        cell.inside == 0 || (!cell.hidden && self.allows(cell.inside) && self.allows(cell.outside))
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
        spare.sort_by_key(|&index| {
            (parts[index].inside == 0, parts[index].inside, parts[index].outside, index)
        });
        for index in spare {
            if self.hides_a_group(parts, &shown) {
                break;
            }
            shown[index] = false;
        }
        shown
    }

    /// Whether what is hidden is nobody or a group, in the zone and outside it.
    fn hides_a_group(self, parts: &[People], shown: &[bool]) -> bool {
        let hidden = || parts.iter().zip(shown).filter(|(_, shown)| !**shown).map(|(part, _)| part);
        self.allows(hidden().map(|part| part.inside).sum())
            && self.allows(hidden().map(|part| part.outside).sum())
    }
}

#[cfg(test)]
#[path = "suppression_tests.rs"]
mod tests;
