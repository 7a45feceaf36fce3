//! Modules are named after what they hold; some names say nothing and attract everything.

use super::Problem;
use super::tree::{Tree, has_extension};

const RULE: &str = "module-name";
const EMPTY_NAMES: [&str; 7] = ["utils", "util", "common", "helpers", "types", "models", "manager"];

/// Checks the name of every Rust file and of every folder above it.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    tree.paths()
        .filter(|path| has_extension(path, "rs"))
        .filter_map(|path| {
            let empty = path.trim_end_matches(".rs").split('/').find(|part| EMPTY_NAMES.contains(part))?;
            Some(Problem::new(
                path,
                RULE,
                format!("`{empty}` says nothing: name the module after the noun it holds"),
            ))
        })
        .chain(tree.paths().filter(|path| path.ends_with("/mod.rs")).map(|path| {
            Problem::new(
                path,
                RULE,
                "a module with parts is `name.rs` beside the folder `name`, not `name/mod.rs`",
            )
        }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_names_are_found_in_files_and_folders() {
        let tree = Tree::made_of([
            ("store/src/segment.rs", ""),
            ("store/src/utils.rs", ""),
            ("api/src/models/venue.rs", ""),
            ("docs/common.md", ""),
            ("tests/it/world/mod.rs", ""),
        ]);
        let places: Vec<String> = check(&tree).into_iter().map(|problem| problem.place).collect();
        assert_eq!(places, ["api/src/models/venue.rs", "store/src/utils.rs", "tests/it/world/mod.rs"]);
    }
}
