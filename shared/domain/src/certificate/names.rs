//! Distinguished names: formatted for people (RFC 4514), and compared as RFC 5280, 7.1 compares them.
//! To identify an issuer, use its octets instead (SL-14).

use std::collections::BTreeSet;

use der::{
    Tag,
    asn1::{Any, ObjectIdentifier},
};
use unicode_normalization::UnicodeNormalization;
use x509_cert::attr::AttributeTypeAndValue;

use super::elements::{Element, OBJECT_IDENTIFIER, SEQUENCE, SET, UTF8_STRING, within};
use crate::text::printable;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

const NUMERIC_STRING: u8 = 0x12;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const VISIBLE_STRING: u8 = 0x1a;
const GENERAL_STRING: u8 = 0x1b;
const UNIVERSAL_STRING: u8 = 0x1c;
const BMP_STRING: u8 = 0x1e;

const STRINGS: [u8; 9] = [
    UTF8_STRING,
    NUMERIC_STRING,
    PRINTABLE_STRING,
    TELETEX_STRING,
    IA5_STRING,
    VISIBLE_STRING,
    GENERAL_STRING,
    UNIVERSAL_STRING,
    BMP_STRING,
];

/// A parsed name: its relative names, each a set of attributes.
pub(super) struct DistinguishedName<'a>(Vec<Vec<Attribute<'a>>>);

struct Attribute<'a> {
    kind: &'a [u8],
    value: Element<'a>,
}

/// A name in a form that is equal for names that RFC 5280, 7.1 considers equal.
#[derive(PartialEq, Eq)]
pub(super) struct Comparable(Vec<BTreeSet<(Vec<u8>, Value)>>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Text(String),
    Octets(Vec<u8>),
}

impl<'a> DistinguishedName<'a> {
    /// Parses a name from DER.
    pub(super) fn read(der: &'a [u8]) -> Result<Self, String> {
        let sets = within(SEQUENCE, der)?.rest()?;
        let relative = |set: &Element<'a>| {
            let attributes = within(SET, set.whole)?.rest()?;
            attributes.iter().map(Attribute::read).collect()
        };
        Ok(Self(sets.iter().map(relative).collect::<Result<_, _>>()?))
    }

    /// The last common name: the most specific part of a name comes last.
    pub(super) fn common_name(&self) -> Option<String> {
        let last = self
            .0
            .iter()
            .flatten()
            .rfind(|attribute| attribute.kind == COMMON_NAME.as_bytes())?;
        Some(printable(&text(last.value)))
    }

    /// As in RFC 4514, the most specific part first.
    pub(super) fn shown(&self) -> String {
        let relative: Vec<_> = self
            .0
            .iter()
            .rev()
            .map(|set| {
                let each: Vec<_> = set.iter().map(Attribute::shown).collect();
                each.join("+")
            })
            .collect();
        printable(&relative.join(","))
    }

    /// The name in the form that is compared.
    pub(super) fn comparable(&self) -> Comparable {
        let value = |attribute: &Attribute<'_>| {
            let value = if STRINGS.contains(&attribute.value.tag) {
                Value::Text(prepared(&text(attribute.value)))
            } else {
                Value::Octets(attribute.value.whole.to_vec())
            };
            (attribute.kind.to_vec(), value)
        };
        let relative = self.0.iter().map(|set| set.iter().map(value).collect());
        Comparable(relative.collect())
    }
}

impl<'a> Attribute<'a> {
    fn read(element: &Element<'a>) -> Result<Self, String> {
        let mut parts = within(SEQUENCE, element.whole)?;
        let kind = parts.take(OBJECT_IDENTIFIER)?.content;
        let value = parts.next()?.ok_or("an attribute has no value")?;
        parts.end()?;
        Ok(Self { kind, value })
    }

    fn shown(&self) -> String {
        let (kind, encoded) = (self.kind, self.value.whole);
        let Ok(oid) = ObjectIdentifier::from_bytes(kind) else {
            return format!("{}=#{}", hex::encode(kind), hex::encode(encoded));
        };
        if STRINGS.contains(&self.value.tag)
            && let Ok(value) = Any::new(Tag::Utf8String, text(self.value).into_bytes())
        {
            return AttributeTypeAndValue { oid, value }.to_string();
        }
        format!("{oid}=#{}", hex::encode(encoded))
    }
}

/// RFC 4518, simplified: ignores compatibility forms, case, and the amount of white space.
fn prepared(text: &str) -> String {
    let folded = text.nfkc().collect::<String>().to_lowercase();
    let words: Vec<_> = folded.split_whitespace().collect();
    words.join(" ")
}

/// The text of a string of any type. Octets that are not UTF-8 become one character each, so that different
/// octets give different text.
pub(super) fn text(string: Element<'_>) -> String {
    let octets = string.content;
    let wide = match string.tag {
        BMP_STRING => utf_16(octets),
        UNIVERSAL_STRING => utf_32(octets),
        _ => None,
    };
    wide.unwrap_or_else(|| octets_text(octets))
}

fn utf_16(octets: &[u8]) -> Option<String> {
    let (units, rest) = octets.as_chunks::<2>();
    let units = units.iter().copied().map(u16::from_be_bytes);
    let text: Result<String, _> = char::decode_utf16(units).collect();
    text.ok().filter(|_| rest.is_empty())
}

fn utf_32(octets: &[u8]) -> Option<String> {
    let (units, rest) = octets.as_chunks::<4>();
    let units = units.iter().copied().map(u32::from_be_bytes);
    let text: Option<String> = units.map(char::from_u32).collect();
    text.filter(|_| rest.is_empty())
}

/// Octets as text.
pub(super) fn octets_text(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => octets.iter().copied().map(char::from).collect(),
    }
}
