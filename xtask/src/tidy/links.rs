//! Documents that nobody links to are not found, and links that lead nowhere mislead.

use std::collections::BTreeSet;

use super::Problem;
use super::tree::{Tree, has_extension};

/// Checks that every relative link in a document leads to something, and that every file in `docs/` is linked.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut linked = BTreeSet::new();
    for (path, text) in tree.texts().filter(|(path, _)| has_extension(path, "md")) {
        for (line, link) in links(text) {
            let Some(target) = resolve(path, link) else {
                problems.push(leads_nowhere(path, line, link));
                continue;
            };
            let index =
                if target.is_empty() { "README.md".to_owned() } else { format!("{target}/README.md") };
            if !tree.has(&target) && !target.is_empty() && !tree.has_folder(&target) {
                problems.push(leads_nowhere(path, line, link));
            }
            linked.extend([target, index].into_iter().filter(|target| target != path));
        }
    }
    for path in tree.below("docs").filter(|path| !linked.contains(*path)) {
        problems.push(Problem::new(
            path,
            "unlinked-document",
            "no document links here; link it from README.md, ARCHITECTURE.md or the page it belongs to",
        ));
    }
    problems
}

fn leads_nowhere(document: &str, number: usize, link: &str) -> Problem {
    Problem::new(format!("{document}:{number}"), "broken-link", format!("`{link}` leads to nothing"))
}

/// The relative links of a Markdown text with their line numbers, without anchors; code is left out.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut is_code = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            found.extend(links_of(line).filter_map(|link| Some((index + 1, relative(link)?))));
        }
    }
    found
}

/// Inline links `[text](target)` and definitions `[name]: target`.
fn links_of(line: &str) -> impl Iterator<Item = &str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let definition = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "))
        .and_then(|(_, target)| target.split_whitespace().next());
    inline.chain(definition)
}

/// The link without its anchor, when it leads into this project.
fn relative(link: &str) -> Option<&str> {
    let is_elsewhere = link.contains("://") || link.starts_with("mailto:");
    let path = link.split('#').next().unwrap_or_default().trim_matches(['<', '>']);
    (!is_elsewhere && !path.is_empty()).then_some(path)
}

/// The path from the root of a link in the document `from`; nothing when it leaves the project.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = match link.strip_prefix('/') {
        Some(_) => Vec::new(),
        None => from.split('/').rev().skip(1).collect::<Vec<_>>().into_iter().rev().collect(),
    };
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::made_of(files.iter().copied())).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_document_reached_by_file_folder_or_definition_is_fine() {
        let readme = "[bench](docs/bench.md#speed \"x\") and [decisions](docs/adr/)\n[air]: docs/air.md\n";
        let files = [
            ("README.md", readme),
            ("docs/bench.md", "[home](../README.md), [abroad](https://example.org/x.md), [here](#speed)"),
            ("docs/air.md", ""),
            ("docs/adr/README.md", "[1](0001-topics.md)"),
            ("docs/adr/0001-topics.md", ""),
        ];
        assert_eq!(problems(&files), [""; 0]);
    }

    #[test]
    fn a_document_that_only_links_to_itself_is_unlinked() {
        let found = problems(&[("README.md", "no links"), ("docs/lonely.md", "[me](lonely.md)")]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("docs/lonely.md: unlinked-document: "), "{found:?}");
    }

    #[test]
    fn links_to_nothing_are_named_with_their_line() {
        let files = [
            ("docs/a/b.md", "fine\n[x](../gone.md) [y](../../../outside)"),
            ("README.md", "[b](/docs/a/b.md)"),
        ];
        assert_eq!(
            problems(&files),
            [
                "docs/a/b.md:2: broken-link: `../gone.md` leads to nothing",
                "docs/a/b.md:2: broken-link: `../../../outside` leads to nothing",
            ]
        );
    }

    #[test]
    fn code_is_not_read_as_links() {
        assert_eq!(problems(&[("README.md", "```\n[x](nowhere.md)\n```\n")]), [""; 0]);
    }
}
