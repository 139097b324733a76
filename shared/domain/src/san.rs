//! Subject alternative names in canonical form, so that equal names are equal values (SL-1 to SL-3,
//! MD-5). Prices and quotas of names are decided elsewhere.

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
/// The longest value stored in full, in octets: values are part of an index key.
const LONGEST_VALUE: usize = 2000;
/// Number of characters of a longer value that are stored before its digest.
const SHOWN_CHARACTERS: usize = 100;
/// The characters that UTS 46 maps to a full stop.
const DOTS: [char; 3] = ['\u{3002}', '\u{ff0e}', '\u{ff61}'];

/// The types of SAN that count (SL-1); all others are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SanType {
    /// A DNS name, with or without a wildcard.
    DnsName,
    /// An IPv4 or IPv6 address.
    IpAddress,
    /// An email address.
    Rfc822Name,
    /// A user principal name: otherName 1.3.6.1.4.1.311.20.2.3.
    Upn,
}

impl SanType {
    /// All types that count.
    pub const ALL: &'static [Self] = &[Self::DnsName, Self::IpAddress, Self::Rfc822Name, Self::Upn];

    /// Its X.509 name: `dNSName`, `iPAddress`, `rfc822Name`, `otherName:UPN`.
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

/// Why a requested name is not valid. The message follows a field's path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SanError {
    /// Empty.
    #[error("must not be empty")]
    Empty,
    /// An IP address as a DNS name.
    #[error("is an IP address: use the type iPAddress, not dNSName")]
    IpLiteral,
    /// A misplaced `*`.
    #[error("may have `*` only as its entire left-most label, followed by a name")]
    MisplacedWildcard,
    /// Not a DNS name, even after conversion to A-labels.
    #[error(
        "is not a DNS name: labels of 1 to 63 letters, digits and inner hyphens, joined by dots, \
         at most 253 octets once converted to ASCII"
    )]
    NotADnsName,
    /// A label that looks like an A-label but is not one.
    #[error(
        "has a label with hyphens in third and fourth position, which RFC 5890 reserves for \
         A-labels (`xn--`)"
    )]
    ReservedHyphens,
    /// Not an IP address.
    #[error("is not an IPv4 address in dotted decimal or an IPv6 address")]
    NotAnIpAddress,
    /// Not an email address.
    #[error("is not an email address: {0}")]
    NotAMailbox(String),
    /// Not a user principal name.
    #[error("is not a user principal name: one `@` with text before and after it")]
    NotAUpn,
    /// Not a type of SAN that counts.
    #[error("`{found}` is not one of dNSName, iPAddress, rfc822Name and otherName:UPN")]
    UnknownType {
        /// The text found, shortened.
        found: String,
    },
}

/// A SAN in canonical form. Its type is part of its identity: the same text as rfc822Name and as UPN is
/// two SANs (SL-2). Ordered by type, then by value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "StoredSan")]
pub struct San {
    #[serde(rename = "type")]
    kind: SanType,
    value: String,
}

impl San {
    /// A requested DNS name: lower case, A-labels, no trailing dot, `*` only as the entire left-most
    /// label. Names with a single label are valid.
    pub fn dns(text: &str) -> Result<Self, SanError> {
        dns_form(text).map(|value| Self {
            kind: SanType::DnsName,
            value,
        })
    }

    /// A requested IP address: IPv4 in dotted decimal, IPv6 in any spelling.
    pub fn ip(text: &str) -> Result<Self, SanError> {
        if text.is_empty() {
            return Err(SanError::Empty);
        }
        let address: IpAddr = text.parse().map_err(|_| SanError::NotAnIpAddress)?;
        Ok(Self::from_address(address))
    }

    /// A requested email address: entirely lower case, domain in A-labels.
    pub fn email(text: &str) -> Result<Self, SanError> {
        mailbox_form(text).map(|value| Self {
            kind: SanType::Rfc822Name,
            value,
        })
    }

    /// A requested user principal name: Unicode lower case in NFC, one `@` with text on both sides.
    pub fn upn(text: &str) -> Result<Self, SanError> {
        upn_form(text).map(|value| Self {
            kind: SanType::Upn,
            value,
        })
    }

    /// A name from a certificate or from the store. A well-formed name is canonicalised; any other is
    /// lower-cased, its control characters are escaped, and a DNS name loses its trailing dot. No name
    /// is refused (SL-1). One longer than 2000 octets becomes its first 100 characters and its SHA-256.
    pub fn recorded(kind: SanType, text: &str) -> Self {
        Self::requested(kind, text)
            .unwrap_or_else(|_| {
                let plain = malformed_form(kind, text);
                Self::requested(kind, &plain).unwrap_or(Self { kind, value: plain })
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

    /// The address in an iPAddress name: 4 octets are IPv4, 16 are IPv6. The two remain different SANs
    /// even if IPv6 embeds the IPv4 address. `None` for any other length.
    pub fn ip_octets(octets: &[u8]) -> Option<Self> {
        let address = if let Ok(four) = <[u8; 4]>::try_from(octets) {
            IpAddr::V4(Ipv4Addr::from(four))
        } else {
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?))
        };
        Some(Self::from_address(address))
    }

    /// The type.
    pub fn kind(&self) -> SanType {
        self.kind
    }

    /// The canonical value.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether it is a DNS name whose left-most label is `*`.
    pub fn is_wildcard(&self) -> bool {
        self.kind == SanType::DnsName && self.value.starts_with("*.")
    }

    /// Its weight: 1, or the licence's multiplier for a wildcard (SL-3).
    pub fn weight(&self, wildcard_multiplier: u32) -> u32 {
        if self.is_wildcard() {
            wildcard_multiplier
        } else {
            1
        }
    }

    fn requested(kind: SanType, text: &str) -> Result<Self, SanError> {
        match kind {
            SanType::DnsName => Self::dns(text),
            SanType::IpAddress => Self::ip(text),
            SanType::Rfc822Name => Self::email(text),
            SanType::Upn => Self::upn(text),
        }
    }

    /// The standard library formats IPv6 as in RFC 5952, and an IPv4-mapped address as
    /// `::ffff:1.2.3.4`, which differs from every IPv4 address.
    fn from_address(address: IpAddr) -> Self {
        Self {
            kind: SanType::IpAddress,
            value: address.to_string(),
        }
    }
}

/// The canonical value, without the type.
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

/// Replaces the dots that UTS 46 maps to a full stop.
fn with_full_stops(text: &str) -> Cow<'_, str> {
    if text.contains(DOTS) {
        Cow::Owned(text.replace(DOTS, "."))
    } else {
        Cow::Borrowed(text)
    }
}

/// The form in which names that are not well formed are stored and compared.
fn malformed_form(kind: SanType, text: &str) -> String {
    match kind {
        SanType::DnsName => {
            let plain = printable(&with_full_stops(text).to_lowercase());
            // Remove only a single trailing dot, so that reading the result again changes nothing.
            match plain.strip_suffix('.') {
                Some(name) if !name.ends_with('.') => name.to_owned(),
                Some(_) | None => plain,
            }
        }
        SanType::Upn => printable(&lower_case(text)),
        SanType::IpAddress | SanType::Rfc822Name => printable(&text.to_lowercase()),
    }
}

/// Lower case in NFC, so that a precomposed letter equals the letter with a combining accent.
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

/// A host name in A-labels (UTS 46, non-transitional), without wildcard and trailing dot.
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
    // Full-width digits and dots become an address only by the conversion.
    if ascii.parse::<IpAddr>().is_ok() {
        return Err(SanError::IpLiteral);
    }
    Ok(ascii)
}

/// RFC 5890, 2.3.1 reserves such labels for A-labels.
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
    // Validate the canonical form, so that canonicalising it again cannot fail.
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
