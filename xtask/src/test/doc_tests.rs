//! Whether any documentation holds an example that runs; building none of them costs half a minute.

use std::path::Path;

use anyhow::{Context as _, Result};

/// Info strings of fences that rustdoc compiles.
const COMPILED: [&str; 5] = ["", "rust", "no_run", "should_panic", "compile_fail"];

/// Whether a package of the workspace has an example in the documentation of its sources.
pub(super) fn exist(root: &Path) -> Result<bool> {
    for entry in std::fs::read_dir(root).with_context(|| format!("cannot read {}", root.display()))? {
        let source = entry?.path().join("src");
        if source.is_dir() && any_below(&source)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn any_below(folder: &Path) -> Result<bool> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let found = if path.is_dir() {
            any_below(&path)?
        } else {
            path.extension().is_some_and(|extension| extension == "rs")
                && has_example(&std::fs::read_to_string(&path)?)
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a source has a fence in its documentation that opens Rust code.
fn has_example(source: &str) -> bool {
    let mut is_open = false;
    let documentation = source
        .lines()
        .map(str::trim_start)
        .filter_map(|line| line.strip_prefix("///").or(line.strip_prefix("//!")));
    for fence in documentation.filter_map(|line| line.trim_start().strip_prefix("```")) {
        let language = fence.split(',').next().unwrap_or_default().trim();
        if !is_open && COMPILED.contains(&language) {
            return true;
        }
        is_open = !is_open;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_in_the_documentation_is_an_example() {
        assert!(has_example("/// Adds.\n/// ```\n/// assert_eq!(1 + 1, 2);\n/// ```\nfn add() {}"));
        assert!(has_example("    /// ```rust,no_run\n    /// serve();\n    /// ```\n"));
    }

    #[test]
    fn other_languages_and_ordinary_comments_are_not() {
        assert!(!has_example("//! ```json\n//! {}\n//! ```\n//! ```text\n//! a\n//! ```\n"));
        assert!(!has_example("// ```\nlet fence = \"```\";\n"));
        assert!(!has_example("/// ```ignore\n/// x\n/// ```\n"));
    }
}
