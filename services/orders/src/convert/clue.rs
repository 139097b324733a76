//! Clues: what a ticket says about an order that is looked for.

use licet_contracts::orders::v1 as orders;
use licet_domain::{certificate::serial, san::San};
use licet_runtime::{caller::Call, fault::Fault, field::Fields};
use uuid::Uuid;

use crate::rules::listing::Clues;

/// The longest clue, in bytes: a domain of 253 and room for what is typed around it.
const MAX_CLUE_BYTES: usize = 300;

/// Decodes the request to find orders.
pub(crate) fn decode_find(_: &Call, message: &orders::FindOrdersRequest) -> Result<Clues, Fault> {
    let mut fields = Fields::new();
    let text = message.clue.trim();
    let clues = if text.is_empty() {
        Err(fields.note("clue", "is required"))
    } else if message.clue.len() > MAX_CLUE_BYTES {
        Err(fields.note("clue", format!("is longer than {MAX_CLUE_BYTES} bytes")))
    } else {
        Ok(read(text)).and_then(|clues| match clues.is_empty() {
            true => Err(fields.note(
                "clue",
                "is not a serial number, fingerprint, domain, invoice number, id of an invoice or order, or request_id",
            )),
            false => Ok(clues),
        })
    };
    fields.build(|| clues)
}

/// Everything that the text can mean.
fn read(text: &str) -> Clues {
    let digits: String = text
        .chars()
        .filter(|char| *char != ':' && !char.is_whitespace())
        .collect();
    let digits = digits.strip_prefix("0x").unwrap_or(&digits);
    let fingerprint = hex::decode(digits).ok();
    let request_id: Option<Uuid> = text.parse().ok();
    let spellings = |id: Uuid| {
        let lower = id.to_string();
        [lower.to_uppercase(), lower, text.to_owned()]
    };
    let request_ids = request_id.map(spellings);
    Clues {
        order_id: text.parse().ok(),
        serial_hex: serial(digits).ok(),
        fingerprint_sha256: fingerprint.and_then(|bytes| bytes.try_into().ok()),
        name: San::dns(text).ok(),
        invoice_id: text.parse().ok(),
        invoice_number: invoice_number(&text.to_ascii_uppercase()),
        request_ids: request_ids.into_iter().flatten().collect(),
    }
}

/// The number as Billing writes it, with the seller between its parts if it is not the first one.
fn invoice_number(text: &str) -> Option<String> {
    let rest = text.strip_prefix("INV-")?;
    let (prefix, digits) = match rest.split_once('-') {
        Some((seller, digits)) if is_seller(seller) => (format!("INV-{seller}"), digits),
        Some(_) => return None,
        None => ("INV".to_owned(), rest),
    };
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = digits.parse().ok().filter(|_| is_number)?;
    Some(format!("{prefix}-{number:06}"))
}

/// Whether Billing could read it as a seller.
fn is_seller(text: &str) -> bool {
    let fits = |char: char| char.is_ascii_uppercase() || char.is_ascii_digit();
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(fits)
        && text.len() <= 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clue_is_read_as_all_that_it_can_be() {
        let fingerprint = "AB:".repeat(31) + "AB";
        assert_eq!(read(&fingerprint).fingerprint_sha256, Some([0xab; 32]));
        assert_eq!(read("0A:BC").serial_hex.as_deref(), Some("abc"));
        assert_eq!(read("0x0abc").serial_hex.as_deref(), Some("abc"));
        let names = read("WWW.Example.com.").name;
        assert_eq!(names, San::dns("www.example.com").ok());
        for number in ["INV-000012", "inv-12"] {
            let found = read(number).invoice_number;
            assert_eq!(found.as_deref(), Some("INV-000012"));
        }
        let of_seller = read("inv-eu1-12").invoice_number;
        assert_eq!(of_seller.as_deref(), Some("INV-EU1-000012"));
        for number in ["INV-EU1-", "INV-1-2", "INV-E.U-2"] {
            assert_eq!(read(number).invoice_number, None);
        }
        assert_eq!(read("INV-9223372036854775808").invoice_number, None);
        let large = read("INV-1234567").invoice_number;
        assert_eq!(large.as_deref(), Some("INV-1234567"));
        let id = "6f1c2f0e-2c38-4d0e-9a53-0f2f3c6e9a01";
        let typed = id.to_uppercase();
        assert!(read(&typed).request_ids.contains(id) && read(&typed).request_ids.contains(&typed));
        assert!(read("ord_").order_id.is_none());
        assert!(read("what is this?").is_empty());
    }
}
