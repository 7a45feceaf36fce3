//! Every module says at its top what it is for, in a sentence.

use super::Problem;
use super::tree::{Tree, has_extension};

const RULE: &str = "module-docs";

/// Checks the sources of the packages in `folders`. Tests and build scripts are free of the rule.
pub(super) fn check(tree: &Tree, folders: &[&str]) -> Vec<Problem> {
    tree.texts()
        .filter(|(path, _)| is_checked(path, folders))
        .filter_map(|(path, text)| Some(Problem::new(path, RULE, fault(text)?)))
        .collect()
}

/// Modules below the `src` of a package; a `tests.rs`, a `…_tests.rs` or a `tests/` inside it belongs to what it tests.
fn is_checked(path: &str, folders: &[&str]) -> bool {
    let Some((folder, module)) = path.split_once("/src/") else { return false };
    let is_test = module.split('/').any(|part| part == "tests" || part.ends_with("tests.rs"));
    folders.contains(&folder) && has_extension(module, "rs") && !is_test
}

/// What is wrong with the top of a module.
fn fault(text: &str) -> Option<&'static str> {
    let paragraph: Vec<&str> = text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let Some(last) = paragraph.last() else {
        return Some("begin the file with `//!` and a sentence: what is it for?");
    };
    (!last.ends_with(['.', ':', '?', '!'])).then_some(
        "the first paragraph of the module documentation is not a sentence: end it with a full stop",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_at_the_top_is_enough() {
        for good in [
            "//! Ids.\n",
            "//! Ids, one newtype\n//! each.\n//!\n//! More words\nuse x;\n",
            "//! Is it late?",
        ] {
            assert_eq!(fault(good), None, "{good:?}");
        }
    }

    #[test]
    fn nothing_or_half_a_sentence_is_not() {
        for bad in
            ["", "use std::fmt;\n", "// Ids.\n", "\n//! Ids.\n", "//!\n//! Ids.\n", "//! Ids\n\nuse x;\n"]
        {
            assert!(fault(bad).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn only_modules_of_packages_are_checked() {
        let bare = |path| (path, "use x;\n");
        let tree = Tree::made_of([
            bare("store/src/live.rs"),
            bare("store/src/live/tests.rs"),
            bare("store/src/live/burst_tests.rs"),
            bare("store/src/tests/engine.rs"),
            bare("store/build.rs"),
            bare("store/tests/contract.rs"),
            bare("protocol/fuzz/src/main.rs"),
            bare("elsewhere/src/lib.rs"),
        ]);
        let places: Vec<String> =
            check(&tree, &["store", "protocol"]).into_iter().map(|problem| problem.place).collect();
        assert_eq!(places, ["store/src/live.rs"]);
    }
}
