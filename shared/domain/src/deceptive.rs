//! Characters that hide or reorder text, so that a reader sees another text than the one that is stored.

/// Whether a character shows as nothing, as a break, or turns the text around it: control characters, the
/// directional formatting of UAX #9, zero-width characters, line and paragraph separators, fillers and tags
/// (UTS #39, default ignorable code points).
#[must_use]
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// The text with each deceptive character as its code point, such as `\u{202e}`: for text from before such
/// characters were refused.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_deceptive(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_reads_otherwise_than_it_is_stored_is_told() {
        for deceptive in [
            "a\u{202e}b",
            "a\u{2066}b",
            "a\u{200b}b",
            "a\u{200d}b",
            "a\u{2028}b",
            "a\u{feff}b",
            "a\u{ad}b",
            "a\u{e0041}b",
            "a\nb",
            "a\0b",
        ] {
            assert!(deceptive.chars().any(is_deceptive), "{deceptive:?}");
            assert!(!escaped(deceptive).chars().any(is_deceptive));
        }
        for plain in [
            "Müller & Söhne",
            "株式会社",
            "شركة",
            "Ørsted — 2026",
            "חברה",
        ] {
            assert!(!plain.chars().any(is_deceptive), "{plain:?}");
            assert_eq!(escaped(plain), plain);
        }
    }
}
