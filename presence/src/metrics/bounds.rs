//! Bins of lengths of time whose width grows with the length, so that each value is known to within one per cent.
//!
//! The idea is that of Masson, Rim, Lee, "`DDSketch`: a fast and fully-mergeable quantile sketch with relative-error
//! guarantees" (2019, section 2): bin `i` holds `(b(i-1), b(i)]` with `b(i) / b(i-1) = (1 + a) / (1 - a)` for a relative
//! error `a`. The bounds here are whole milliseconds made by whole-number arithmetic, so that every machine has the same.

/// Bins: enough for 48 hours, and no run of sightings is longer.
const COUNT: usize = 832;

/// The greatest millisecond of each bin. Bins of short lengths hold one value each.
const BOUNDS: [u64; COUNT] = bounds();

const fn bounds() -> [u64; COUNT] {
    let mut bounds = [0; COUNT];
    let mut index = 1;
    while index < COUNT {
        let before = bounds[index - 1];
        let wide = before * 101 / 99;
        bounds[index] = if wide > before { wide } else { before + 1 };
        index += 1;
    }
    bounds
}

/// The bin of a length in milliseconds; what is longer than all of them is in the last.
pub(super) fn bin(ms: u64) -> usize {
    BOUNDS.partition_point(|bound| *bound < ms).min(COUNT - 1)
}

/// The length that is within one per cent of all in a bin: `2 l u / (l + u)`; none for a bin that there is not.
pub(super) fn length(bin: usize) -> Option<f64> {
    let upper = *BOUNDS.get(bin)? as f64;
    let lower = bin.checked_sub(1).map_or(0.0, |before| BOUNDS[before] as f64 + 1.0);
    Some(if upper > 0.0 { 2.0 * lower * upper / (lower + upper) } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_up_to_two_days_is_within_one_per_cent() {
        assert!(BOUNDS[COUNT - 1] >= 48 * 3_600_000, "{}", BOUNDS[COUNT - 1]);
        assert!(BOUNDS.is_sorted_by(|a, b| a < b));
        let mut ms = 0_u64;
        while ms <= 48 * 3_600_000 {
            let near = length(bin(ms)).unwrap();
            assert!((near - ms as f64).abs() <= 0.01 * ms as f64, "{ms}: {near}");
            ms += 1 + ms / 1_000;
        }
        assert_eq!((length(COUNT), bin(u64::MAX)), (None, COUNT - 1));
    }
}
