//! Reads the files of the project as text.

use std::{
    io,
    path::{Path, PathBuf},
};

/// A file's path from the top of the project, and its text.
pub(crate) type File = (String, String);

/// The top of the project.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The text of a file, by its path from the top.
pub(crate) fn read(path: &str) -> io::Result<String> {
    let text = std::fs::read_to_string(root().join(path));
    text.map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
}

/// Every Rust source below `folder`, by path.
pub(crate) fn sources(folder: &str) -> io::Result<Vec<File>> {
    below(folder, "rs")
}

/// Every file of the contract, by path.
pub(crate) fn protos() -> io::Result<Vec<File>> {
    below("proto", "proto")
}

/// Every SQL file below `folder`, by path.
#[cfg(test)]
pub(crate) fn statements(folder: &str) -> io::Result<Vec<File>> {
    below(folder, "sql")
}

/// The files below `folder` whose names end in `.extension`, by path; none if there is no such folder.
fn below(folder: &str, extension: &str) -> io::Result<Vec<File>> {
    fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) -> io::Result<()> {
        if !folder.is_dir() {
            return Ok(());
        }
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                collect(&path, extension, found)?;
            } else if path.extension().is_some_and(|it| it == extension) {
                found.push(path);
            }
        }
        Ok(())
    }
    let top = root();
    let mut paths = Vec::new();
    collect(&top.join(folder), extension, &mut paths)?;
    paths.sort();
    let named = paths.iter().map(|path| {
        let name = path.strip_prefix(&top).unwrap_or(path).display();
        read(&name.to_string()).map(|text| (name.to_string(), text))
    });
    named.collect()
}
