//! README and book: every link has a target, and the summary has every page of the book.

use std::path::Path;

use crate::files::{self, root};

const PAGES: &str = "shared/docs/src";

fn read(path: &str) -> String {
    files::read(path).unwrap()
}

/// The pages of the book, such as `decisions.md`.
fn pages() -> Vec<String> {
    let folder = std::fs::read_dir(root().join(PAGES)).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".md")).collect();
    names.sort();
    names
}

/// The targets of the links in a text, without its code.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    // Text between two fences or two back ticks is code.
    for prose in text.split("```").step_by(2) {
        for plain in prose.split('`').step_by(2) {
            let after = plain.split("](").skip(1);
            found.extend(after.filter_map(|rest| rest.split_once(')').map(|(target, _)| target)));
        }
    }
    found
}

/// The fragments of a text's headings: `Check the books` has `check-the-books`.
fn fragments(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let plain = |line: &str| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words
            .chars()
            .filter(|char| char.is_alphanumeric() || " -_".contains(*char));
        kept.map(|char| if char == ' ' { '-' } else { char })
            .collect()
    };
    headings.map(plain).collect()
}

/// The broken links of a page in `folder`.
fn dead_links(folder: &str, name: &str) -> Vec<String> {
    let path = Path::new(folder).join(name);
    let text = read(path.to_str().unwrap());
    let mut dead = Vec::new();
    for link in links(&text)
        .into_iter()
        .filter(|link| !link.contains("://"))
    {
        let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
        let target = if file.is_empty() {
            path.clone()
        } else {
            Path::new(folder).join(file)
        };
        match std::fs::read_to_string(root().join(&target)) {
            Err(error) => dead.push(format!("{}: {link}: {error}", path.display())),
            Ok(found) => {
                if !fragment.is_empty() && !fragments(&found).iter().any(|it| it == fragment) {
                    dead.push(format!("{}: {link}: no such heading", path.display()));
                }
            }
        }
    }
    dead
}

#[test]
fn links_are_found() {
    let text =
        "[a](b.md), `[no](code.md)` and [c](d.md#e)\n```sh\n[no](code.md)\n```\n[f](https://g)";
    assert_eq!(links(text), ["b.md", "d.md#e", "https://g"]);
    assert_eq!(
        fragments("# A `b` c\ntext\n## Check, the books"),
        ["a-b-c", "check-the-books"]
    );
}

#[test]
fn every_link_leads_somewhere() {
    let mut dead = dead_links("", "README.md");
    for page in pages() {
        dead.extend(dead_links(PAGES, &page));
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = read(&format!("{PAGES}/SUMMARY.md"));
    let listed = links(&summary);
    let missing: Vec<_> = pages()
        .into_iter()
        .filter(|page| page != "SUMMARY.md")
        .collect();
    let missing: Vec<_> = missing
        .iter()
        .filter(|page| !listed.contains(&page.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_readme_is_one_page() {
    let lines = read("README.md").lines().count();
    assert!(
        lines <= 130,
        "README.md has {lines} lines; at most 130 are permitted"
    );
}

/// The tables that the statements create for good: a migration keeps rows in others while it runs, and may rename
/// one.
fn tables(statements: &str) -> Vec<String> {
    let names = |start: &str| -> Vec<String> {
        let lines = statements
            .lines()
            .filter_map(|line| line.strip_prefix(start));
        let words = lines.filter_map(|rest| rest.split([' ', ';']).next());
        words.map(str::to_owned).collect()
    };
    let mut found = names("CREATE TABLE ");
    let dropped = names("DROP TABLE ");
    found.retain(|name| {
        let is_temporary = name.ends_with("_kept") && dropped.contains(name);
        let rename = format!("ALTER TABLE {name} RENAME TO ");
        !is_temporary && !statements.contains(&rename)
    });
    found.sort();
    found.dedup();
    found
}

#[test]
fn tables_are_found() {
    let text = "CREATE TABLE a (\nb TEXT\n);\nCREATE TABLE a_kept AS SELECT b FROM a;\nDROP TABLE a_kept;\n\
                CREATE TABLE c_new (\nd TEXT\n);\nALTER TABLE c_new RENAME TO c;\n";
    assert_eq!(tables(text), ["a"]);
}

#[test]
fn the_page_on_growth_has_every_table() {
    let page = read(&format!("{PAGES}/growth.md"));
    let mut unnamed = Vec::new();
    for folder in ["services", "shared"] {
        for (path, text) in files::statements(folder).unwrap() {
            let missing = tables(&text)
                .into_iter()
                .filter(|table| !page.contains(&format!("`{table}`")));
            unnamed.extend(missing.map(|table| format!("{path}: {table}")));
        }
    }
    assert!(unnamed.is_empty(), "{}", unnamed.join("\n"));
}
