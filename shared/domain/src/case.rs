//! Case-insensitive comparison of text.

/// The lower-case form of a sigma at the end of a word; everywhere else it is σ.
const FINAL_SIGMA: &str = "ς";

/// The text in lower case, converted letter by letter. `to_lowercase` chooses between σ and ς by
/// position in the whole text, so a prefix of the text would not always fold to a prefix of the folded
/// text.
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
