//! Many rows in one statement on `SQLite`: they travel as one JSON text that the statement unfolds with `json_each`.
//!
//! A bound value for every column of every row would need a statement text for every number of rows.

use uuid::Uuid;

/// Rows in one statement: large enough that its own cost vanishes, small enough that it stays short.
pub(crate) const CHUNK: usize = 1_000;

/// Bytes of values in one statement: far below what either engine takes.
const PORTION: usize = 8 << 20;

/// Cuts rows with large values into what one statement takes.
pub(crate) fn portions<'a, T>(
    mut rows: &'a [T],
    bytes: impl Fn(&T) -> usize + 'a,
) -> impl Iterator<Item = &'a [T]> {
    std::iter::from_fn(move || {
        let mut sum = 0;
        let fits = |row: &&T| {
            sum += bytes(row);
            sum <= PORTION
        };
        // One that is too large on its own still goes.
        let count = rows.iter().take(CHUNK).take_while(fits).count().max(1);
        rows.split_off(..count.min(rows.len())).filter(|portion| !portion.is_empty())
    })
}

/// Numbers as a JSON list.
pub(crate) fn list(numbers: &[i64]) -> String {
    let mut json = String::with_capacity(2 + 12 * numbers.len());
    for number in numbers {
        json.push(if json.is_empty() { '[' } else { ',' });
        json.push_str(&number.to_string());
    }
    if json.is_empty() {
        json.push('[');
    }
    json.push(']');
    json
}

/// Ids as a JSON list of lists of one.
pub(crate) fn ids(ids: &[Uuid]) -> String {
    let mut rows = Rows::new();
    for id in ids {
        rows.push(|row| {
            row.uuid(*id);
        });
    }
    rows.finish()
}

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

    /// A word of letters, digits, `_`, `-`, `.` and `:`, which JSON needs no escapes for.
    pub(crate) fn word(&mut self, word: &str) -> &mut Self {
        debug_assert!(word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte)));
        self.separate();
        self.json.push(b'"');
        self.json.extend_from_slice(word.as_bytes());
        self.json.push(b'"');
        self
    }

    pub(crate) fn optional_word(&mut self, word: Option<&str>) -> &mut Self {
        match word {
            Some(word) => self.word(word),
            None => self.null(),
        }
    }

    pub(crate) fn number(&mut self, number: i64) -> &mut Self {
        self.separate();
        self.json.extend_from_slice(number.to_string().as_bytes());
        self
    }

    pub(crate) fn optional(&mut self, number: Option<i64>) -> &mut Self {
        match number {
            Some(number) => self.number(number),
            None => self.null(),
        }
    }

    pub(crate) fn optional_bytes(&mut self, bytes: Option<&[u8]>) -> &mut Self {
        match bytes {
            Some(bytes) => self.bytes(bytes),
            None => self.null(),
        }
    }

    fn null(&mut self) -> &mut Self {
        self.separate();
        self.json.extend_from_slice(b"null");
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
            row.bytes(&[0, 255]).optional(None).optional(Some(7)).optional_bytes(None);
        });
        let expected = r#"[["000000000000000000000000000000ab","a_b-9",-5,""],["00ff",null,7,null]]"#;
        assert_eq!(rows.finish(), expected);
        assert_eq!(Rows::new().finish(), "[]");
        assert_eq!((list(&[]).as_str(), list(&[7, -1]).as_str()), ("[]", "[7,-1]"));
    }

    #[test]
    fn portions_are_bounded_and_leave_nothing_out() {
        let lengths = |rows: &[usize]| portions(rows, |row| *row).map(<[usize]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(&[]), [] as [usize; 0]);
        assert_eq!(lengths(&[1; 2 * CHUNK + 1]), [CHUNK, CHUNK, 1]);
        assert_eq!(lengths(&[PORTION, 1, PORTION - 1, PORTION + 1, 0]), [1, 2, 1, 1]);
    }
}
