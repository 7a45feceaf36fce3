//! Filters of devices: `kind = kiosk and connected = true and reported.on_off.on = false and name ~ "window"`.
//!
//! A filter is read whole before anything is looked at, so that a mistake says where it is and what would be right. It is
//! bounded in length, in terms and in depth; `docs/commands.md` describes the grammar.

mod evaluation;
mod field;
mod lexer;
mod parser;
mod print;

use protocol::{DeviceKind, Timestamp, VenueId};
use store::DeviceFilter;

pub(crate) use evaluation::Subject;
pub(crate) use field::Field;

/// The longest filter in bytes.
pub(crate) const MAX_BYTES: usize = 1_024;
/// The most terms.
pub(crate) const MAX_TERMS: usize = 32;
/// How deep parentheses and `not` may lie in each other.
pub(crate) const MAX_DEPTH: usize = 8;

/// Which devices are meant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filter(Expression);

/// A filter or a part of one. `And` and `Or` have two parts or more.
#[derive(Debug, Clone, PartialEq)]
enum Expression {
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    Term(Term),
}

/// Something that a device is or is not.
#[derive(Debug, Clone, PartialEq)]
struct Term {
    field: Field,
    test: Test,
}

/// What is asked of a field.
#[derive(Debug, Clone, PartialEq)]
enum Test {
    Exists,
    Is(Comparison, Literal),
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Contains,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq)]
enum Literal {
    Text(String),
    Number(f64),
    Bool(bool),
    Null,
    /// Only for the fields that are times.
    At(Timestamp),
}

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: expected {expected}")]
pub(crate) struct FilterError {
    /// Which character is wrong, counted from 1.
    at: usize,
    /// What would be right there.
    expected: String,
}

impl Comparison {
    const ALL: [Comparison; 7] = [
        Comparison::NotEqual,
        Comparison::AtMost,
        Comparison::AtLeast,
        Comparison::Equal,
        Comparison::Less,
        Comparison::Greater,
        Comparison::Contains,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::Greater => ">",
            Comparison::AtLeast => ">=",
            Comparison::Contains => "~",
        }
    }
}

impl Filter {
    /// Whether twins must be read to know whom it means.
    pub(crate) fn needs_twins(&self) -> bool {
        self.0.needs_twins()
    }

    /// What of it the store can look up: a kind and a venue that every device it means must have.
    pub(crate) fn narrowed(&self) -> DeviceFilter {
        let all = match &self.0 {
            Expression::And(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        let required = |field: &Field| {
            all.iter().find_map(|part| match part {
                Expression::Term(Term { field: named, test: Test::Is(Comparison::Equal, literal) })
                    if named == field =>
                {
                    literal.as_text()
                }
                _ => None,
            })
        };
        DeviceFilter {
            venue: required(&Field::Venue).and_then(|venue| venue.parse::<VenueId>().ok()),
            kind: required(&Field::Kind).and_then(|kind| kind.parse::<DeviceKind>().ok()),
        }
    }
}

impl Expression {
    fn needs_twins(&self) -> bool {
        match self {
            Expression::And(parts) | Expression::Or(parts) => parts.iter().any(Expression::needs_twins),
            Expression::Not(part) => part.needs_twins(),
            Expression::Term(term) => matches!(term.field, Field::Twin(..)),
        }
    }
}

impl Literal {
    fn as_text(&self) -> Option<&str> {
        if let Literal::Text(text) = self { Some(text) } else { None }
    }
}

#[cfg(test)]
mod tests;
