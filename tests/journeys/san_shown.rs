//! SanLicensing's responses as values of the oracle, and options for random licences.

use licet_contracts::{
    sanlicensing::v1::{DailyUsage, LicenseOptions, LicenseTerm, San, Usage},
    types::v1::KeyType,
};
use licet_oracle::licenses::{
    license::{San as Name, SoldTerm},
    usage::{ExpectedDay, ExpectedUsage},
};

use super::random::Random;
use crate::harness::clock::instant;

pub(super) fn options(random: &mut Random) -> LicenseOptions {
    LicenseOptions {
        wildcards_allowed: random.below(6) > 0,
        wildcard_multiplier: i32::try_from(2 + random.below(4)).unwrap(),
        key_types: match random.below(8) {
            0 => vec![KeyType::Ecc.into()],
            1 => vec![KeyType::Rsa.into()],
            _ => vec![],
        },
        max_validity_days: [0, 0, 0, 1, 3][random.index(5)],
        certificates_may_outlive: Some(random.below(3) > 0),
        max_term_months: 0,
    }
}

pub(super) fn sold_term(term: &LicenseTerm) -> SoldTerm {
    let sold = term.options.clone().unwrap();
    let period = term.period.unwrap();
    let start = instant(term.bought_late_time.or(period.start_time));
    SoldTerm {
        start,
        end: instant(period.end_time),
        quotas: vec![(start, term.sold_quota)],
        multiplier: sold.wildcard_multiplier.into(),
        wildcards_allowed: sold.wildcards_allowed,
        key_types: sold.key_types,
        max_validity_days: sold.max_validity_days.into(),
        may_outlive: sold.certificates_may_outlive.unwrap(),
    }
}

/// A canonical SAN as the oracle's name.
pub(super) fn name_of(san: &San) -> Name {
    (san.r#type, san.value.clone())
}

#[track_caller]
pub(super) fn shown_usage(usage: &Usage) -> ExpectedUsage {
    let counts = usage.by_type.unwrap_or_default();
    let by_type = [counts.dns, counts.ip, counts.email, counts.upn];
    assert_eq!(usage.distinct_sans, by_type.iter().sum::<i64>());
    ExpectedUsage {
        quota: usage.quota,
        used: usage.used,
        reserved: usage.reserved,
        free: usage.free,
        by_type,
        wildcards: usage.wildcards,
    }
}

pub(super) fn shown_day(day: &DailyUsage) -> ExpectedDay {
    ExpectedDay {
        quota: day.quota,
        used: day.used,
        distinct: day.distinct_sans,
        peak: day.peak_used,
        peak_time: instant(day.peak_time),
    }
}
