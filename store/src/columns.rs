//! Many rows in one statement on `SQLite`: they travel as one JSON text that the statement unfolds with `json_each`.
//!
//! A bound value for every column of every row would need a statement text for every number of rows.

use uuid::Uuid;

/// Rows as a JSON list of lists. Bytes are written as hexadecimal, for `unhex`.
pub(crate) struct Rows {
    json: String,
    first: bool,
}

/// One row being written.
pub(crate) struct Row<'a> {
    json: &'a mut String,
    first: bool,
}

impl Rows {
    pub(crate) fn new() -> Self {
        Self { json: String::from("["), first: true }
    }

    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Row<'_>)) {
        self.json.push_str(if self.first { "[" } else { ",[" });
        self.first = false;
        write(&mut Row { json: &mut self.json, first: true });
        self.json.push(']');
    }

    pub(crate) fn finish(mut self) -> String {
        self.json.push(']');
        self.json
    }
}

impl Row<'_> {
    pub(crate) fn uuid(&mut self, uuid: Uuid) -> &mut Self {
        self.bytes(uuid.as_bytes())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.separate();
        self.json.push('"');
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        self.json.extend(digits.map(|digit| char::from(DIGITS[usize::from(digit)])));
        self.json.push('"');
        self
    }

    /// A word of letters, digits, `_` and `-`, which JSON needs no escapes for.
    pub(crate) fn word(&mut self, word: &str) -> &mut Self {
        debug_assert!(word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'));
        self.separate();
        self.json.push('"');
        self.json.push_str(word);
        self.json.push('"');
        self
    }

    pub(crate) fn number(&mut self, number: i64) -> &mut Self {
        self.separate();
        self.json.push_str(&number.to_string());
        self
    }

    fn separate(&mut self) {
        if !self.first {
            self.json.push(',');
        }
        self.first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_a_json_list_of_lists() {
        let mut rows = Rows::new();
        rows.push(|row| {
            row.uuid(Uuid::from_u128(0xab)).word("a_b-9").number(-5).bytes(&[]);
        });
        rows.push(|row| {
            row.bytes(&[0, 255]);
        });
        let expected = r#"[["000000000000000000000000000000ab","a_b-9",-5,""],["00ff"]]"#;
        assert_eq!(rows.finish(), expected);
        assert_eq!(Rows::new().finish(), "[]");
    }
}
