//! One word for a concept: no name, comment or refusal in the code or the contract uses a word that the
//! glossary excludes.

use crate::{
    files::{File, protos, read, sources},
    pieces::code,
    prose::{Prose, list},
};

const GLOSSARY: &str = "shared/docs/src/glossary.md";

/// Texts that a peer has stored with requests. A repeat after an upgrade must be equal, so they never change.
const RECORDED: [&str; 3] = [
    "Change of domains of {order_id} taken back, MD-7",
    "Change of domains taken back, MD-7: {reason}",
    "The change of names of {} could not be charged for its next term, MD-8",
];

/// A row of the glossary.
struct Concept {
    word: String,
    /// Words that must not be used for it, each in parts: `service fee` is `service`, `fee`.
    not: Vec<Vec<String>>,
}

fn glossary(page: &str) -> Vec<Concept> {
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.strip_suffix('|')?.split('|');
        let (word, _, not) = (cells.next()?, cells.next()?, cells.next()?);
        (!word.starts_with("---") && word.trim() != "word").then(|| Concept {
            word: word.trim().to_owned(),
            not: not
                .split(',')
                .map(words)
                .filter(|not| !not.is_empty())
                .collect(),
        })
    });
    rows.collect()
}

/// The words of a name or a sentence, in lower case and singular: `ServiceFee` equals `service_fees`.
fn words(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut before = ' ';
    for char in text.chars() {
        let begins = char.is_uppercase() && before.is_lowercase();
        if begins || !char.is_alphanumeric() {
            found.push(String::new());
        }
        if char.is_alphanumeric() {
            let word = found.last_mut().unwrap();
            word.extend(char.to_lowercase());
        }
        before = char;
    }
    found.retain(|word| !word.is_empty());
    for word in &mut found {
        if word.len() > 3 && word.ends_with('s') && !word.ends_with("ss") {
            word.pop();
        }
    }
    found
}

/// The glossary's word for each excluded word in `text`.
fn second_words(glossary: &[Concept], text: &str) -> Vec<String> {
    let text = words(text);
    let found = glossary.iter().flat_map(|concept| {
        let not = concept.not.iter().filter(|not| {
            let mut windows = text.windows(not.len());
            windows.any(|window| window == not.as_slice())
        });
        not.map(|not| format!("`{}` is called `{}`", not.join(" "), concept.word))
    });
    found.collect()
}

/// The names that a source defines: `struct Order` defines `Order`.
fn names(source: &str) -> Vec<String> {
    const GIVE: [&str; 9] = [
        "struct",
        "enum",
        "trait",
        "type",
        "fn",
        "mod",
        "const",
        "static",
        "macro_rules!",
    ];
    let code = code(source);
    let tokens: Vec<_> = code.split_whitespace().collect();
    let pairs = tokens.windows(2).filter(|pair| GIVE.contains(&pair[0]));
    let named = pairs.map(|pair| {
        let name = pair[1].split(|char: char| !char.is_alphanumeric() && char != '_');
        name.take(1).collect()
    });
    named.collect()
}

#[test]
fn a_second_word_is_found_in_names_and_in_prose() {
    let page = "| word | means | not |\n|---|---|---|\n| cancel | undo | take back, storno |\n| term | time | |\n";
    let glossary = glossary(page);
    assert_eq!(glossary.len(), 2);
    for text in ["TakeBack", "take_back_all", "He takes back.", "Stornos"] {
        assert_eq!(second_words(&glossary, text).len(), 1, "{text}");
    }
    for text in ["TakeAll", "back take", "storno2"] {
        assert!(second_words(&glossary, text).is_empty(), "{text}");
    }
    let source = "pub struct TakingBack<'a>;\nfn storno(x: u8) {}\n// struct No\n";
    assert_eq!(names(source), ["TakingBack", "storno"]);
}

#[test]
fn nothing_is_called_by_a_second_word() {
    let glossary = glossary(&read(GLOSSARY).unwrap());
    assert!(glossary.len() > 30, "the glossary has lost its tables");
    let mut wrong = Vec::new();
    let mut look = |place: &str, text: &str| {
        let found = second_words(&glossary, text).into_iter();
        wrong.extend(found.map(|found| format!("{place}: {found}: {text}")));
    };
    let files = ["services", "shared", "tests"].map(|folder| sources(folder).unwrap());
    let files: Vec<File> = files
        .into_iter()
        .flatten()
        .chain(protos().unwrap())
        .collect();
    for (file, text) in &files {
        look(file, file);
        for name in names(text) {
            look(file, &name);
        }
    }
    for kind in [
        Prose::Comments,
        Prose::Contract,
        Prose::Refusals,
        Prose::Help,
    ] {
        let passages = list(kind).unwrap().into_iter();
        for passage in passages.filter(|passage| !RECORDED.contains(&passage.text.as_str())) {
            look(&format!("{}:{}", passage.file, passage.line), &passage.text);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} words that the glossary excludes:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
