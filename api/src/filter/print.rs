//! Filters as text that reads as the same filter.

use std::fmt::{Display, Formatter, Result, Write};

use super::lexer::is_bare;
use super::{Expression, Field, Filter, Literal, Term, Test};
use crate::instant::Instant;

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.0.fmt(f)
    }
}

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Expression::And(parts) => {
                join(f, parts, " and ", |part| matches!(part, Expression::And(_) | Expression::Or(_)))
            }
            // `and` binds more closely.
            Expression::Or(parts) => join(f, parts, " or ", |part| matches!(part, Expression::Or(_))),
            Expression::Not(part) => {
                f.write_str("not ")?;
                nested(f, part, matches!(**part, Expression::And(_) | Expression::Or(_)))
            }
            Expression::Term(term) => term.fmt(f),
        }
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.field.name())?;
        if let Field::Twin(_, path) = &self.field {
            for part in path {
                f.write_char('.')?;
                let is_plain = !part.is_empty() && part.chars().all(is_bare);
                if is_plain { f.write_str(part) } else { quoted(f, part) }?;
            }
        }
        match &self.test {
            Test::Exists => f.write_str(" exists"),
            Test::Is(comparison, literal) => write!(f, " {} {literal}", comparison.as_str()),
        }
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Literal::Text(text) => quoted(f, text),
            Literal::Number(number) => Display::fmt(number, f),
            Literal::Bool(value) => Display::fmt(value, f),
            Literal::Null => f.write_str("null"),
            Literal::At(at) => Display::fmt(&Instant(*at), f),
        }
    }
}

fn join(
    f: &mut Formatter<'_>,
    parts: &[Expression],
    word: &str,
    is_nested: impl Fn(&Expression) -> bool,
) -> Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        nested(f, part, is_nested(part))?;
    }
    Ok(())
}

fn nested(f: &mut Formatter<'_>, part: &Expression, is_nested: bool) -> Result {
    if is_nested { write!(f, "({part})") } else { part.fmt(f) }
}

fn quoted(f: &mut Formatter<'_>, text: &str) -> Result {
    f.write_char('"')?;
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(character)?;
    }
    f.write_char('"')
}
