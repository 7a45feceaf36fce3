//! `cargo xtask tidy`: what the compiler cannot check, one small module for each rule.
//!
//! Every check is a function of what was read (the file tree, the dependency graph), so its tests use made-up input.

mod dependencies;
mod links;
mod migrations;
mod module_docs;
mod names;
mod tree;
mod words;

use std::fmt;

use anyhow::{Result, bail};

use self::tree::Tree;
use crate::workspace::Workspace;

/// Something that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    /// Path from the root, with the line where there is one: `store/src/live.rs:12`.
    place: String,
    /// The short name of the rule.
    rule: &'static str,
    /// What is wrong and what to do about it.
    message: String,
}

impl Problem {
    fn new(place: impl Into<String>, rule: &'static str, message: impl Into<String>) -> Self {
        Self { place: place.into(), rule, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}: {}", self.place, self.rule, self.message)
    }
}

/// Runs every check and prints every problem; fails when there is one.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let graph = dependencies::Graph::of(&workspace.metadata()?);
    let tree = Tree::read(workspace.root())?;
    let mut problems = [
        dependencies::check(&graph),
        migrations::check(&tree),
        module_docs::check(&tree, &graph.folders()),
        names::check(&tree),
        words::check(&tree),
        links::check(&tree),
    ]
    .concat();
    problems.sort();
    if problems.is_empty() {
        eprintln!("   tidy: {} packages and {} files keep the rules", graph.folders().len(), tree.len());
        return Ok(());
    }
    for problem in &problems {
        eprintln!("   {problem}");
    }
    bail!("tidy found {} problem{}", problems.len(), if problems.len() == 1 { "" } else { "s" });
}
