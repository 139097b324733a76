//! Text compared in any case.

/// The small letter that a sigma ends a word as; everywhere else it is written σ.
const FINAL_SIGMA: &str = "ς";

/// The text in lower case, letter by letter: lower case as a whole makes a capital sigma the one letter
/// or the other by where it stands, so that a part of a text would not be a part of it any more.
#[must_use]
pub fn folded(text: &str) -> String {
    text.to_lowercase().replace(FINAL_SIGMA, "σ")
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn a_part_of_a_text_stays_a_part_of_it() {
        for text in ["ΟΔΥΣΣΕΥΣ@example", "Οδυσσευς@example", "οδυσσευσ@EXAMPLE"]
        {
            assert_eq!(folded(text), "οδυσσευσ@example");
            for (place, _) in text.char_indices() {
                assert!(folded(text).starts_with(&folded(&text[..place])), "{place}");
            }
        }
    }
}
