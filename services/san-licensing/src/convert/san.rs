//! SANs. Requested ones must be well-formed; those of a certificate are accepted as they are (SL-1).

use std::collections::BTreeSet;

use licet_contracts::sanlicensing::v1 as wire;
use licet_domain::san::{San, SanType};
use licet_runtime::field::{Field, Fields};

use crate::rules::packed_san::{PackedSan, packed, unpacked};

/// The longest value of a requested SAN, in characters.
const MAX_CHARACTERS: usize = 1000;

/// Decodes requested SANs, at most `most` distinct ones.
pub(crate) fn decode_requested(
    fields: &mut Fields,
    path: &str,
    list: &[wire::San],
    most: usize,
) -> Field<BTreeSet<San>> {
    decode_all(fields, path, list, most, |kind, value| {
        if value.chars().nth(MAX_CHARACTERS).is_some() {
            return Err(format!("must have at most {MAX_CHARACTERS} characters"));
        }
        match kind {
            SanType::DnsName => San::dns(value),
            SanType::IpAddress => San::ip(value),
            SanType::Rfc822Name => San::email(value),
            SanType::Upn => San::upn(value),
        }
        .map_err(|error| error.to_string())
    })
}

/// Decodes the SANs of a certificate, at most `most` distinct ones.
pub(crate) fn decode_recorded(
    fields: &mut Fields,
    path: &str,
    list: &[wire::San],
    most: usize,
) -> Field<BTreeSet<San>> {
    decode_all(fields, path, list, most, |kind, value| {
        Ok(San::recorded(kind, value))
    })
}

/// Decodes one SAN to be searched for, in any spelling.
pub(crate) fn decode_one(fields: &mut Fields, path: &str, given: &wire::San) -> Field<San> {
    decode(fields, path, given, &|kind, value| {
        Ok(San::recorded(kind, value))
    })
}

/// Checks the number of SANs read from a certificate.
pub(crate) fn check_recorded(
    fields: &mut Fields,
    path: &str,
    sans: &BTreeSet<San>,
    most: usize,
) -> Field<()> {
    if sans.len() > most {
        return Err(fields.note(path, format!("must have at most {most} SANs that count")));
    }
    Ok(())
}

fn decode_all(
    fields: &mut Fields,
    path: &str,
    list: &[wire::San],
    most: usize,
    form: impl Fn(SanType, &str) -> Result<San, String>,
) -> Field<BTreeSet<San>> {
    let mut sans = BTreeSet::new();
    let mut first = None;
    for (index, given) in list.iter().enumerate() {
        match decode(fields, &format!("{path}[{index}]"), given, &form) {
            Ok(san) => {
                sans.insert(san);
            }
            Err(noted) => {
                first.get_or_insert(noted);
            }
        }
    }
    if sans.len() > most {
        first = Some(fields.note(path, format!("must have at most {most} distinct SANs")));
    }
    first.map_or(Ok(sans), Err)
}

fn decode(
    fields: &mut Fields,
    path: &str,
    given: &wire::San,
    form: &impl Fn(SanType, &str) -> Result<San, String>,
) -> Field<San> {
    let at_value = || format!("{path}.value");
    let kind = match decode_kind(given.r#type) {
        Ok(Some(kind)) => Ok(kind),
        Ok(None) => Err(fields.note(format!("{path}.type"), "is required")),
        Err(error) => Err(fields.note(format!("{path}.type"), error)),
    };
    form(kind?, &given.value).map_err(|error| fields.note(at_value(), error))
}

/// Decodes a SAN type; `None` if unspecified.
pub(crate) fn decode_kind(kind: i32) -> Result<Option<SanType>, &'static str> {
    Ok(match wire::SanType::try_from(kind) {
        Ok(wire::SanType::Unspecified) => None,
        Ok(wire::SanType::DnsName) => Some(SanType::DnsName),
        Ok(wire::SanType::IpAddress) => Some(SanType::IpAddress),
        Ok(wire::SanType::Rfc822Name) => Some(SanType::Rfc822Name),
        Ok(wire::SanType::Upn) => Some(SanType::Upn),
        Err(_) => return Err("is not a SAN type"),
    })
}

/// Packs SANs, ascending.
pub(crate) fn pack(sans: &BTreeSet<San>) -> Vec<PackedSan> {
    sans.iter().map(packed).collect()
}

/// Encodes packed SANs.
pub(crate) fn encode_all(sans: &[PackedSan]) -> Vec<wire::San> {
    sans.iter().filter_map(|san| encode(san)).collect()
}

/// Encodes a packed SAN. `None` does not occur for stored SANs.
pub(crate) fn encode(san: &str) -> Option<wire::San> {
    let san = unpacked(san)?;
    let kind = match san.kind() {
        SanType::DnsName => wire::SanType::DnsName,
        SanType::IpAddress => wire::SanType::IpAddress,
        SanType::Rfc822Name => wire::SanType::Rfc822Name,
        SanType::Upn => wire::SanType::Upn,
    };
    Some(wire::San {
        r#type: kind.into(),
        value: san.value().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use licet_runtime::fault::Fault;

    use super::*;

    fn given(kind: wire::SanType, value: &str) -> wire::San {
        wire::San {
            r#type: kind.into(),
            value: value.to_owned(),
        }
    }

    fn violations(list: &[wire::San], most: usize) -> Vec<String> {
        let mut fields = Fields::new();
        let sans = decode_requested(&mut fields, "sans", list, most);
        match fields.build(|| sans) {
            Ok(_) => vec![],
            Err(Fault::Invalid(found)) => {
                found.noted.into_iter().map(|noted| noted.field).collect()
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn sl_2_case_makes_no_second_san_and_the_type_does() {
        let list = [
            given(wire::SanType::DnsName, "Example.COM."),
            given(wire::SanType::DnsName, "example.com"),
            given(wire::SanType::Rfc822Name, "a@example.com"),
            given(wire::SanType::Upn, "A@example.com"),
        ];
        let mut fields = Fields::new();
        let sans = decode_requested(&mut fields, "sans", &list, 3).unwrap();
        assert_eq!(
            pack(&sans).join(" "),
            "d:example.com r:a@example.com u:a@example.com"
        );
        assert_eq!(
            encode_all(&pack(&sans))[0],
            given(wire::SanType::DnsName, "example.com")
        );
    }

    #[test]
    fn what_is_wrong_with_each_is_said_at_its_place() {
        let long = "a".repeat(1001);
        let list = [
            given(wire::SanType::DnsName, "good.example"),
            given(wire::SanType::DnsName, "a.*.example"),
            given(wire::SanType::Unspecified, "x"),
            given(wire::SanType::IpAddress, "300.0.0.1"),
            given(wire::SanType::Upn, &long),
            wire::San {
                r#type: 77,
                value: String::new(),
            },
        ];
        assert_eq!(
            violations(&list, 200),
            [
                "sans[1].value",
                "sans[2].type",
                "sans[3].value",
                "sans[4].value",
                "sans[5].type"
            ]
        );
        let many: Vec<_> = (0..3)
            .map(|number| given(wire::SanType::DnsName, &format!("n{number}.example")))
            .collect();
        assert_eq!(violations(&many, 2), ["sans"]);
    }

    #[test]
    fn sl_1_what_a_certificate_carries_is_taken_as_it_is() {
        let list = [
            given(wire::SanType::DnsName, "Under_Score.example"),
            given(wire::SanType::IpAddress, "no address"),
        ];
        let mut fields = Fields::new();
        let sans = decode_recorded(&mut fields, "facts.sans", &list, 2000).unwrap();
        assert_eq!(pack(&sans).join(" "), "d:under_score.example i:no address");
    }
}
