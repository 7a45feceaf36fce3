//! What a text must be to be stored.

use serde_json::Value;

use crate::error::{Result, StoreError};

/// Refuses a text that is empty, has more than `max` characters or a U+0000, which `PostgreSQL` does not take.
pub(crate) fn check(what: &str, text: &str, max: usize) -> Result<()> {
    if text.is_empty() {
        return Err(StoreError::Invalid(format!("{what} has 1 to {max} characters")));
    }
    check_optional(what, Some(text), max)
}

/// The same for a text that may be empty or missing.
pub(crate) fn check_optional(what: &str, text: Option<&str>, max: usize) -> Result<()> {
    match text {
        Some(text) if text.chars().count() > max || text.contains('\0') => Err(StoreError::Invalid(format!(
            "{what} has at most {max} characters, and U+0000 is none of them"
        ))),
        _ => Ok(()),
    }
}

/// Refuses a JSON document with a U+0000 in a text, which `PostgreSQL` does not take.
pub(crate) fn check_json(document: &Value) -> Result<()> {
    let has_zero = match document {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => return items.iter().try_for_each(check_json),
        Value::Object(fields) => {
            fields.values().try_for_each(check_json)?;
            fields.keys().any(|name| name.contains('\0'))
        }
        _ => false,
    };
    if has_zero { Err(StoreError::Invalid("U+0000 is no part of a document".into())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_bounded() {
        assert!(check("a name", "é", 1).is_ok());
        for wrong in ["", "éé", "\0"] {
            assert!(matches!(check("a name", wrong, 1), Err(StoreError::Invalid(_))), "{wrong:?}");
        }
        assert!(check_optional("a name", None, 1).is_ok());
        assert!(check_optional("a name", Some(""), 1).is_ok());
    }

    #[test]
    fn documents_have_no_zeros() {
        assert!(check_json(&json!({"a": ["b", 1, null]})).is_ok());
        assert!(check_json(&json!({"a": ["b", "\0"]})).is_err());
        assert!(check_json(&json!({"a\0": 1})).is_err());
    }
}
