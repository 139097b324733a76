//! Serial numbers in canonical form (SL-14).

/// The longest serial number in hexadecimal digits. RFC 5280 permits 40, but longer ones exist. Serial
/// numbers are part of an index key.
pub const LONGEST_SERIAL_DIGITS: usize = 2000;

/// The text is not a serial number. The message follows a field's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {LONGEST_SERIAL_DIGITS} hexadecimal digits, preceded by `-` if negative")]
pub struct SerialError;

/// Canonicalises a serial number in hexadecimal: lower case, without leading zeros, preceded by `-` if
/// negative; `0` for zero (SL-14).
///
/// # Errors
/// If the text is not a serial number.
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
