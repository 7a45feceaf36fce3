//! What is wrong with a request, and where.

use serde::Serialize;
use utoipa::ToSchema;

/// The longest text about one mistake, in characters.
const LONGEST_TEXT: usize = 300;

/// One thing that is wrong with a request: in its body (`pointer`, or `line` and `column` of a table) or in its query (`parameter`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Mistake {
    /// A JSON Pointer (RFC 6901) into the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/timezone")]
    pub pointer: Option<String>,
    /// The name of a query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "limit")]
    pub parameter: Option<String>,
    /// The line of a table, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The name of a column of a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "zone")]
    pub column: Option<String>,
    /// What is wrong and what would be right.
    pub detail: String,
}

/// Where in the body the JSON stops being JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Position {
    /// The line, counted from 1.
    pub line: usize,
    /// The byte in that line, counted from 1; 0 is before the first.
    pub column: usize,
}

impl Mistake {
    /// A mistake in the body at a JSON Pointer.
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Mistake {
        Mistake { pointer: Some(short(pointer.into())), ..Mistake::of(detail) }
    }

    /// A mistake in the query parameter `name`.
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Mistake {
        Mistake { parameter: Some(short(name.into())), ..Mistake::of(detail) }
    }

    /// A mistake in a line of a table.
    pub fn line(line: usize, detail: impl Into<String>) -> Mistake {
        Mistake { line: Some(line), ..Mistake::of(detail) }
    }

    /// A mistake in a line of a table, in the column with a name.
    pub fn cell(line: usize, column: impl Into<String>, detail: impl Into<String>) -> Mistake {
        Mistake { column: Some(short(column.into())), ..Mistake::line(line, detail) }
    }

    fn of(detail: impl Into<String>) -> Mistake {
        Mistake { pointer: None, parameter: None, line: None, column: None, detail: short(detail.into()) }
    }
}

/// What a client sent is named in the answer, but not sent back in full.
fn short(text: String) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
