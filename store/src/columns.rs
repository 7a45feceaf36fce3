//! Many rows in one statement on `SQLite`: they travel as one JSON text that the statement unfolds with `json_each`.
//!
//! A bound value for every column of every row would need a statement text for every number of rows.

use uuid::Uuid;

/// Rows as a JSON list of lists. Bytes are written as hexadecimal, for `unhex`.
pub(crate) struct Rows {
    json: Vec<u8>,
    first: bool,
}

/// One row being written.
pub(crate) struct Row<'a> {
    json: &'a mut Vec<u8>,
    first: bool,
}

impl Rows {
    pub(crate) fn new() -> Self {
        Self { json: vec![b'['], first: true }
    }

    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Row<'_>)) {
        self.json.extend_from_slice(if self.first { b"[" } else { b",[" });
        self.first = false;
        write(&mut Row { json: &mut self.json, first: true });
        self.json.push(b']');
    }

    pub(crate) fn finish(mut self) -> String {
        self.json.push(b']');
        String::from_utf8(self.json).expect("only ASCII was written")
    }
}

impl Row<'_> {
    pub(crate) fn uuid(&mut self, uuid: Uuid) -> &mut Self {
        self.bytes(uuid.as_bytes())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.separate();
        self.json.push(b'"');
        for byte in bytes {
            let digits = [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]);
            self.json.extend_from_slice(&digits);
        }
        self.json.push(b'"');
        self
    }

    /// A word of letters, digits, `_` and `-`, which JSON needs no escapes for.
    pub(crate) fn word(&mut self, word: &str) -> &mut Self {
        debug_assert!(word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'));
        self.separate();
        self.json.push(b'"');
        self.json.extend_from_slice(word.as_bytes());
        self.json.push(b'"');
        self
    }

    pub(crate) fn number(&mut self, number: i64) -> &mut Self {
        self.separate();
        self.json.extend_from_slice(number.to_string().as_bytes());
        self
    }

    fn separate(&mut self) {
        if !self.first {
            self.json.push(b',');
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
