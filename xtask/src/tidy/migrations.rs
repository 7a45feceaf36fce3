//! Both databases get the same migrations: the same numbers and names, from 0001 without a gap.

use std::collections::BTreeSet;

use super::{Problem, tree::Tree};

const RULE: &str = "migration-parity";
const ENGINES: [&str; 2] = ["migrations/sqlite", "migrations/postgres"];

/// Checks names and numbers in both folders.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let [sqlite, postgres] = ENGINES.map(|folder| names(tree, folder));
    let mut problems = Vec::new();
    for (mine, theirs, here, there) in
        [(&sqlite, &postgres, ENGINES[0], ENGINES[1]), (&postgres, &sqlite, ENGINES[1], ENGINES[0])]
    {
        for name in mine.difference(theirs) {
            problems.push(Problem::new(
                format!("{here}/{name}"),
                RULE,
                format!("there is no {there}/{name}; a migration is written for both databases"),
            ));
        }
        problems.extend(check_numbers(mine, here));
    }
    problems
}

/// The numbers of one folder must be 1, 2, 3, … once each.
fn check_numbers(names: &BTreeSet<&str>, folder: &str) -> Vec<Problem> {
    if names.is_empty() {
        return vec![Problem::new(folder, RULE, "there is no migration here")];
    }
    let mut problems = Vec::new();
    let mut expected = 1;
    for name in names {
        let Some(number) = number(name) else {
            problems.push(Problem::new(
                format!("{folder}/{name}"),
                RULE,
                "name it NNNN_name.sql: four digits, then lower-case words joined by `_`",
            ));
            continue;
        };
        if number != expected {
            problems.push(Problem::new(
                format!("{folder}/{name}"),
                RULE,
                format!("the number {expected:04} was expected here; numbers have no gaps and no repeats"),
            ));
        }
        expected = number + 1;
    }
    problems
}

/// The files of one folder, its README left out.
fn names<'a>(tree: &'a Tree, folder: &str) -> BTreeSet<&'a str> {
    tree.below(folder).map(|path| &path[folder.len() + 1..]).filter(|name| *name != "README.md").collect()
}

/// The number of a file that is named as it should be.
fn number(name: &str) -> Option<u32> {
    let (digits, rest) = name.strip_suffix(".sql")?.split_once('_')?;
    let words =
        !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let four = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_digit());
    (words && four).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(sqlite: &[&str], postgres: &[&str]) -> Vec<String> {
        let paths: Vec<String> = sqlite
            .iter()
            .map(|name| format!("{}/{name}", ENGINES[0]))
            .chain(postgres.iter().map(|name| format!("{}/{name}", ENGINES[1])))
            .collect();
        let tree = Tree::made_of(paths.iter().map(|path| (path.as_str(), "")));
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_same_names_in_both_are_fine() {
        let both = ["0001_registry.sql", "0002_ingest_log.sql"];
        assert_eq!(problems(&both, &[&both[..], &["README.md"]].concat()), [""; 0]);
    }

    #[test]
    fn a_migration_for_one_database_only_is_named() {
        assert_eq!(
            problems(&["0001_a.sql", "0002_b.sql"], &["0001_a.sql"]),
            ["migrations/sqlite/0002_b.sql: migration-parity: there is no migrations/postgres/0002_b.sql; \
              a migration is written for both databases"]
        );
    }

    #[test]
    fn gaps_and_repeats_are_named() {
        let gap = ["0001_a.sql", "0003_c.sql"];
        let found = problems(&gap, &gap);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].starts_with("migrations/sqlite/0003_c.sql: migration-parity: the number 0002"),
            "{found:?}"
        );
        let twice = ["0001_a.sql", "0001_b.sql"];
        assert!(problems(&twice, &twice)[0].contains("0001_b.sql: migration-parity: the number 0002"));
    }

    #[test]
    fn odd_names_and_empty_folders_are_named() {
        for odd in ["1_a.sql", "0001-a.sql", "0001_A.sql", "0001_.sql", "0001_a.txt"] {
            assert_eq!(problems(&[odd], &[odd]).len(), 2, "{odd}");
        }
        assert_eq!(problems(&[], &[]).len(), 2);
    }
}
