//! Checks the sources as text: which module may import which (the arrows of the code map), how long a file
//! may be, how it opens. It must not know what the code does.

use crate::{files, pieces::code};

fn sources(folder: &str) -> Vec<files::File> {
    files::sources(folder).unwrap()
}

/// A folder, and words that its sources must not contain.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "shared/domain",
        &[
            "licet_billing",
            "licet_clients",
            "licet_contracts",
            "licet_orders",
            "licet_runtime",
            "licet_san_licensing",
            "licet::",
            "tokio",
            "tonic",
            "prost",
            "sea_orm",
            "sqlx",
        ],
    ),
    ("shared/contracts", &["licet_", "sea_orm", "tokio"]),
    (
        "shared/runtime",
        &[
            "licet_billing",
            "licet_orders",
            "licet_san_licensing",
            "licet_tests",
            "licet::",
        ],
    ),
    (
        "shared/clients",
        &[
            "licet_billing",
            "licet_orders",
            "licet_san_licensing",
            "licet::",
            "sea_orm",
        ],
    ),
    (
        "services/billing",
        &["licet_orders", "licet_san_licensing", "licet::"],
    ),
    (
        "services/orders",
        &["licet_billing", "licet_san_licensing", "licet::"],
    ),
    (
        "services/san-licensing",
        &["licet_billing", "licet_orders", "licet::"],
    ),
    // It makes inputs and knows no parser.
    ("tests/fuzz", &["licet_", "licet::"]),
    (
        "tests/oracle",
        &[
            "licet_billing",
            "licet_clients",
            "licet_contracts",
            "licet_orders",
            "licet_runtime",
            "licet_san_licensing",
            "licet::",
        ],
    ),
];

/// The same for folders inside every service.
const FORBIDDEN_INSIDE: &[(&str, &[&str])] = &[
    (
        "rules",
        &[
            "crate::store",
            "crate::events",
            "crate::rpc",
            "crate::quota",
            "licet_clients",
            "licet_contracts",
            "licet_runtime",
            "tokio",
            "sea_orm",
            "tonic",
        ],
    ),
    (
        "store",
        &[
            "licet_clients",
            "licet_contracts",
            "crate::events",
            "crate::rpc",
            "crate::use_cases",
            "crate::quota",
            "tonic",
        ],
    ),
    (
        "rpc",
        &["crate::store", "crate::rules", "crate::events", "sea_orm"],
    ),
    ("convert", &["crate::store", "crate::events", "sea_orm"]),
    ("queries", &["crate::events"]),
    ("peers", &["crate::events"]),
    (
        "events.rs",
        &[
            "crate::store",
            "crate::use_cases",
            "crate::queries",
            "crate::peers",
            "licet_clients",
            "sea_orm",
        ],
    ),
    (
        "rendering",
        &[
            "crate::store",
            "crate::queries",
            "licet_contracts",
            "sea_orm",
        ],
    ),
];

/// Folders without messages of the contract: only `rpc` and `convert` know those.
const BEHIND_THE_DOOR: &[&str] = &[
    "use_cases",
    "queries",
    "peers",
    "quota",
    "rules",
    "store",
    "rendering",
    "events.rs",
    "timers.rs",
];
const THE_WIRE: &[&str] = &[
    "licet_contracts",
    "prost",
    "tonic",
    "crate::convert",
    "crate::rpc",
];

const SERVICES: [&str; 3] = [
    "services/billing",
    "services/orders",
    "services/san-licensing",
];
const LONGEST_FILE: usize = 700;

/// Whether a line, without its comment, has `word` as a whole path or at the start of one.
fn names(line: &str, word: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let joins = |char: char| char.is_alphanumeric() || char == '_';
        let ends_open = word.ends_with(['_', ':']);
        !before.is_some_and(joins) && (ends_open || !after.is_some_and(joins))
    })
}

/// The imported paths in full: `use a::{b, c::{d}};` has a::b and a::c::d.
pub(crate) fn imports(text: &str) -> Vec<String> {
    fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
        let (mut depth, mut start) = (0_usize, 0);
        let mut branches = Vec::new();
        for (at, char) in tree.char_indices() {
            match char {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    branches.push(&tree[start..at]);
                    start = at + 1;
                }
                _ => {}
            }
        }
        branches.push(&tree[start..]);
        for branch in branches
            .into_iter()
            .map(str::trim)
            .filter(|branch| !branch.is_empty())
        {
            match branch.split_once('{') {
                Some((head, rest)) => {
                    let inner = rest.trim_end().strip_suffix('}').unwrap_or(rest);
                    expand(&format!("{prefix}{head}"), inner, paths);
                }
                None => paths.push(format!("{prefix}{branch}")),
            }
        }
    }
    let mut paths = Vec::new();
    for (at, _) in text.match_indices("use ") {
        let starts_line = text[..at].rsplit('\n').next().is_some_and(|before| {
            let before = before.trim();
            before.is_empty()
                || before == "pub"
                || (before.starts_with("pub(") && before.ends_with(')'))
        });
        if let Some(end) = text[at..].find(';').filter(|_| starts_line) {
            expand("", &text[at + 4..at + end], &mut paths);
        }
    }
    paths
}

#[test]
fn imports_are_written_out() {
    let text = "use a::{b, c::{d, e}};\npub(crate) use f;\nlet reuse = 1;\n    use g::{\n  h,\n};";
    assert_eq!(imports(text), ["a::b", "a::c::d", "a::c::e", "f", "g::h"]);
}

fn wrong_arrows(folder: &str, words: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, text) in sources(folder) {
        for path in imports(&text) {
            for word in words.iter().filter(|word| names(&path, word)) {
                wrong.push(format!("{file}: {folder} must not import {word}: {path}"));
            }
        }
        for (number, line) in (1..).zip(text.lines()) {
            for word in words.iter().filter(|word| names(line, word)) {
                wrong.push(format!(
                    "{file}:{number}: {folder} must not name {word}: {line}"
                ));
            }
        }
    }
    wrong
}

#[test]
fn every_import_follows_the_arrows() {
    let mut wrong = Vec::new();
    for (folder, words) in FORBIDDEN {
        assert!(!sources(folder).is_empty(), "{folder} has no sources");
        wrong.extend(wrong_arrows(&format!("{folder}/src"), words));
    }
    for service in SERVICES {
        for (inside, words) in FORBIDDEN_INSIDE {
            wrong.extend(wrong_arrows(&format!("{service}/src/{inside}"), words));
        }
    }
    for service in SERVICES {
        for inside in BEHIND_THE_DOOR {
            wrong.extend(wrong_arrows(&format!("{service}/src/{inside}"), THE_WIRE));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_source_opens_with_what_lives_there_and_stays_readable() {
    let mut wrong = Vec::new();
    for (file, text) in ["shared", "services", "tests"]
        .iter()
        .flat_map(|folder| sources(folder))
    {
        if !text.starts_with("//!") {
            wrong.push(format!("{file} does not open with //!"));
        }
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            wrong.push(format!(
                "{file} has {lines} lines, more than {LONGEST_FILE}"
            ));
        }
        // In two parts, so that this line does not match itself.
        if text.contains(concat!("#[", "allow(")) {
            wrong.push(format!("{file}: use #[expect(…, reason = …)]"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Identifiers have `license`, as in the contract; prose has licence.
#[test]
fn identifiers_have_one_spelling_of_license() {
    let files = ["shared", "services", "tests"];
    let files = files.iter().flat_map(|folder| sources(folder));
    let wrong: Vec<_> = files
        .filter(|(_, text)| code(text).to_lowercase().contains("licence"))
        .map(|(file, _)| file)
        .collect();
    assert!(wrong.is_empty(), "identifiers with `licence`: {wrong:?}");
}
