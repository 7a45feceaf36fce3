//! Members of what an assistant sent, read forgivingly: numbers as whole or broken ones, and nothing where something else stands.

use serde_json::{Map, Value};

/// The members of an object; those of something else are none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameters<'a>(Option<&'a Map<String, Value>>);

impl<'a> Parameters<'a> {
    pub(crate) fn of(value: &'a Value) -> Self {
        Self(value.as_object())
    }

    fn get(self, name: &str) -> Option<&'a Value> {
        self.0?.get(name)
    }

    pub(crate) fn flag(self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    pub(crate) fn text(self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str()
    }

    /// A number; JSON has none that is infinite.
    pub(crate) fn number(self, name: &str) -> Option<f64> {
        self.get(name)?.as_f64()
    }

    /// A number as the nearest whole one; what is beyond is as far as one can go.
    pub(crate) fn whole(self, name: &str) -> Option<i64> {
        self.number(name).map(|number| number.round() as i64)
    }

    /// The members of an object that is a member.
    pub(crate) fn members(self, name: &str) -> Option<&'a Map<String, Value>> {
        self.get(name)?.as_object()
    }

    /// An object that is a member; empty where there is none.
    pub(crate) fn inner(self, name: &str) -> Self {
        Self(self.members(name))
    }

    /// The items of a list; none where there is no list.
    pub(crate) fn items(self, name: &str) -> &'a [Value] {
        self.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_read_in_every_spelling_and_nothing_else_is_one() {
        let value = json!({"a": 70, "b": 70.0, "c": "70", "d": 1e300, "e": null, "f": -0.4});
        let whole = |name| Parameters::of(&value).whole(name);
        assert_eq!(
            ["a", "b", "c", "d", "e", "f", "g"].map(whole),
            [Some(70), Some(70), None, Some(i64::MAX), None, Some(0), None]
        );
        assert_eq!(Parameters::of(&json!([1])).number("a"), None);
    }
}
