//! Filters of the lists of licences, certificates and distinct SANs (SL-18). A state is that of an
//! instant, never a stored column.

use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId},
    san::SanType,
};

use super::{
    certificate::CertificateState,
    license::LicenseState,
    packed_san::{PackedSan, letter},
};

/// Filter of ListLicenses.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LicenseFilter {
    pub(crate) account_id: Option<AccountId>,
    pub(crate) state: Option<LicenseState>,
}

/// Filter of ListCertificates.
#[derive(Clone, Debug)]
pub(crate) struct CertificateFilter {
    pub(crate) license_id: LicenseId,
    /// Certificates that carry this SAN.
    pub(crate) san: Option<PackedSan>,
    pub(crate) state: Option<CertificateState>,
    /// Certificates whose SANs cease to count before this instant.
    pub(crate) until_before: Option<Instant>,
}

/// Filter of ListUniqueSans.
#[derive(Clone, Debug)]
pub(crate) struct SanFilter {
    pub(crate) license_id: LicenseId,
    pub(crate) kind: Option<SanType>,
    /// Case-folded prefix of the canonical value; empty for any.
    pub(crate) prefix: String,
    /// SANs that cease to count before this instant.
    pub(crate) until_before: Option<Instant>,
}

/// A distinct SAN on active certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UniqueSan {
    pub(crate) san: PackedSan,
    /// When the last certificate that is active now and holds it ends.
    pub(crate) until: Instant,
    /// Number of active certificates that hold it.
    pub(crate) certificates: u64,
}

/// The two lower-case forms of a capital sigma; the first is used for both in comparisons (SL-2).
pub(crate) const SIGMAS: [&str; 2] = ["σ", "ς"];

impl SanFilter {
    /// Half-open ranges of packed SANs, by code points; if empty, all pass. A SAN must also be in one of
    /// [`SanFilter::folded_ranges`], if there are any.
    pub(crate) fn ranges(&self) -> Vec<(String, String)> {
        let plain = self.prefix.split(SIGMAS[0]).next().unwrap_or_default();
        self.ranges_of(plain)
    }

    /// Ranges for SANs in which both sigmas are replaced by one; empty if the prefix has no sigma.
    pub(crate) fn folded_ranges(&self) -> Vec<(String, String)> {
        if self.prefix.contains(SIGMAS[0]) {
            self.ranges_of(&self.prefix)
        } else {
            Vec::new()
        }
    }

    fn ranges_of(&self, prefix: &str) -> Vec<(String, String)> {
        let kinds = match &self.kind {
            Some(kind) => std::slice::from_ref(kind),
            None if prefix.is_empty() => &[],
            None => SanType::ALL,
        };
        kinds
            .iter()
            .map(|kind| {
                let start = format!("{}:{}", letter(*kind), prefix);
                let end = first_beyond(&start);
                (start, end)
            })
            .collect()
    }
}

/// The smallest text above all that begin with `prefix`, which must not consist of the last code point alone.
fn first_beyond(prefix: &str) -> String {
    let mut beyond = prefix.to_owned();
    while let Some(last) = beyond.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            beyond.push(next);
            break;
        }
    }
    beyond
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(kind: Option<SanType>, prefix: &str) -> SanFilter {
        SanFilter {
            license_id: LicenseId::generate(),
            kind,
            prefix: prefix.to_owned(),
            until_before: None,
        }
    }

    #[test]
    fn a_prefix_is_a_range_of_each_type() {
        assert_eq!(filter(None, "").ranges(), []);
        let of = |kind, prefix| filter(Some(kind), prefix).ranges();
        let pair = |start: &str, end: &str| vec![(start.to_owned(), end.to_owned())];
        assert_eq!(of(SanType::DnsName, ""), pair("d:", "d;"));
        assert_eq!(of(SanType::Upn, "an"), pair("u:an", "u:ao"));
        assert_eq!(
            of(SanType::Upn, "a\u{d7ff}"),
            pair("u:a\u{d7ff}", "u:a\u{e000}")
        );
        assert_eq!(
            of(SanType::Upn, "a\u{10ffff}"),
            pair("u:a\u{10ffff}", "u:b")
        );
        assert_eq!(filter(None, "a").ranges().len(), 4);
        assert_eq!(filter(None, "a").folded_ranges(), []);
    }

    #[test]
    fn sl_18_a_sigma_of_a_prefix_is_either_of_the_two() {
        let of = filter(Some(SanType::Upn), "οδυσ");
        assert_eq!(of.ranges(), [("u:οδυ".to_owned(), "u:οδφ".to_owned())]);
        let folded = ("u:οδυσ".to_owned(), "u:οδυτ".to_owned());
        assert_eq!(of.folded_ranges(), [folded]);
        assert_eq!(filter(None, "σ").ranges(), []);
    }
}
