//! Splits a source into code, comments, and the texts between quotes.

/// The kind of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Code,
    /// From `//` to the end of the line.
    Comment,
    /// The text between two quotes.
    Text,
}

/// A piece and the line where it begins, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
}

/// The pieces of a Rust source or a file of the contract, in order.
pub(crate) fn pieces(source: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, quoted) = rest.split_at(at);
        push(&mut found, &mut line, Kind::Code, before, before);
        let hashes = before.len() - before.trim_end_matches('#').len();
        let is_raw = before[..before.len() - hashes].ends_with('r');
        let (kind, inner, length) = if quoted.starts_with("//") {
            let end = quoted.find('\n').unwrap_or(quoted.len());
            (Kind::Comment, 0..end, end)
        } else if quoted.starts_with('"') && is_raw {
            let end = format!("\"{}", "#".repeat(hashes));
            let inner = quoted[1..].find(&end).map_or(quoted.len(), |at| at + 1);
            (Kind::Text, 1..inner, (inner + end.len()).min(quoted.len()))
        } else if let Some(quoted) = quoted.strip_prefix('"') {
            let mut is_escaped = false;
            let inner = quoted.find(|char| {
                let ends = char == '"' && !is_escaped;
                is_escaped = char == '\\' && !is_escaped;
                ends
            });
            let inner = inner.unwrap_or(quoted.len());
            (Kind::Text, 1..inner + 1, (inner + 2).min(quoted.len() + 1))
        } else if quoted.starts_with("'\"'") || quoted.starts_with("'/'") {
            (Kind::Text, 1..2, 3)
        } else {
            (Kind::Code, 0..1, 1)
        };
        push(
            &mut found,
            &mut line,
            kind,
            &quoted[inner],
            &quoted[..length],
        );
        rest = &quoted[length..];
    }
    push(&mut found, &mut line, Kind::Code, rest, rest);
    found
}

/// Adds a piece unless it is empty code, and counts the lines of `whole`, which includes the quotes.
fn push<'a>(found: &mut Vec<Piece<'a>>, line: &mut usize, kind: Kind, text: &'a str, whole: &str) {
    if kind != Kind::Code || !text.is_empty() {
        found.push(Piece {
            line: *line,
            kind,
            text,
        });
    }
    *line += whole.matches('\n').count();
}

/// A source without its comments and the texts between quotes.
#[cfg(test)]
pub(crate) fn code(source: &str) -> String {
    let code = pieces(source).into_iter();
    let code = code.filter(|piece| piece.kind == Kind::Code);
    code.map(|piece| piece.text).collect()
}

#[cfg(test)]
mod tests {
    use super::{Kind, code, pieces};

    #[test]
    fn code_is_told_from_quotes_and_comments() {
        let text = "let a = \"no \\\" one\"; // no two\nlet b = r#\"no \" three\"#; '\"' 'x' a / b";
        assert_eq!(code(text), "let a = ; \nlet b = r#;  'x' a / b");
    }

    #[test]
    fn pieces_know_their_lines() {
        let found = pieces("a\n\"b\nc\"\n// d\ne");
        let found: Vec<_> = found
            .iter()
            .map(|piece| (piece.line, piece.kind, piece.text))
            .collect();
        let expected = [
            (1, Kind::Code, "a\n"),
            (2, Kind::Text, "b\nc"),
            (3, Kind::Code, "\n"),
            (4, Kind::Comment, "// d"),
            (4, Kind::Code, "\ne"),
        ];
        assert_eq!(found, expected);
    }
}
