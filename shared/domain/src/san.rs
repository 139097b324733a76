//! Subject alternative names in their one canonical form, so that equal names are equal values
//! (SL-1 to SL-3, MD-5). What a name costs or whether a licence has room for it is decided elsewhere.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use crate::text::{printable, serde_as_text, shortened};

/// The longest dNSName in octets (RFC 1035, 2.3.4).
const LONGEST_NAME: usize = 253;
/// The longest value that is kept whole, in octets: it stands in the key of an index.
const LONGEST_VALUE: usize = 2000;
/// How many characters of a longer one are kept before its digest.
const SHOWN_CHARACTERS: usize = 100;
/// What UTS 46 takes for a full stop.
const DOTS: [char; 3] = ['\u{3002}', '\u{ff0e}', '\u{ff61}'];

/// The types of SAN that count (SL-1); names of any other type do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SanType {
    /// A DNS name, with or without a wildcard.
    DnsName,
    /// An IPv4 or IPv6 address.
    IpAddress,
    /// A mailbox.
    Rfc822Name,
    /// A user principal name: otherName 1.3.6.1.4.1.311.20.2.3.
    Upn,
}

impl SanType {
    /// Every type that counts.
    pub const ALL: &'static [Self] = &[Self::DnsName, Self::IpAddress, Self::Rfc822Name, Self::Upn];

    /// The name that X.509 gives it: `dNSName`, `iPAddress`, `rfc822Name`, `otherName:UPN`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DnsName => "dNSName",
            Self::IpAddress => "iPAddress",
            Self::Rfc822Name => "rfc822Name",
            Self::Upn => "otherName:UPN",
        }
    }
}

impl fmt::Display for SanType {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.as_str())
    }
}

impl FromStr for SanType {
    type Err = SanError;

    fn from_str(word: &str) -> Result<Self, SanError> {
        let found = Self::ALL.iter().find(|kind| kind.as_str() == word);
        found.copied().ok_or_else(|| SanError::UnknownType {
            found: shortened(word),
        })
    }
}

serde_as_text!(SanType);

/// What is wrong with a name that was asked for; a sentence to put after a field's path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SanError {
    /// Nothing stands there.
    #[error("must not be empty")]
    Empty,
    /// An address where a DNS name belongs.
    #[error("is an IP address, which is an iPAddress and not a dNSName")]
    IpLiteral,
    /// A `*` in the wrong place.
    #[error("may have `*` only as its whole left-most label, with a name after it")]
    MisplacedWildcard,
    /// No DNS name, also after conversion to A-labels.
    #[error(
        "is not a DNS name: labels of 1 to 63 letters, digits and inner hyphens, joined by dots, \
         at most 253 octets once converted to ASCII"
    )]
    NotADnsName,
    /// A label that looks like an A-label and is none.
    #[error(
        "has a label with hyphens in its third and fourth place, which RFC 5890 reserves for \
         A-labels (`xn--`)"
    )]
    ReservedHyphens,
    /// No address.
    #[error("is not an IPv4 address in dotted decimal or an IPv6 address")]
    NotAnIpAddress,
    /// No mailbox.
    #[error("is not an email address: {0}")]
    NotAMailbox(String),
    /// No user principal name.
    #[error("is not a user principal name: one `@` with text before and after it")]
    NotAUpn,
    /// No type of SAN that counts.
    #[error("`{found}` is not one of dNSName, iPAddress, rfc822Name and otherName:UPN")]
    UnknownType {
        /// What stood there, shortened.
        found: String,
    },
}

/// One SAN in its canonical form. The type is part of it: the same text as rfc822Name and as UPN is
/// two SANs (SL-2). Ordered by type, then by value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "StoredSan")]
pub struct San {
    #[serde(rename = "type")]
    kind: SanType,
    value: String,
}

impl San {
    /// A DNS name that is asked for: lower case, A-labels, without a trailing dot; `*` only as the
    /// whole left-most label. Single-label names are names.
    pub fn dns(text: &str) -> Result<Self, SanError> {
        dns_form(text).map(|value| Self {
            kind: SanType::DnsName,
            value,
        })
    }

    /// An address that is asked for: IPv4 in dotted decimal, IPv6 in any of its spellings.
    pub fn ip(text: &str) -> Result<Self, SanError> {
        if text.is_empty() {
            return Err(SanError::Empty);
        }
        let address: IpAddr = text.parse().map_err(|_| SanError::NotAnIpAddress)?;
        Ok(Self::from_address(address))
    }

    /// A mailbox that is asked for: lower case throughout, its domain in A-labels.
    pub fn email(text: &str) -> Result<Self, SanError> {
        mailbox_form(text).map(|value| Self {
            kind: SanType::Rfc822Name,
            value,
        })
    }

    /// A user principal name that is asked for: Unicode lower case in NFC, one `@` with text on both sides.
    pub fn upn(text: &str) -> Result<Self, SanError> {
        upn_form(text).map(|value| Self {
            kind: SanType::Upn,
            value,
        })
    }

    /// A name that a certificate carries, or that was stored: canonical where it is well formed,
    /// else lower-cased with control characters written out, a DNS name without its trailing dot.
    /// It is never refused (SL-1). One of more than 2000 octets is kept as its first 100 characters
    /// and its SHA-256.
    pub fn recorded(kind: SanType, text: &str) -> Self {
        Self::asked(kind, text)
            .unwrap_or_else(|_| {
                let plain = malformed_form(kind, text);
                Self::asked(kind, &plain).unwrap_or(Self { kind, value: plain })
            })
            .bounded()
    }

    fn bounded(self) -> Self {
        if self.value.len() <= LONGEST_VALUE {
            return self;
        }
        let digest = hex::encode(Sha256::digest(&self.value));
        let shown: String = self.value.chars().take(SHOWN_CHARACTERS).collect();
        Self {
            kind: self.kind,
            value: format!("{shown}…sha256:{digest}"),
        }
    }

    /// The address of an iPAddress name's octets: 4 are IPv4 and 16 are IPv6, which stay different
    /// SANs even where IPv6 embeds an IPv4 address. `None` for any other length.
    pub fn ip_octets(octets: &[u8]) -> Option<Self> {
        let address = if let Ok(four) = <[u8; 4]>::try_from(octets) {
            IpAddr::V4(Ipv4Addr::from(four))
        } else {
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?))
        };
        Some(Self::from_address(address))
    }

    /// Its type.
    pub fn kind(&self) -> SanType {
        self.kind
    }

    /// Its canonical text.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether it is a DNS name whose left-most label is `*`.
    pub fn is_wildcard(&self) -> bool {
        self.kind == SanType::DnsName && self.value.starts_with("*.")
    }

    /// What it counts for: 1, and a wildcard what the licence says (SL-3).
    pub fn weight(&self, wildcard_multiplier: u32) -> u32 {
        if self.is_wildcard() {
            wildcard_multiplier
        } else {
            1
        }
    }

    fn asked(kind: SanType, text: &str) -> Result<Self, SanError> {
        match kind {
            SanType::DnsName => Self::dns(text),
            SanType::IpAddress => Self::ip(text),
            SanType::Rfc822Name => Self::email(text),
            SanType::Upn => Self::upn(text),
        }
    }

    /// The standard library writes IPv6 as RFC 5952 has it, and an IPv4-mapped address as
    /// `::ffff:1.2.3.4`, which no IPv4 address is written as.
    fn from_address(address: IpAddr) -> Self {
        Self {
            kind: SanType::IpAddress,
            value: address.to_string(),
        }
    }
}

/// The canonical text alone.
impl fmt::Display for San {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.value)
    }
}

#[derive(Deserialize)]
struct StoredSan {
    #[serde(rename = "type")]
    kind: SanType,
    value: String,
}

impl From<StoredSan> for San {
    fn from(stored: StoredSan) -> Self {
        Self::recorded(stored.kind, &stored.value)
    }
}

/// The text with the dots of other scripts as full stops.
fn with_full_stops(text: &str) -> Cow<'_, str> {
    if text.contains(DOTS) {
        Cow::Owned(text.replace(DOTS, "."))
    } else {
        Cow::Borrowed(text)
    }
}

/// What a name that is not well formed is compared by.
fn malformed_form(kind: SanType, text: &str) -> String {
    match kind {
        SanType::DnsName => {
            let plain = printable(&with_full_stops(text).to_lowercase());
            // One dot alone: what is left is the same when it is read again.
            match plain.strip_suffix('.') {
                Some(name) if !name.ends_with('.') => name.to_owned(),
                Some(_) | None => plain,
            }
        }
        SanType::Upn => printable(&lower_case(text)),
        SanType::IpAddress | SanType::Rfc822Name => printable(&text.to_lowercase()),
    }
}

/// Lower case in NFC: a letter and its accent are the letter that has it.
fn lower_case(text: &str) -> String {
    let composed: String = text.nfc().collect();
    composed.to_lowercase().nfc().collect()
}

fn dns_form(text: &str) -> Result<String, SanError> {
    if text.is_empty() {
        return Err(SanError::Empty);
    }
    let text = with_full_stops(text);
    let (wildcard, name) = match text.strip_prefix("*.") {
        Some(name) => ("*.", name),
        None => ("", text.as_ref()),
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.contains('*') || (name.is_empty() && !wildcard.is_empty()) {
        return Err(SanError::MisplacedWildcard);
    }
    let form = format!("{wildcard}{}", host_form(name)?);
    if form.len() > LONGEST_NAME {
        return Err(SanError::NotADnsName);
    }
    Ok(form)
}

/// A host's name in A-labels (UTS 46, non-transitional), without wildcard or trailing dot.
fn host_form(name: &str) -> Result<String, SanError> {
    if name.parse::<IpAddr>().is_ok() {
        return Err(SanError::IpLiteral);
    }
    let ascii = idna::domain_to_ascii_strict(name).map_err(|_| {
        if name.split('.').any(has_reserved_hyphens) {
            SanError::ReservedHyphens
        } else {
            SanError::NotADnsName
        }
    })?;
    // Full-width digits and dots become an address only here.
    if ascii.parse::<IpAddr>().is_ok() {
        return Err(SanError::IpLiteral);
    }
    Ok(ascii)
}

/// RFC 5890, 2.3.1: such a label is an A-label or nothing.
fn has_reserved_hyphens(label: &str) -> bool {
    let mut characters = label.chars();
    let start: String = characters.by_ref().take(2).collect();
    !start.eq_ignore_ascii_case("xn") && characters.as_str().starts_with("--")
}

fn mailbox_form(text: &str) -> Result<String, SanError> {
    if text.is_empty() {
        return Err(SanError::Empty);
    }
    let wrong = |why: &str| SanError::NotAMailbox(why.to_owned());
    let (local, domain) = text
        .rsplit_once('@')
        .ok_or_else(|| wrong("it has no `@`"))?;
    if !local.is_ascii() || local.chars().any(char::is_control) {
        return Err(wrong("the part before the `@` must be printable ASCII"));
    }
    let domain = host_form(domain).map_err(|error| wrong(&format!("its domain {error}")))?;
    // The strict grammar is held against the canonical form, so that canonicalising it again
    // cannot fail.
    let form = format!("{}@{domain}", local.to_ascii_lowercase());
    let options = Options::default()
        .with_no_minimum_sub_domains()
        .without_domain_literal()
        .without_display_text();
    EmailAddress::parse_with_options(&form, options)
        .map_err(|error| SanError::NotAMailbox(error.to_string()))?;
    Ok(form)
}

fn upn_form(text: &str) -> Result<String, SanError> {
    if text.is_empty() {
        return Err(SanError::Empty);
    }
    let mut parts = text.split('@');
    let both = (parts.next(), parts.next(), parts.next());
    let well_formed =
        matches!(both, (Some(user), Some(realm), None) if !user.is_empty() && !realm.is_empty());
    if !well_formed || text.chars().any(char::is_control) {
        return Err(SanError::NotAUpn);
    }
    Ok(lower_case(text))
}

#[cfg(test)]
mod tests;
