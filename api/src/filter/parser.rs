//! From the words of a filter to what it means.

use std::str::FromStr;

use super::lexer::{Token, What, Word, tokens};
use super::{
    Comparison, Expression, Field, Filter, FilterError, Literal, MAX_BYTES, MAX_DEPTH, MAX_TERMS, Term, Test,
};

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Filter, FilterError> {
        if text.len() > MAX_BYTES {
            let at = text.char_indices().take_while(|(byte, _)| *byte < MAX_BYTES).count() + 1;
            return Err(FilterError { at, expected: format!("at most {MAX_BYTES} bytes") });
        }
        let (tokens, end) = (tokens(text)?, text.chars().count() + 1);
        let mut parser = Parser { tokens: &tokens, end, terms: 0, depth: 0 };
        let expression = parser.alternatives()?;
        match parser.tokens.first() {
            None => Ok(Filter(expression)),
            Some(_) => Err(parser.expected("`and`, `or` or the end")),
        }
    }
}

struct Parser<'a> {
    /// What is still to be read.
    tokens: &'a [Token],
    /// The character after the last.
    end: usize,
    terms: usize,
    depth: usize,
}

impl Parser<'_> {
    /// `a or b or …`.
    fn alternatives(&mut self) -> Result<Expression, FilterError> {
        let mut parts = vec![self.conjunction()?];
        while self.take_keyword("or") {
            parts.push(self.conjunction()?);
        }
        Ok(joined(parts, Expression::Or))
    }

    /// `a and b and …`.
    fn conjunction(&mut self) -> Result<Expression, FilterError> {
        let mut parts = vec![self.factor()?];
        while self.take_keyword("and") {
            parts.push(self.factor()?);
        }
        Ok(joined(parts, Expression::And))
    }

    /// `not a`, `(…)` or a term.
    fn factor(&mut self) -> Result<Expression, FilterError> {
        let is_not = self.is_keyword("not");
        if !is_not && self.tokens.first().map(|token| &token.what) != Some(&What::Open) {
            return self.term().map(Expression::Term);
        }
        if self.depth == MAX_DEPTH {
            return Err(self.expected(format!("at most {MAX_DEPTH} parentheses and `not` within each other")));
        }
        self.tokens = &self.tokens[1..];
        self.depth += 1;
        let part = if is_not {
            Expression::Not(Box::new(self.factor()?))
        } else {
            let inner = self.alternatives()?;
            if self.tokens.first().map(|token| &token.what) != Some(&What::Close) {
                return Err(self.expected("`and`, `or` or `)`"));
            }
            self.tokens = &self.tokens[1..];
            inner
        };
        self.depth -= 1;
        Ok(part)
    }

    /// `field exists` or `field = value`.
    fn term(&mut self) -> Result<Term, FilterError> {
        if self.terms == MAX_TERMS {
            return Err(self.expected(format!("at most {MAX_TERMS} terms")));
        }
        self.terms += 1;
        let named = match self.tokens.first() {
            Some(Token { what: What::Word(word), .. }) => Field::named(word),
            _ => None,
        };
        let field = named.ok_or_else(|| self.expected(format!("a field: one of {}", Field::documented())))?;
        self.tokens = &self.tokens[1..];
        if self.take_keyword("exists") {
            return Ok(Term { field, test: Test::Exists });
        }
        let comparison = match self.tokens.first() {
            Some(Token { what: What::Comparison(comparison), .. }) if field.takes(*comparison) => *comparison,
            _ => return Err(self.expected(field.operators())),
        };
        self.tokens = &self.tokens[1..];
        let literal = self.literal(&field, comparison)?;
        Ok(Term { field, test: Test::Is(comparison, literal) })
    }

    fn literal(&mut self, field: &Field, comparison: Comparison) -> Result<Literal, FilterError> {
        let read = match self.tokens.first().map(|token| &token.what) {
            Some(What::Text(text)) => Some(Literal::Text(text.clone())),
            Some(What::Word(word)) => word.text().map(unquoted),
            _ => None,
        };
        let read = read.ok_or_else(|| self.expected(field.values(comparison)))?;
        let literal = field.read(comparison, read).ok_or_else(|| self.expected(field.values(comparison)))?;
        self.tokens = &self.tokens[1..];
        Ok(literal)
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self.tokens.first(), Some(Token { what: What::Word(word), .. }) if Word::is(word, keyword))
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let is_next = self.is_keyword(keyword);
        if is_next {
            self.tokens = &self.tokens[1..];
        }
        is_next
    }

    fn expected(&self, what: impl Into<String>) -> FilterError {
        FilterError { at: self.tokens.first().map_or(self.end, |token| token.at), expected: what.into() }
    }
}

fn joined(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(one) if parts.is_empty() => one,
        last => {
            parts.extend(last);
            join(parts)
        }
    }
}

/// A value without quotes: a word of JSON, a number, or a text.
fn unquoted(text: String) -> Literal {
    match text.as_str() {
        "true" => Literal::Bool(true),
        "false" => Literal::Bool(false),
        "null" => Literal::Null,
        _ => {
            let is_number = text.trim_start_matches('-').starts_with(|first: char| first.is_ascii_digit());
            let number = text.parse().ok().filter(|number: &f64| is_number && number.is_finite());
            number.map_or(Literal::Text(text), Literal::Number)
        }
    }
}
