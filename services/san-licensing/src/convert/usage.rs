//! Usage of a licence, and its distinct SANs (SL-1, SL-17, SL-18).

use licet_contracts::sanlicensing::v1 as wire;
use licet_domain::{case::folded, clock::Instant, ids::LicenseId};
use licet_runtime::{
    fault::Fault,
    field::{Field, Fields},
    wire::{decode_time, encode_period, encode_time},
};
use prost_types::Timestamp;

use super::{san, weight::encode_weight};
use crate::rules::{
    counting::{DayUsage, Days, days_of},
    filters::{SanFilter, UniqueSan},
    packed_san::is_wildcard,
    quota::usage::Usage,
};

/// The longest prefix, in characters.
const MAX_PREFIX: usize = 1000;

/// Decodes GetUsage: the licence, and the instant if it is not now.
pub(crate) fn decode_get(
    message: &wire::GetUsageRequest,
) -> Result<(LicenseId, Option<Instant>), Fault> {
    let mut fields = Fields::new();
    let license_id = fields.required("license_id", &message.license_id);
    let as_of = fields.optional_message("as_of_time", message.as_of_time.as_ref(), decode_time);
    fields.build(|| Ok((license_id?, as_of?)))
}

/// Encodes a usage.
pub(crate) fn encode(usage: &Usage) -> wire::Usage {
    let counts = usage.counts;
    let quota = encode_weight(usage.quota);
    let used = encode_weight(usage.used);
    let reserved = encode_weight(usage.reserved);
    wire::Usage {
        license_id: usage.license_id.to_string(),
        as_of_time: Some(encode_time(usage.as_of)),
        quota,
        used,
        reserved,
        free: quota.saturating_sub(used).saturating_sub(reserved),
        distinct_sans: encode_weight(counts.distinct()),
        by_type: Some(wire::SanCounts {
            dns: encode_weight(counts.dns_names),
            ip: encode_weight(counts.ip_addresses),
            email: encode_weight(counts.rfc822_names),
            upn: encode_weight(counts.upns),
        }),
        wildcards: encode_weight(counts.wildcards),
        next_returns: usage
            .next_returns
            .iter()
            .map(|(at, weight)| wire::NextReturn {
                return_time: Some(encode_time(*at)),
                weight: encode_weight(*weight),
            })
            .collect(),
        version: usage.version,
    }
}

/// The most days of one list, over all pages: a hundred years.
const MAX_DAYS: i64 = 36_525;

/// Decodes ListDailyUsage: the licence, and the days if they are not the default.
pub(crate) fn decode_list_daily(
    message: &wire::ListDailyUsageRequest,
) -> Result<(LicenseId, Option<Days>), Fault> {
    let mut fields = Fields::new();
    let license_id = fields.required("license_id", &message.license_id);
    let days = match &message.period {
        None => Ok(None),
        Some(period) => fields.period("period", period).and_then(|period| {
            match days_of(period).filter(|days| days.count() <= MAX_DAYS) {
                Some(days) => Ok(Some(days)),
                None => Err(fields.note("period", "must not touch more than 36525 days")),
            }
        }),
    };
    fields.build(|| Ok((license_id?, days?)))
}

/// Encodes a day with the quota at its end. `now` tells past from forecast.
pub(crate) fn encode_day(usage: &DayUsage, quota: u64, now: Instant) -> wire::DailyUsage {
    let kind = if usage.day.end <= now {
        wire::DayKind::Past
    } else if usage.day.start <= now {
        wire::DayKind::Today
    } else {
        wire::DayKind::Forecast
    };
    wire::DailyUsage {
        day: Some(encode_period(usage.day)),
        kind: kind.into(),
        quota: encode_weight(quota),
        used: encode_weight(usage.used),
        distinct_sans: encode_weight(usage.distinct),
        peak_used: encode_weight(usage.peak),
        peak_time: Some(encode_time(usage.peak_time)),
    }
}

/// Decodes the filter of ListUniqueSans.
pub(crate) fn decode_unique_sans(
    message: &wire::ListUniqueSansRequest,
) -> Result<SanFilter, Fault> {
    let mut fields = Fields::new();
    let license_id = fields.required("license_id", &message.license_id);
    let kind = san::decode_kind(message.r#type).map_err(|error| fields.note("type", error));
    let is_short = message.prefix.chars().nth(MAX_PREFIX).is_none();
    fields.check("prefix", is_short, "must have at most 1000 characters");
    let is_plain = !message.prefix.chars().any(char::is_control);
    fields.check("prefix", is_plain, "must not contain control characters");
    let until_before = decode_until_before(&mut fields, message.until_before_time.as_ref());
    fields.build(|| {
        Ok(SanFilter {
            license_id: license_id?,
            kind: kind?,
            prefix: folded(&message.prefix),
            until_before: until_before?,
        })
    })
}

/// Decodes the instant before which listed items must cease to count (SL-18).
pub(super) fn decode_until_before(
    fields: &mut Fields,
    time: Option<&Timestamp>,
) -> Field<Option<Instant>> {
    fields.optional_message("until_before_time", time, decode_time)
}

/// Encodes a distinct SAN, weighed by the licence's multiplier (SL-3).
pub(crate) fn encode_unique_san(found: &UniqueSan, wildcard_multiplier: u32) -> wire::UniqueSan {
    let is_wildcard = is_wildcard(&found.san);
    wire::UniqueSan {
        san: san::encode(&found.san),
        weight: if is_wildcard {
            wildcard_multiplier.into()
        } else {
            1
        },
        until_time: Some(encode_time(found.until)),
        certificate_count: encode_weight(found.certificates),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::counting::SanCounts;

    /// SL-21: recording is never refused, so `free` may be negative.
    #[test]
    fn sl_21_a_license_over_its_quota_has_less_than_nothing_free() {
        let usage = Usage {
            license_id: LicenseId::generate(),
            as_of: Instant::from_micros(0).unwrap(),
            quota: 10,
            used: 11,
            reserved: 2,
            counts: SanCounts {
                dns_names: 3,
                wildcards: 2,
                ..SanCounts::default()
            },
            next_returns: vec![],
            version: 4,
        };
        let encoded = encode(&usage);
        assert_eq!((encoded.free, encoded.distinct_sans), (-3, 3));
    }

    /// SL-3: a wildcard weighs the licence's multiplier.
    #[test]
    fn sl_3_a_wildcard_weighs_the_multiplier() {
        let weight = |name: &str| {
            let found = UniqueSan {
                san: name.into(),
                until: Instant::from_micros(1).unwrap(),
                certificates: 1,
            };
            encode_unique_san(&found, 7).weight
        };
        assert_eq!((weight("d:*.example.com"), weight("d:example.com")), (7, 1));
    }
}
