//! Packed SANs, the form in which SANs are stored and counted: a short text each, equal for equal SANs.

use std::sync::Arc;

use licet_domain::san::{San, SanType};

/// A packed SAN: a letter for its type, a colon, and its canonical value.
pub(crate) type PackedSan = Arc<str>;

/// Packs a SAN.
pub(crate) fn packed(san: &San) -> PackedSan {
    format!("{}:{}", letter(san.kind()), san.value()).into()
}

/// The letter of a type, ascending in the order of the types.
pub(crate) fn letter(kind: SanType) -> char {
    match kind {
        SanType::DnsName => 'd',
        SanType::IpAddress => 'i',
        SanType::Rfc822Name => 'r',
        SanType::Upn => 'u',
    }
}

/// The inverse of [`packed`]; `None` if the text is not a packed SAN.
pub(crate) fn unpacked(san: &str) -> Option<San> {
    let (letter, value) = san.split_once(':')?;
    let kind = match letter {
        "d" => SanType::DnsName,
        "i" => SanType::IpAddress,
        "r" => SanType::Rfc822Name,
        "u" => SanType::Upn,
        _ => return None,
    };
    Some(San::recorded(kind, value))
}

/// Whether a packed SAN is a wildcard (SL-3).
pub(crate) fn is_wildcard(san: &str) -> bool {
    san.starts_with("d:*.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_san_survives_packing_and_its_type_is_part_of_it() {
        let sans = [
            San::dns("*.Example.com").unwrap(),
            San::ip("2001:db8::1").unwrap(),
            San::email("a@example.com").unwrap(),
            San::upn("a@example.com").unwrap(),
        ];
        for san in &sans {
            assert_eq!(unpacked(&packed(san)).as_ref(), Some(san));
        }
        assert_ne!(packed(&sans[2]), packed(&sans[3]));
        assert!(is_wildcard(&packed(&sans[0])));
        assert_eq!(unpacked("nonsense"), None);
    }
}
