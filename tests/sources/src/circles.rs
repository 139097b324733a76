//! Finds circles: files of one crate that depend on one another in a ring, by imports or paths. Without
//! circles, a file can be read after those it depends on.

use std::collections::{BTreeMap, BTreeSet};

use crate::{files::sources, prose::without_tests, tidy::imports};

/// The source folders of the crates.
const CRATES: &[&str] = &[
    "services/billing/src",
    "services/orders/src",
    "services/san-licensing/src",
    "services/suite/src",
    "shared/clients/src",
    "shared/contracts/src",
    "shared/domain/src",
    "shared/runtime/src",
    "tests",
    "tests/bench/src",
    "tests/fuzz/src",
    "tests/oracle/src",
    "tests/sources/src",
];

/// Each module with those that it imports.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// `services/orders/src/rules/order.rs` is `rules::order`; the crate's root is the empty path.
fn module_of(file: &str, top: &str) -> String {
    let path = file.strip_prefix(top).unwrap_or(file);
    let path = path.trim_start_matches('/').trim_end_matches(".rs");
    let path = path.trim_end_matches("/mod");
    match path {
        "lib" | "main" | "mod" => String::new(),
        path => path.replace('/', "::"),
    }
}

/// Test helpers, and the test `journeys::every_step` with its several files, may form rings.
fn is_for_tests(module: &str) -> bool {
    let mut parts = module.split("::");
    parts.any(|part| matches!(part, "tests" | "histories" | "samples" | "every_step"))
}

/// The longest module path that `path`, written in `module`, begins with.
fn resolve(path: &str, module: &str, known: &BTreeSet<String>) -> Option<String> {
    let here = || {
        let parts = module.split("::").filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut parts: Vec<_> = path.split("::").map(str::to_owned).collect();
    match parts[0].as_str() {
        "crate" => {
            parts.remove(0);
        }
        "self" => {
            parts.splice(0..1, here());
        }
        "super" => {
            let mut base = here();
            while parts.first().is_some_and(|part| part == "super") {
                parts.remove(0);
                base.pop();
            }
            parts.splice(0..0, base);
        }
        child => {
            let mut base = here();
            base.push(child.to_owned());
            if !known.contains(&base.join("::")) {
                return None;
            }
            parts.splice(0..1, base);
        }
    }
    let beginnings = (0..=parts.len()).rev().map(|end| parts[..end].join("::"));
    beginnings.into_iter().find(|path| known.contains(path))
}

/// Every path in a text, in imports and elsewhere.
fn paths(text: &str) -> Vec<String> {
    let mut paths = imports(text);
    let mut is_import = false;
    for line in text.lines() {
        let line = line.trim_start();
        is_import |= ["use ", "pub use ", "pub(crate) use ", "pub(super) use "]
            .iter()
            .any(|start| line.starts_with(start));
        if is_import {
            is_import = !line.ends_with(';');
            continue;
        }
        // The path of a visibility such as `pub(in crate::operation)` is no dependency.
        if line.starts_with("//") || line.starts_with("pub(in ") {
            continue;
        }
        // Text between quotation marks is not code.
        for code in line.split('"').step_by(2) {
            let words =
                code.split(|char: char| !(char.is_ascii_alphanumeric() || "_:".contains(char)));
            let named = words.filter(|word| {
                let is_path = word.contains("::") && !word.ends_with(':');
                is_path && word.starts_with(char::is_lowercase)
            });
            paths.extend(named.map(str::to_owned));
        }
    }
    paths
}

fn graph(files: &[(String, String)]) -> Graph {
    let declared = files.iter().flat_map(|(module, text)| {
        let lines = text.lines().filter_map(|line| line.strip_suffix(';'));
        let names = lines.filter_map(|line| line.split_once("mod ").map(|(_, name)| name));
        names.map(move |name| {
            format!("{module}::{name}")
                .trim_start_matches("::")
                .to_owned()
        })
    });
    // A declared module counts even if its file is in another place.
    let known: BTreeSet<_> = files
        .iter()
        .map(|(module, _)| module.clone())
        .chain(declared)
        .collect();
    let edges = |module: &str, text: &str| {
        let paths = paths(without_tests(text));
        let targets = paths
            .iter()
            .filter_map(|path| resolve(path, module, &known));
        targets.filter(|target| target != module).collect()
    };
    files
        .iter()
        .map(|(module, text)| (module.clone(), edges(module, text)))
        .collect()
}

/// All modules that a module reaches by imports.
fn reached(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut next = vec![from.to_owned()];
    while let Some(module) = next.pop() {
        let targets = graph.get(&module).into_iter().flatten();
        next.extend(
            targets
                .filter(|target| found.insert((*target).clone()))
                .cloned(),
        );
    }
    found
}

/// The modules that reach themselves, each with the imports that lead back to it.
fn in_circles(graph: &Graph) -> Vec<(&str, Vec<&str>)> {
    let leads_back = |target: &str, module: &str| {
        target == module || graph.contains_key(target) && reached(graph, target).contains(module)
    };
    let turning = graph.iter().map(|(module, targets)| {
        let back = targets.iter().filter(|target| leads_back(target, module));
        (
            module.as_str(),
            back.map(String::as_str).collect::<Vec<_>>(),
        )
    });
    turning.filter(|(_, back)| !back.is_empty()).collect()
}

#[test]
fn a_circle_is_found() {
    let files = [
        ("", "mod a;\nmod b;\nmod c;\n"),
        ("a", "use crate::b::{self, Thing};\n"),
        ("b", "use super::c::Other;\n"),
        ("c", "use crate::{a::More, d};\nuse std::fmt;\n"),
        (
            "d",
            "use crate::a::More;\n#[cfg(test)]\nmod tests { use super::*; }\n",
        ),
        (
            "e",
            "use crate::a::More;\n// Not crate::f::thing.\nlet text = \"crate::f::thing\";\n",
        ),
        ("f", "fn f() { crate::g::run(super::e::two()); }\n"),
        ("g", "fn run() { Some(crate::f::CONSTANT); }\n"),
    ];
    let files = files.map(|(module, text)| (module.to_owned(), text.to_owned()));
    let graph = graph(&files);
    let found = in_circles(&graph);
    let found: Vec<_> = found.iter().map(|(module, _)| *module).collect();
    assert_eq!(found, ["a", "b", "c", "d", "f", "g"]);
}

#[test]
fn no_file_of_a_crate_stands_in_a_circle() {
    let mut wrong = Vec::new();
    for top in CRATES {
        // A crate may be in the folder of another.
        let inside = |file: &str| {
            CRATES
                .iter()
                .any(|it| it.len() > top.len() && file.starts_with(it))
        };
        let files = sources(top).unwrap().into_iter();
        let files = files.filter(|(file, _)| !inside(file));
        let files = files.map(|(file, text)| (module_of(&file, top), text));
        let files: Vec<_> = files.filter(|(module, _)| !is_for_tests(module)).collect();
        assert!(!files.is_empty(), "{top} has no sources");
        let graph = graph(&files);
        let turning = in_circles(&graph).into_iter();
        wrong.extend(turning.map(|(module, back)| format!("{top}: {module} names {back:?}")));
    }
    assert!(
        wrong.is_empty(),
        "files that depend on one another in a ring:\n{}",
        wrong.join("\n")
    );
}
