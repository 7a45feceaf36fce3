//! What people say of amounts, as what a device takes.

use protocol::capability::Range;

/// A percentage that can be ordered.
pub(crate) fn percent(said: i64) -> Option<u8> {
    u8::try_from(said).ok().filter(|percent| *percent <= 100)
}

/// By how many points of a percentage something shall change; more than all is all.
pub(crate) fn points(said: i64) -> i16 {
    said.clamp(-100, 100) as i16
}

/// The step of a range that is nearest to what was said: 21.3 degrees are 21.5 to what goes by halves. None when it is
/// beyond the ends.
pub(crate) fn nearest_step(range: &Range, said: f64) -> Option<f64> {
    if !range.contains(said) {
        return None;
    }
    let steps = ((said - range.min) / range.step).round();
    // Steps of 0.1 add up to 20.700000000000003, which nobody wants to hear.
    let value = ((range.min + steps * range.step) * 1e6).round() / 1e6;
    Some(if range.contains(value) { value } else { said })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_becomes_the_nearest_step() {
        let range = Range { name: "Temperature".to_owned(), min: 5.0, max: 30.0, step: 0.5, unit: None };
        for (said, step) in [
            (21.3, Some(21.5)),
            (5.0, Some(5.0)),
            (30.0, Some(30.0)),
            (30.1, None),
            (4.9, None),
            (f64::NAN, None),
        ] {
            assert_eq!(nearest_step(&range, said), step, "{said}");
        }
        let odd = Range { min: 0.0, max: 1.0, step: 0.4, ..range };
        assert_eq!(nearest_step(&odd, 1.0), Some(1.0), "an end is one, whatever the steps");
        let fine = Range { min: 0.0, max: 30.0, step: 0.1, ..odd };
        assert_eq!(nearest_step(&fine, 20.7), Some(20.7));
    }
}
