//! The page that shows which sources decide each business rule and which tests prove it. It is read from doc
//! comments and the names of tests. A rule without code or tests fails a test.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io,
};

use crate::{
    files::{protos, read, sources},
    prose::{self, is_for_tests, without_tests},
};

/// The beginnings of rule ids.
const PREFIXES: [&str; 8] = ["T", "M", "P", "AL", "MD", "SL", "BL", "X"];
const LAW: &str = "shared/domain/RULES.md";

type Id = (&'static str, u32);

fn id_text((prefix, number): Id) -> String {
    format!("{prefix}-{number}")
}

/// The places that name a rule.
#[derive(Default)]
struct Found {
    /// The first sentence of its text.
    words: String,
    /// Sources whose comments name it.
    code: Vec<String>,
    /// Files of the contract whose comments name it.
    contract: Vec<String>,
    /// Tests over gRPC on both databases, by file.
    served: BTreeMap<String, Vec<String>>,
    /// Tests without a service, by file.
    alone: BTreeMap<String, Vec<String>>,
}

/// The number that `text` starts with, and the rest.
fn leading_number(text: &str) -> Option<(u32, &str)> {
    let end = text
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// The ids in a comment, listed ("AL-4") or as a range ("AL-1 to AL-3").
fn named(comment: &str) -> BTreeSet<Id> {
    let mut found = BTreeSet::new();
    for prefix in PREFIXES {
        let start = format!("{prefix}-");
        for (at, _) in comment.match_indices(&start) {
            let before = comment[..at].chars().next_back();
            if before.is_some_and(|char| char.is_alphanumeric() || char == '-') {
                continue;
            }
            // P-256 is a curve, not a rule.
            let number = leading_number(&comment[at + start.len()..]);
            let Some((first, rest)) = number.filter(|(number, _)| *number < 100) else {
                continue;
            };
            let last = rest
                .strip_prefix(" to ")
                .and_then(|rest| rest.strip_prefix(&start))
                .and_then(leading_number)
                .map_or(first, |(last, _)| last);
            found.extend((first..=last).map(|number| (prefix, number)));
        }
    }
    found
}

/// The ids that a test's name begins with or adds with "and":
/// `al_1_al_8_a_server_too_many_and_al_6_another_software`.
fn named_by(test: &str) -> Vec<Id> {
    let words: Vec<&str> = test.split('_').collect();
    let id = |at: usize| {
        let prefix = words.get(at)?.to_uppercase();
        let prefix = PREFIXES.into_iter().find(|known| **known == prefix)?;
        Some((prefix, words.get(at + 1)?.parse().ok()?))
    };
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = id(at) {
        found.push(next);
        at += 2;
    }
    let joined = (0..words.len()).filter(|index| words[*index] == "and");
    found.extend(joined.filter_map(|index| id(index + 1)));
    found
}

fn comments(text: &str) -> String {
    let found = prose::comments(text).into_iter().map(|(_, text)| text);
    found.collect::<Vec<_>>().join(" ")
}

/// The names of all functions; a test's name begins with a rule.
fn functions(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("async ").unwrap_or(line);
        let (name, _) = line.strip_prefix("fn ")?.split_once(['(', '<'])?;
        Some(name)
    })
}

/// The tests that a file runs on both databases.
fn on_both_databases(text: &str) -> impl Iterator<Item = &str> {
    let lists = text.split("on_both_databases![").skip(1);
    let lists = lists.filter_map(|list| list.split(']').next());
    lists.flat_map(|list| list.split(',').map(str::trim))
}

/// The rules of RULES.md in their order, each with its first sentence.
fn law(text: &str) -> Vec<(Id, String)> {
    let mut found = Vec::new();
    for paragraph in text.split("\n\n") {
        let Some((id, words)) = paragraph
            .strip_prefix("**")
            .and_then(|rest| rest.split_once("** "))
        else {
            continue;
        };
        if let Some(id) = named(id).into_iter().next() {
            let words = words.replace('\n', " ").replace("**", "");
            let sentence = words.split_inclusive(". ").next().unwrap_or_default();
            found.push((id, sentence.trim().trim_end_matches(':').to_owned()));
        }
    }
    found
}

/// Where the sources name the rules.
struct Survey {
    /// In the order of RULES.md.
    rules: Vec<(Id, Found)>,
    /// Places with an id that no rule has.
    unknown: Vec<String>,
}

fn survey() -> io::Result<Survey> {
    let order = law(&read(LAW)?);
    let mut found: BTreeMap<Id, Found> = BTreeMap::new();
    for (id, words) in &order {
        found.entry(*id).or_default().words.clone_from(words);
    }
    let mut unknown = Vec::new();
    let mut note = |id: Id, file: &str, keep: &dyn Fn(&mut Found)| match found.get_mut(&id) {
        Some(rule) => keep(rule),
        None => unknown.push(format!("{file} names {}, which is no rule", id_text(id))),
    };
    let add = |files: &mut Vec<String>, file: &str| {
        if files.last().is_none_or(|last| last != file) {
            files.push(file.to_owned());
        }
    };

    for folder in ["shared", "services"] {
        for (file, text) in sources(folder)? {
            if !is_for_tests(&file) {
                for id in named(&comments(without_tests(&text))) {
                    note(id, &file, &|rule| add(&mut rule.code, &file));
                }
            }
            for test in functions(&text) {
                for id in named_by(test) {
                    note(id, &file, &|rule| {
                        let tests = rule.alone.entry(file.clone()).or_default();
                        tests.push(test.to_owned());
                    });
                }
            }
        }
    }
    for (file, text) in protos()? {
        for id in named(&comments(&text)) {
            note(id, &file, &|rule| add(&mut rule.contract, &file));
        }
    }
    for (file, text) in sources("tests")? {
        for test in functions(&text) {
            let on_both = on_both_databases(&text).any(|listed| listed == test);
            for id in named_by(test) {
                note(id, &file, &|rule| {
                    let tests = if on_both {
                        &mut rule.served
                    } else {
                        &mut rule.alone
                    };
                    tests.entry(file.clone()).or_default().push(test.to_owned());
                });
            }
        }
    }
    let rules = order
        .into_iter()
        .map(|(id, _)| (id, found.remove(&id).unwrap_or_default()));
    let rules = rules.collect();
    Ok(Survey { rules, unknown })
}

fn write_files(page: &mut String, title: &str, files: &[String]) {
    if !files.is_empty() {
        let _ = writeln!(page, "- {title}: `{}`", files.join("`, `"));
    }
}

fn write_tests(page: &mut String, title: &str, tests: &BTreeMap<String, Vec<String>>) {
    if tests.is_empty() {
        return;
    }
    let _ = writeln!(page, "- {title}:");
    for (file, tests) in tests {
        let tests: Vec<_> = tests.iter().map(|test| format!("`{test}`")).collect();
        let _ = writeln!(page, "  - `{file}`: {}", tests.join(", "));
    }
}

/// The page as Markdown.
pub(crate) fn page() -> io::Result<String> {
    let mut page =
        "A source is listed where its comments name the rule, a test where its name does.\n"
            .to_owned();
    let Survey { rules, unknown } = survey()?;
    if !unknown.is_empty() {
        return Err(io::Error::other(unknown.join("\n")));
    }
    for (id, rule) in &rules {
        let _ = writeln!(page, "\n## {}\n\n{}\n", id_text(*id), rule.words);
        if rule.code.is_empty() && rule.served.is_empty() && rule.alone.is_empty() {
            page.push_str("- No code and no test names it yet.\n");
        }
        write_files(&mut page, "Code", &rule.code);
        write_files(&mut page, "Contract", &rule.contract);
        write_tests(
            &mut page,
            "Tests over gRPC, each on both databases",
            &rule.served,
        );
        write_tests(&mut page, "Other tests", &rule.alone);
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::{LAW, Survey, id_text, named, named_by, survey};

    /// Rules whose every id must have code and a test over gRPC on both databases.
    const WHOLE: [&str; 3] = ["AL", "MD", "SL"];

    #[test]
    fn ids_are_read_from_comments_and_from_names() {
        assert_eq!(
            named("as AL-4 and MD-1 to MD-3 say; XAL-9, RSA-1, UTF-8, P-256 do not"),
            [("AL", 4), ("MD", 1), ("MD", 2), ("MD", 3)].into()
        );
        assert_eq!(
            named_by("al_1_al_8_the_primary_and_md_7_names_t_1"),
            [("AL", 1), ("AL", 8), ("MD", 7)]
        );
        assert_eq!(named_by("a_server_of_al_1"), []);
    }

    #[test]
    fn every_rule_of_orders_and_san_licensing_has_code_and_a_test_over_grpc() {
        let Survey {
            rules,
            unknown: mut wrong,
        } = survey().unwrap();
        for (id, rule) in rules.iter().filter(|(id, _)| WHOLE.contains(&id.0)) {
            if rule.code.is_empty() {
                wrong.push(format!("{}: no code names it", id_text(*id)));
            }
            if rule.served.is_empty() {
                wrong.push(format!(
                    "{}: no test over gRPC on both databases is named after it",
                    id_text(*id)
                ));
            }
        }
        for (prefix, count) in [("AL", 11), ("MD", 10)] {
            let found = rules.iter().filter(|(id, _)| id.0 == prefix).count();
            assert_eq!(found, count, "{prefix} rules in {LAW}");
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
