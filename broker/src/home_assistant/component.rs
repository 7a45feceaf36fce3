//! What Home Assistant calls components: one entity each, with the topics and templates by which it is read and driven.
//!
//! Options and their meaning are those of the pages of each platform under <https://www.home-assistant.io/integrations/mqtt/>;
//! templates are Jinja, in which a payload that is JSON is `value_json` and what is ordered is `value`.

use serde_json::{Map, Value, json};

/// The platforms that are made use of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Platform {
    Button,
    Climate,
    Light,
    Number,
    Scene,
    Select,
    Sensor,
    Switch,
}

/// One entity of a device.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Component {
    /// What tells it from others of its device.
    pub(super) key: String,
    options: Map<String, Value>,
}

impl Platform {
    /// The word for it in `platform`.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Button => "button",
            Self::Climate => "climate",
            Self::Light => "light",
            Self::Number => "number",
            Self::Scene => "scene",
            Self::Select => "select",
            Self::Sensor => "sensor",
            Self::Switch => "switch",
        }
    }
}

impl Component {
    /// An entity with a name beside that of its device.
    pub(super) fn new(platform: Platform, key: impl Into<String>, name: &str) -> Self {
        Self { key: key.into(), options: Map::new() }.with("platform", platform.as_str()).with("name", name)
    }

    /// An entity that is the device itself, and is called as it is.
    pub(super) fn main(platform: Platform, key: impl Into<String>) -> Self {
        Self { key: key.into(), options: Map::new() }
            .with("platform", platform.as_str())
            .with("name", Value::Null)
    }

    /// The same with one more option.
    pub(super) fn with(mut self, option: &str, value: impl Into<Value>) -> Self {
        self.options.insert(option.to_owned(), value.into());
        self
    }

    /// The options, and the id by which Home Assistant knows the entity for ever.
    pub(super) fn into_options(self, owner: &str) -> Map<String, Value> {
        let unique = format!("{owner}_{}", self.key);
        self.with("unique_id", unique).options
    }
}

/// What takes a component away again: its platform and nothing else.
pub(super) fn removal(options: &Value) -> Value {
    json!({"platform": options["platform"]})
}

/// The body of an order. Values are JSON, or a template that becomes JSON.
pub(super) fn order(name: &str, args: &[(&str, &str)]) -> String {
    let args: Vec<String> = args.iter().map(|(name, value)| format!("{}:{value}", literal(name))).collect();
    format!(r#"{{"name":{},"args":{{{}}}}}"#, literal(name), args.join(","))
}

/// A text as a literal, of JSON and of Jinja alike.
pub(super) fn literal(text: &str) -> String {
    Value::from(text).to_string()
}

/// An expression for a member of the reported state; none where nothing is reported. Members are asked for as such: by a dot, a key
/// such as `items` would be a method.
pub(super) fn reported(capability: &str, member: &str) -> String {
    format!("value_json.state.get('{capability}', {{}}).get('{member}')")
}

/// A template for an expression as it is; `None`, which means unknown to Home Assistant, where there is none.
pub(super) fn plain(expression: &str) -> String {
    format!("{{{{ {expression} }}}}")
}

/// A template that translates an expression word by word; `None` for what is no such word.
pub(super) fn translated<'a>(
    expression: &str,
    words: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    format!("{{{{ {}.get({expression}, 'None') }}}}", dictionary(words))
}

/// An expression for what was chosen, translated word by word, in quotes.
pub(super) fn chosen<'a>(words: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    format!("\"{{{{ {}[value] }}}}\"", dictionary(words))
}

/// A template that is one text where an expression is true, and another where it is false.
pub(super) fn either(expression: &str, yes: &str, no: &str) -> String {
    let (yes, no) = (literal(yes), literal(no));
    format!("{{{{ {{true: {yes}, false: {no}}}.get({expression}, 'None') }}}}")
}

fn dictionary<'a>(words: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let words: Vec<String> =
        words.into_iter().map(|(word, means)| format!("{}: {}", literal(word), literal(means))).collect();
    format!("{{{}}}", words.join(", "))
}

/// What people choose from, and the key of each. Where a name stands for several, its key is added.
pub(super) fn labels<'a>(named: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, &'a str)> {
    let named: Vec<_> = named.collect();
    let is_shared = |name: &str| named.iter().filter(|(_, other)| *other == name).count() > 1;
    let label = |(key, name): &(&'a str, &'a str)| {
        (if is_shared(name) { format!("{name} ({key})") } else { (*name).to_owned() }, *key)
    };
    named.iter().map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_templates_are_spelled_as_both_sides_read_them() {
        assert_eq!(order("scene.activate", &[]), r#"{"name":"scene.activate","args":{}}"#);
        assert_eq!(
            order("brightness.set", &[("percent", "{{ value | int }}")]),
            r#"{"name":"brightness.set","args":{"percent":{{ value | int }}}}"#
        );
        assert_eq!(
            plain(&reported("range", "items")),
            "{{ value_json.state.get('range', {}).get('items') }}"
        );
        assert_eq!(either("x", "ON", "OFF"), r#"{{ {true: "ON", false: "OFF"}.get(x, 'None') }}"#);
        assert_eq!(
            translated("x", [("low", "Low \"1\" }}")]),
            r#"{{ {"low": "Low \"1\" }}"}.get(x, 'None') }}"#
        );
        assert_eq!(chosen([("Low", "low")]), r#""{{ {"Low": "low"}[value] }}""#);
    }

    #[test]
    fn every_choice_can_be_told_from_the_others() {
        let named = [("a", "Menu"), ("b", "Offers"), ("c", "Menu")];
        let expected = [("Menu (a)", "a"), ("Offers", "b"), ("Menu (c)", "c")];
        let expected: Vec<_> = expected.map(|(label, key)| (label.to_owned(), key)).into();
        assert_eq!(labels(named.into_iter()), expected);
    }
}
