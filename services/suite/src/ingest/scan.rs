//! Scans text for PEM boundaries and JSON, several per line where files were joined without a line
//! end. Does not interpret their content.

use std::{
    io::{self, BufRead},
    ops::Range,
};

use serde::de::IgnoredAny;

pub(super) const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// What comes next in a text outside PEM blocks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// JSON, starting here.
    Value,
    /// The start boundary of a PEM block, at this range.
    Begin(Range<usize>),
    /// The end boundary of a PEM block, starting here, of this length.
    End(usize),
    /// Other text.
    Other,
}

/// What comes next in a text without leading white space. After other text, a boundary counts only
/// if it could be the start of a joined file, not if a sentence mentions it.
pub(super) fn next(text: &[u8]) -> Part {
    if text.starts_with(b"{") {
        return Part::Value;
    }
    if text.starts_with(END) {
        return Part::End(boundary_length(text));
    }
    let Some(at) = find(text, BEGIN) else {
        return Part::Other;
    };
    let boundary = at..at + boundary_length(&text[at..]);
    let behind = &text[boundary.end..];
    let is_a_word = behind.first().is_some_and(u8::is_ascii_whitespace);
    if at > 0 && is_a_word {
        return Part::Other;
    }
    Part::Begin(boundary)
}

/// The position of the first PEM boundary.
pub(super) fn find_boundary(text: &[u8]) -> Option<usize> {
    let (begin, end) = (find(text, BEGIN), find(text, END));
    begin.into_iter().chain(end).min()
}

/// The length of the boundary at the start of the text. A truncated boundary ends with the text or
/// where the next one begins.
pub(super) fn boundary_length(text: &[u8]) -> usize {
    let label = DASHES.len();
    let Some(close) = find(&text[label..], DASHES).map(|at| label + at) else {
        return text.len();
    };
    if text[close..].starts_with(BEGIN) {
        return close;
    }
    close + DASHES.len()
}

/// The length of the JSON at the start of the text; `None` if there is none.
pub(super) fn value_length(text: &[u8]) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => Some(values.byte_offset()),
        Some(Err(_)) | None => None,
    }
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

/// Reads a line of at most `bound` bytes without its end: LF, CRLF or CR. Returns whether it is
/// complete, skipping what exceeds the bound; `None` at the end of the input.
pub(super) fn read_line(
    input: &mut impl BufRead,
    line: &mut Vec<u8>,
    bound: usize,
) -> io::Result<Option<bool>> {
    line.clear();
    let mut is_whole = true;
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            let is_over = line.is_empty() && is_whole;
            return Ok((!is_over).then_some(is_whole));
        }
        let end = buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let part = &buffer[..end.unwrap_or(buffer.len())];
        let taken = part.len().min(bound - line.len());
        line.extend_from_slice(&part[..taken]);
        is_whole &= taken == part.len();
        let Some(end) = end else {
            let count = buffer.len();
            input.consume(count);
            continue;
        };
        let is_return = buffer[end] == b'\r';
        input.consume(end + 1);
        if is_return && input.fill_buf()?.first() == Some(&b'\n') {
            input.consume(1);
        }
        return Ok(Some(is_whole));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_any_system_ends_them() {
        let mut input: &[u8] = b"a\nb\r\nc\r\rlonger\rlast";
        let (mut line, mut lines) = (Vec::new(), Vec::new());
        while let Some(is_whole) = read_line(&mut input, &mut line, 5).unwrap() {
            lines.push((String::from_utf8(line.clone()).unwrap(), is_whole));
        }
        let lines: Vec<_> = lines
            .iter()
            .map(|(line, whole)| (line.as_str(), *whole))
            .collect();
        let expected = [
            ("a", true),
            ("b", true),
            ("c", true),
            ("", true),
            ("longe", false),
            ("last", true),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn parts_of_a_text_are_told_apart() {
        for (text, expected) in [
            ("{\"a\":1}-----BEGIN X-----", Part::Value),
            ("-----BEGIN X-----MIIB", Part::Begin(0..17)),
            ("-----BEGIN X----- MIIB", Part::Begin(0..17)),
            ("subject=a-----BEGIN X-----", Part::Begin(9..26)),
            ("put -----BEGIN X----- before it", Part::Other),
            ("-----END X----------BEGIN Y-----", Part::End(15)),
            ("-----END X-----BEGIN Y-----", Part::End(10)),
            ("-----END X", Part::End(10)),
            ("subject=a", Part::Other),
        ] {
            assert_eq!(next(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(value_length(b"{\"a\":1}-----BEGIN X-----"), Some(7));
        assert_eq!(value_length(b"{\"a\":"), None);
    }
}
