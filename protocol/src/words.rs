//! What is wrong with a JSON value, in words for people who do not write Rust.

/// Words of serde for values, and what JSON calls them (RFC 8259). Longer ones come first.
const PLAIN: &[(&str, &str)] = &[
    ("expected a map", "expected an object"),
    ("expected a sequence", "expected an array"),
    ("invalid type: map", "invalid type: object"),
    ("invalid type: sequence", "invalid type: array"),
    ("invalid type: floating point", "invalid type: number"),
    ("invalid type: integer", "invalid type: number"),
    ("invalid value: integer", "invalid value: number"),
];

/// Rust's types of whole numbers; the unsigned ones have no sign in front.
const SIGNED: [&str; 5] = ["i8", "i16", "i32", "i64", "isize"];
const UNSIGNED: [&str; 5] = ["u8", "u16", "u32", "u64", "usize"];

/// What serde says of a value that does not fit, without the names of Rust's types.
pub fn plain_words(said: &str) -> String {
    let mut words = said.to_owned();
    for (foreign, plain) in PLAIN {
        words = words.replace(foreign, plain);
    }
    let Some((before, expected)) = words.rsplit_once("expected ") else { return words };
    let (kind, rest) =
        expected.split_once(' ').map_or((expected, ""), |(kind, _)| (kind, &expected[kind.len()..]));
    let plain = match kind {
        "struct" => return format!("{before}expected an object"),
        kind if SIGNED.contains(&kind) => "a whole number",
        kind if UNSIGNED.contains(&kind) => "a whole number that is not negative",
        "f32" | "f64" => "a number",
        _ => return words,
    };
    format!("{before}expected {plain}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_called_as_in_json() {
        for (said, plain) in [
            (
                "invalid type: floating point `40.5`, expected u8",
                "invalid type: number `40.5`, expected a whole number that is not negative",
            ),
            (
                "invalid value: integer `300`, expected i16",
                "invalid value: number `300`, expected a whole number",
            ),
            ("invalid type: string \"x\", expected f64", "invalid type: string \"x\", expected a number"),
            ("invalid type: sequence, expected a map", "invalid type: array, expected an object"),
            ("invalid type: map, expected a sequence", "invalid type: object, expected an array"),
            ("invalid type: null, expected struct State", "invalid type: null, expected an object"),
            (
                "invalid type: null, expected struct Profile with 4 elements",
                "invalid type: null, expected an object",
            ),
            (
                "invalid type: null, expected u32 at line 1 column 2",
                "invalid type: null, expected a whole number that is not negative at line 1 column 2",
            ),
            ("missing field `on`", "missing field `on`"),
            ("unknown field `a`, expected `on`", "unknown field `a`, expected `on`"),
            ("", ""),
        ] {
            assert_eq!(plain_words(said), plain);
        }
    }
}
