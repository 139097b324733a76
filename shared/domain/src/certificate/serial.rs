//! Serial numbers in their one spelling (SL-14).

/// The most hexadecimal digits of a serial number: RFC 5280 has 40, and what was signed beyond it
/// exists. It stands in the key of an index.
pub const LONGEST_SERIAL_DIGITS: usize = 2000;

/// What is wrong with a serial number that was written down; a sentence to put after a field's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1 to {LONGEST_SERIAL_DIGITS} hexadecimal digits, with a `-` before them where it is \
     negative"
)]
pub struct SerialError;

/// A serial number in its one spelling, from hexadecimal digits: lower case, without leading zeros,
/// `-` before a negative one; `0` for zero (SL-14).
///
/// # Errors
/// When it is none.
pub fn serial(text: &str) -> Result<String, SerialError> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if digits.is_empty() || !is_hex || digits.len() > LONGEST_SERIAL_DIGITS {
        return Err(SerialError);
    }
    match digits.trim_start_matches('0') {
        "" => Ok("0".to_owned()),
        digits => Ok(format!("{sign}{}", digits.to_ascii_lowercase())),
    }
}
