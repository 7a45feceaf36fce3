//! The files of the project, read once for all checks.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Folders that hold no source: version control and whatever a run of the server left behind.
const SKIPPED: [&str; 3] = [".git", "target", "promenade-data"];

/// Cargo puts this file into every folder it builds into, however that folder is called.
const CACHE_MARK: &str = "CACHEDIR.TAG";

/// Whether the path ends in a dot and this extension.
pub(super) fn has_extension(path: &str, extension: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, end)| end == extension)
}

/// Every file by its path from the root, with `/` between the parts.
#[derive(Default)]
pub(super) struct Tree {
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    /// Reads all that is below `root`.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.read_folder(root, "")?;
        Ok(tree)
    }

    /// The number of files.
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is a file of that path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Whether there is a folder of that path with a file in it.
    pub(super) fn has_folder(&self, path: &str) -> bool {
        self.below(path).next().is_some()
    }

    /// All paths, sorted.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The paths below a folder.
    pub(super) fn below(&self, folder: &str) -> impl Iterator<Item = &str> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        self.paths().filter(move |path| path.starts_with(&prefix))
    }

    /// Path and text of every file that is UTF-8.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        if folder.join(CACHE_MARK).exists() {
            return Ok(());
        }
        let entries =
            std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    self.read_folder(&entry.path(), &format!("{path}/"))?;
                }
            } else if kind.is_file() {
                let bytes = std::fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
                self.files.insert(path, String::from_utf8(bytes).ok());
            }
        }
        Ok(())
    }

    /// A made-up tree.
    #[cfg(test)]
    pub(super) fn made_of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let files = files.into_iter().map(|(path, text)| (path.to_owned(), Some(text.to_owned()))).collect();
        Self { files }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn reads_text_and_notes_binaries_but_not_what_was_built() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["a/b", ".git", "built/debug"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("a/b/text.md"), "hello").unwrap();
        fs::write(root.path().join("a/binary"), [0xff, 0xfe]).unwrap();
        fs::write(root.path().join(".git/HEAD"), "ref").unwrap();
        fs::write(root.path().join("built").join(CACHE_MARK), "").unwrap();
        fs::write(root.path().join("built/debug/x.rs"), "").unwrap();

        let tree = Tree::read(root.path()).unwrap();
        assert_eq!(tree.paths().collect::<Vec<_>>(), ["a/b/text.md", "a/binary"]);
        assert_eq!(tree.texts().collect::<Vec<_>>(), [("a/b/text.md", "hello")]);
        assert!(tree.has_folder("a/b") && !tree.has_folder("a/bin") && !tree.has_folder("built"));
    }
}
