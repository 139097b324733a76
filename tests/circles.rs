//! Circles: modules of one crate that import one another in a ring. Each crate's count may only fall.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::{imports, sources};

/// How many files of a crate stand in circles. A new circle makes a number too small; one that was
/// opened makes it too large: lower it.
const IN_CIRCLES: &[(&str, usize)] = &[
    ("services/billing", 16),
    ("services/orders", 18),
    ("services/san-licensing", 4),
    ("services/suite", 2),
    ("shared/clients", 11),
    ("shared/contracts", 2),
    ("shared/domain", 7),
    ("shared/runtime", 21),
];

/// Modules, each with those that it imports.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// `services/orders/src/rules/order.rs` is `rules::order`, the crate's root the empty path.
fn module_of(file: &str, top: &str) -> String {
    let path = file.strip_prefix(top).unwrap_or(file);
    let path = path.trim_start_matches('/').trim_end_matches(".rs");
    let path = path.trim_end_matches("/mod");
    match path {
        "lib" | "main" | "mod" => String::new(),
        path => path.replace('/', "::"),
    }
}

fn is_for_tests(module: &str) -> bool {
    let mut parts = module.split("::");
    parts.any(|part| matches!(part, "tests" | "histories" | "samples"))
}

/// The longest beginning of `path`, which `module` imports, that is a module.
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

fn graph(files: &[(String, String)]) -> Graph {
    let known: BTreeSet<_> = files.iter().map(|(module, _)| module.clone()).collect();
    let edges = |module: &str, text: &str| {
        let text = text.split("#[cfg(test)]\nmod tests").next();
        let imports = imports(text.unwrap_or_default());
        let targets = imports
            .iter()
            .filter_map(|path| resolve(path, module, &known));
        targets.filter(|target| target != module).collect()
    };
    files
        .iter()
        .map(|(module, text)| (module.clone(), edges(module, text)))
        .collect()
}

/// All that a module reaches by its imports.
fn reached(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut next: Vec<_> = graph[from].iter().cloned().collect();
    while let Some(module) = next.pop() {
        if found.insert(module.clone()) {
            next.extend(graph[&module].iter().cloned());
        }
    }
    found
}

fn in_circles(graph: &Graph) -> Vec<&str> {
    let modules = graph.keys();
    let turning = modules.filter(|module| reached(graph, module).contains(*module));
    turning.map(String::as_str).collect()
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
        ("e", "use crate::a::More;\n"),
    ];
    let files = files.map(|(module, text)| (module.to_owned(), text.to_owned()));
    assert_eq!(in_circles(&graph(&files)), ["a", "b", "c", "d"]);
}

#[test]
fn no_crate_has_more_circles_than_it_had() {
    let mut wrong = Vec::new();
    for (crate_folder, limit) in IN_CIRCLES {
        let top = format!("{crate_folder}/src");
        let files = sources(&top).into_iter();
        let files = files.map(|(file, text)| (module_of(&file, &top), text));
        let files: Vec<_> = files.filter(|(module, _)| !is_for_tests(module)).collect();
        let graph = graph(&files);
        let turning = in_circles(&graph);
        if turning.len() != *limit {
            wrong.push(format!(
                "{crate_folder}: {} files in circles, {limit} noted: {turning:?}",
                turning.len()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
