//! The texts that people read in the sources: comments, also of the contract, refusals, errors, help. Lists
//! them, or draws a random sample to proofread.

use std::io;

use clap::ValueEnum;
use sha2::{Digest as _, Sha256};

use crate::{
    files::{File, protos, sources},
    pieces::{Kind, Piece, pieces},
};

/// The texts to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Prose {
    /// Comments of the Rust sources
    Comments,
    /// Comments of the contract
    Contract,
    /// Texts of refusals, errors and the log
    Refusals,
    /// Help texts of the commands
    Help,
}

/// A text and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Passage {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// All passages of a kind, in order of place.
pub(crate) fn list(kind: Prose) -> io::Result<Vec<Passage>> {
    let product = || -> io::Result<Vec<File>> {
        let mut files = sources("services")?;
        files.extend(sources("shared")?);
        Ok(files)
    };
    Ok(match kind {
        Prose::Comments => {
            let mut files = product()?;
            files.extend(sources("tests")?);
            passages(&files, comments)
        }
        Prose::Contract => passages(&protos()?, comments),
        Prose::Refusals => {
            let mut files = product()?;
            files.retain(|(file, _)| !is_for_tests(file));
            passages(&files, texts)
        }
        Prose::Help => {
            let mut files = sources("services/suite")?;
            files.extend(sources("tests/bench")?);
            files.extend(sources("tests/sources")?);
            passages(&files, help)
        }
    })
}

/// A sample of `count` passages. The same seed draws the same ones from the same sources.
pub(crate) fn draw(mut all: Vec<Passage>, count: usize, seed: u64) -> Vec<Passage> {
    all.sort_by_cached_key(|passage| {
        let hash = Sha256::new().chain_update(seed.to_be_bytes());
        let hash = hash.chain_update(&passage.file);
        hash.chain_update(passage.line.to_be_bytes()).finalize()
    });
    all.truncate(count);
    all
}

fn passages(files: &[File], read: fn(&str) -> Vec<(usize, String)>) -> Vec<Passage> {
    let all = files.iter().flat_map(|(file, text)| {
        let found = read(text).into_iter();
        found.map(|(line, text)| Passage {
            file: file.clone(),
            line,
            text,
        })
    });
    all.collect()
}

/// Whether a source is compiled only for its crate's tests.
pub(crate) fn is_for_tests(file: &str) -> bool {
    let stem = file.trim_end_matches(".rs");
    stem.split('/')
        .any(|part| matches!(part, "tests" | "histories" | "samples"))
}

/// A source without the tests at its end.
pub(crate) fn without_tests(text: &str) -> &str {
    let product = text.split("#[cfg(test)]\nmod tests").next();
    product.unwrap_or_default()
}

/// Comments, each with its first line; the lines of one comment are joined.
pub(crate) fn comments(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut next = 0;
    for Piece { line, kind, text } in pieces(text) {
        if kind != Kind::Comment {
            // Code ends a comment.
            if !text.trim().is_empty() {
                next = 0;
            }
            continue;
        }
        let words = text.trim_start_matches(['/', '!']).trim();
        match found.last_mut() {
            Some((_, joined)) if line == next && !joined.is_empty() => {
                joined.push(if words.is_empty() { '\n' } else { ' ' });
                joined.push_str(words);
            }
            _ => found.push((line, words.to_owned())),
        }
        next = line + 1;
    }
    found
}

/// Texts that are sentences: at least three words, no SQL, no format.
fn texts(text: &str) -> Vec<(usize, String)> {
    let found = pieces(without_tests(text)).into_iter();
    let found = found.filter(|piece| piece.kind == Kind::Text);
    let found = found.map(|piece| (piece.line, joined_lines(piece.text)));
    found
        .filter(|(_, text)| text.split_whitespace().count() >= 3 && !is_sql(text))
        .collect()
}

/// A text whose lines end in a backslash, in one line.
fn joined_lines(text: &str) -> String {
    let lines = text.split("\\\n").map(str::trim_start);
    lines.collect()
}

fn is_sql(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let is_upper =
        |word: &str| word.len() > 1 && word.chars().all(|char| char.is_ascii_uppercase());
    words.next().is_some_and(is_upper)
        && text
            .split_whitespace()
            .filter(|word| is_upper(word))
            .count()
            >= 2
}

/// The comments on types that the command line is parsed into.
fn help(text: &str) -> Vec<(usize, String)> {
    const READ_BY: [&str; 4] = ["Parser", "Args", "Subcommand", "ValueEnum"];
    let mut found = Vec::new();
    let lines: Vec<_> = text.lines().collect();
    let mut documented = 0;
    for (at, line) in lines.iter().enumerate() {
        if !line.starts_with("///") && !line.starts_with("#[") {
            documented = at + 1;
        }
        let derives = line.starts_with("#[derive(");
        if derives && READ_BY.iter().any(|name| line.contains(name)) {
            let after = lines[at..].iter().position(|line| *line == "}");
            let end = after.map_or(lines.len(), |after| at + after);
            let item = lines[documented..end].join("\n");
            let item = comments(&item).into_iter();
            found.extend(item.map(|(line, text)| (documented + line, text)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Passage, comments, draw, help, texts};

    #[test]
    fn comments_are_joined_by_their_lines() {
        let text = "//! A file.\n\n/// One\n/// two.\nfn f() {} // three\n// four\n";
        let found = comments(text);
        let expected = [(1, "A file."), (3, "One two."), (5, "three four")];
        assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn texts_are_sentences() {
        let text =
            "f(\"one two\");\nf(\"one \\\n   two three\");\nq(\"SELECT id FROM a WHERE b\");";
        assert_eq!(texts(text), [(2, "one two three".to_owned())]);
    }

    #[test]
    fn help_is_what_documents_the_command_line() {
        let text = "/// No.\nstruct No {\n    /// No.\n    no: u8,\n}\n\n/// A.\n#[derive(Debug, Args)]\nstruct Yes {\n    /// B.\n    b: u8,\n}\n";
        assert_eq!(help(text), [(7, "A.".to_owned()), (10, "B.".to_owned())]);
    }

    #[test]
    fn a_seed_draws_the_same_again() {
        let all = (1..=100).map(|line| Passage {
            file: "a.rs".to_owned(),
            line,
            text: String::new(),
        });
        let all: Vec<_> = all.collect();
        let drawn = draw(all.clone(), 5, 7);
        assert_eq!(drawn, draw(all.clone(), 5, 7));
        assert_ne!(drawn, draw(all, 5, 8));
    }
}
