//! Words that promise work instead of doing it, and attributes that silence without saying why.

use super::Problem;
use super::tree::{Tree, has_extension};

const RULE: &str = "forbidden-word";

/// Unfinished work is an issue in the tracker, not a mark in a file. (Split, so that this file does not contain them.)
const MARKS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

const IGNORE: &str = concat!("#[", "ignore]");
const ALLOW: [&str; 2] = [concat!("#[", "allow("), concat!("#![", "allow(")];

/// Generated or not ours to word.
const SKIPPED: [&str; 3] = ["Cargo.lock", "LICENSE-APACHE", "LICENSE-MIT"];

/// Checks every text file line by line.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    tree.texts()
        .filter(|(path, _)| !SKIPPED.contains(path) && !path.ends_with("/Cargo.lock"))
        .flat_map(|(path, text)| {
            let is_rust = has_extension(path, "rs");
            text.lines().enumerate().filter_map(move |(index, line)| {
                Some(Problem::new(format!("{path}:{}", index + 1), RULE, fault(line, is_rust)?))
            })
        })
        .collect()
}

fn fault(line: &str, is_rust: bool) -> Option<String> {
    if let Some(mark) = MARKS.iter().find(|mark| has_word(line, mark)) {
        return Some(format!("`{mark}`: finish it, or open an issue and say in the text what is not there"));
    }
    if is_rust && line.contains(IGNORE) {
        return Some(format!("`{IGNORE}` needs its reason: `#[ignore = \"…\"]`"));
    }
    if is_rust && ALLOW.iter().any(|allow| line.trim_start().starts_with(allow)) {
        return Some(
            "use `#[expect(lint, reason = \"…\")]`: it says why, and speaks up when it is needed no more"
                .into(),
        );
    }
    None
}

/// Whether the word stands alone in the line, not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let is_joined = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        !is_joined(line[..at].chars().next_back()) && !is_joined(line[at + word.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_as_words_only() {
        for mark in MARKS {
            assert!(has_word(&format!("// {mark}: later"), mark));
            assert!(has_word(mark, mark));
            assert!(!has_word(&format!("{mark}S"), mark));
            assert!(!has_word(&format!("é{mark}"), mark));
            assert!(!has_word(&format!("MASTO{mark}N"), mark));
        }
    }

    #[test]
    fn the_place_is_the_line() {
        let text = format!("fn a() {{}}\n// {}\n", MARKS[1]);
        let found = check(&Tree::made_of([("api/src/a.rs", text.as_str())]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "api/src/a.rs:2");
    }

    #[test]
    fn silencing_needs_a_reason_in_rust_only() {
        let ignored = format!("    {IGNORE}");
        assert!(fault(&ignored, true).is_some());
        assert_eq!(fault(&ignored, false), None);
        assert_eq!(fault("#[ignore = \"needs an antenna\"]", true), None);
        assert!(fault(&format!("{}dead_code)]", ALLOW[0]), true).is_some());
        assert!(fault(&format!("{}dead_code)]", ALLOW[1]), true).is_some());
        assert_eq!(fault("#[expect(dead_code, reason = \"a field of the format\")]", true), None);
    }
}
