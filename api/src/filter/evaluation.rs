//! Whether a filter means a device.

use std::cmp::Ordering;

use protocol::Timestamp;
use serde_json::{Map, Value};
use store::{Device, Side, Twin};

use super::field::type_name;
use super::{Comparison, Expression, Field, Filter, Literal, Term, Test};

/// A device and what else a filter may ask of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) device: &'a Device,
    /// Its twin, where there is one and the filter needs it.
    pub(crate) twin: Option<&'a Twin>,
    pub(crate) is_connected: bool,
}

/// What a field of a device is.
enum Found<'a> {
    Nothing,
    Word(String),
    Text(&'a str),
    Number(f64),
    Bool(bool),
    At(Timestamp),
    /// An object or an array: it is there, and equals nothing that can be written.
    Composite,
}

impl Filter {
    /// Whether it means this device.
    pub(crate) fn means(&self, subject: &Subject<'_>) -> bool {
        self.0.holds(subject)
    }
}

impl Expression {
    fn holds(&self, subject: &Subject<'_>) -> bool {
        match self {
            Expression::And(parts) => parts.iter().all(|part| part.holds(subject)),
            Expression::Or(parts) => parts.iter().any(|part| part.holds(subject)),
            Expression::Not(part) => !part.holds(subject),
            Expression::Term(term) => term.holds(subject),
        }
    }
}

impl Term {
    fn holds(&self, subject: &Subject<'_>) -> bool {
        if self.field == Field::Capability {
            return self.holds_for_capabilities(subject);
        }
        let found = subject.find(&self.field);
        match &self.test {
            Test::Exists => !matches!(found, Found::Nothing),
            Test::Is(Comparison::Equal, literal) => found.is(literal),
            Test::Is(Comparison::NotEqual, literal) => !found.is(literal),
            Test::Is(Comparison::Contains, literal) => found.contains(literal),
            Test::Is(comparison, literal) => {
                found.compare(literal).is_some_and(|order| comparison.admits(order))
            }
        }
    }

    /// A device has several capabilities: it is equal to each of them.
    fn holds_for_capabilities(&self, subject: &Subject<'_>) -> bool {
        let names = || subject.device.profile.iter().flat_map(|profile| profile.capabilities.names());
        match &self.test {
            Test::Exists => names().next().is_some(),
            Test::Is(comparison, literal) => {
                let has = names().any(|name| Some(name) == literal.as_text());
                has == (*comparison == Comparison::Equal)
            }
        }
    }
}

impl Comparison {
    fn admits(self, order: Ordering) -> bool {
        match self {
            Comparison::Less => order.is_lt(),
            Comparison::AtMost => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::AtLeast => order.is_ge(),
            Comparison::Equal | Comparison::NotEqual | Comparison::Contains => false,
        }
    }
}

impl<'a> Subject<'a> {
    fn find(&self, field: &Field) -> Found<'a> {
        let device = self.device;
        let placement = device.placement.as_ref();
        let word = |word: Option<String>| word.map_or(Found::Nothing, Found::Word);
        match field {
            Field::Kind => Found::Text(device.kind.as_str()),
            Field::Name => Found::Text(&device.name),
            Field::Venue => word(placement.map(|placement| placement.venue.to_string())),
            Field::Zone => word(placement.and_then(|placement| placement.zone).map(|zone| zone.to_string())),
            Field::Type => word(device.profile.as_ref().map(|profile| type_name(profile.r#type))),
            // Those are asked for one by one.
            Field::Capability => Found::Nothing,
            Field::Connected => Found::Bool(self.is_connected),
            Field::CreatedAt => Found::At(device.created_at),
            Field::UpdatedAt => Found::At(device.updated_at),
            Field::Twin(side, path) => {
                let state = self.twin.map(|twin| match side {
                    Side::Desired => &twin.desired.state,
                    Side::Reported => &twin.reported.state,
                });
                state.and_then(|state| member(state, path)).map_or(Found::Nothing, Found::of)
            }
        }
    }
}

impl<'a> Found<'a> {
    fn of(value: &'a Value) -> Found<'a> {
        match value {
            Value::Null => Found::Nothing,
            Value::Bool(value) => Found::Bool(*value),
            Value::Number(number) => number.as_f64().map_or(Found::Composite, Found::Number),
            Value::String(text) => Found::Text(text),
            Value::Array(_) | Value::Object(_) => Found::Composite,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Found::Word(text) => Some(text),
            Found::Text(text) => Some(text),
            _ => None,
        }
    }

    fn is(&self, literal: &Literal) -> bool {
        match (self, literal) {
            (Found::Nothing, Literal::Null) => true,
            (Found::Bool(found), Literal::Bool(literal)) => found == literal,
            _ => self.compare(literal).is_some_and(Ordering::is_eq),
        }
    }

    fn contains(&self, literal: &Literal) -> bool {
        match (self.text(), literal.as_text()) {
            (Some(text), Some(part)) => text.to_lowercase().contains(&part.to_lowercase()),
            _ => false,
        }
    }

    /// None where the two have no order.
    fn compare(&self, literal: &Literal) -> Option<Ordering> {
        match (self, literal) {
            (Found::Number(found), Literal::Number(literal)) => found.partial_cmp(literal),
            (Found::At(found), Literal::At(literal)) => Some(found.cmp(literal)),
            (_, Literal::Text(literal)) => Some(self.text()?.cmp(literal)),
            _ => None,
        }
    }
}

/// What lies at the end of a path.
fn member<'a>(state: &'a Map<String, Value>, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(state.get(first)?, |value, name| value.as_object()?.get(name))
}
