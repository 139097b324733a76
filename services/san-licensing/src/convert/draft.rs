//! Drafts: decodes QuoteLicense with its options, and encodes the draft (SL-6, SL-7).

use std::collections::BTreeSet;

use licet_contracts::{sanlicensing::v1 as sanlicensing, types::v1 as types};
use licet_domain::{clock::Instant, ids::ProductId, money::Money};
use licet_runtime::{
    fault::Fault,
    field::{Field, Fields},
    wire::{decode_money, decode_time},
};

use super::{certificate::decode_key_type, license, weight::quota};
use crate::{
    rules::license::{KeyType, MAX_PRODUCTS, Options},
    use_cases::quote_license::{Draft, QuotedLicense, check_times},
};

/// Decodes a draft. If it is malformed, its times are checked as of `now` as well, to report all violations.
pub(crate) fn decode_quote(
    message: &sanlicensing::QuoteLicenseRequest,
    now: Instant,
) -> Result<Draft, Fault> {
    read_quote(message, None).or_else(|_| read_quote(message, Some(now)))
}

fn read_quote(
    message: &sanlicensing::QuoteLicenseRequest,
    check_at: Option<Instant>,
) -> Result<Draft, Fault> {
    let mut fields = Fields::new();
    let account_id = fields.required("account_id", &message.account_id);
    let products = products(&mut fields, &message.product_ids);
    let quota = quota(&mut fields, message.quota);
    let term_months = term_months(&mut fields, message.term_months);
    let default = sanlicensing::LicenseOptions::default();
    let options = options(&mut fields, message.options.as_ref().unwrap_or(&default));
    if let (Ok(months), Ok(options)) = (&term_months, &options) {
        check_length(&mut fields, *months, options);
    }
    let start = fields.optional_message("start_time", message.start_time.as_ref(), decode_time);
    let valid_until = fields.optional_message(
        "valid_until_time",
        message.valid_until_time.as_ref(),
        decode_time,
    );
    if let (Ok(start), Ok(valid_until), Some(now)) = (&start, &valid_until, check_at) {
        // Only for the violations.
        let _ = check_times(&mut fields, *start, *valid_until, now);
    }
    let hand_price = fields.optional_message("hand_price", message.hand_price.as_ref(), hand_price);
    fields.request_id(message);
    fields.build(|| {
        Ok(Draft {
            account_id: account_id?,
            products: products?,
            quota: quota?,
            term_months: term_months?,
            options: options?,
            start: start?,
            valid_until: valid_until?,
            hand_price: hand_price?,
        })
    })
}

/// Encodes a draft with its price.
pub(crate) fn encode_quoted(
    quoted: &QuotedLicense,
) -> Result<sanlicensing::QuoteLicenseResponse, Fault> {
    let view = &quoted.view;
    let license = if quoted.is_stored {
        license::encode(view)?
    } else {
        license::encode_preview(view)?
    };
    Ok(sanlicensing::QuoteLicenseResponse {
        license: Some(license),
        quote: Some(quoted.quote.message().clone()),
    })
}

/// Decodes the length of a term.
pub(super) fn term_months(fields: &mut Fields, months: i32) -> Field<u32> {
    match u32::try_from(months) {
        Ok(months) if months > 0 => Ok(months),
        Ok(_) | Err(_) => Err(fields.note("term_months", "must be at least 1")),
    }
}

/// Checks that a term is no longer than its options permit (SL-6).
pub(super) fn check_length(fields: &mut Fields, months: u32, options: &Options) {
    if let Some(longest) = options.longest_term_months {
        let description = format!("must not exceed options.max_term_months, {longest}");
        fields.check("term_months", months <= longest, &description);
    }
}

/// Decodes a price in place of the volume tiers (SL-7).
pub(super) fn hand_price(message: &types::Money) -> Result<Money, String> {
    let price = decode_money(message).map_err(|error| error.to_string())?;
    if price.minor() < 0 {
        return Err("must not be negative".to_owned());
    }
    Ok(price)
}

fn products(fields: &mut Fields, list: &[String]) -> Field<BTreeSet<ProductId>> {
    if list.is_empty() || list.len() > MAX_PRODUCTS {
        let description = format!("must have 1 to {MAX_PRODUCTS} elements");
        return Err(fields.note("product_ids", description));
    }
    let ids = fields.each("product_ids", list, |text| text.parse::<ProductId>())?;
    let mut distinct = BTreeSet::new();
    let mut repeated = None;
    for (index, id) in ids.into_iter().enumerate() {
        if distinct.contains(&id) {
            let noted = fields.note(format!("product_ids[{index}]"), format!("repeats {id}"));
            repeated.get_or_insert(noted);
        }
        distinct.insert(id);
    }
    repeated.map_or(Ok(distinct), Err)
}

/// Decodes the options of a term (SL-6).
pub(super) fn options(
    fields: &mut Fields,
    message: &sanlicensing::LicenseOptions,
) -> Field<Options> {
    let wildcard_multiplier = match u32::try_from(message.wildcard_multiplier) {
        Ok(0) => Ok(5),
        Ok(multiplier @ 1..=1000) => Ok(multiplier),
        Ok(_) | Err(_) => Err(fields.note("options.wildcard_multiplier", "must be 0 to 1000")),
    };
    let key_types = key_types(fields, &message.key_types);
    let longest_validity_days = limit(
        fields,
        "options.max_validity_days",
        message.max_validity_days,
        36_500,
    );
    let longest_term_months = limit(
        fields,
        "options.max_term_months",
        message.max_term_months,
        120,
    );
    Ok(Options {
        wildcards_allowed: message.wildcards_allowed,
        wildcard_multiplier: wildcard_multiplier?,
        key_types: key_types?,
        longest_validity_days: longest_validity_days?,
        may_outlive: message.certificates_may_outlive.unwrap_or(true),
        longest_term_months: longest_term_months?,
    })
}

fn key_types(fields: &mut Fields, list: &[i32]) -> Field<BTreeSet<KeyType>> {
    if list.is_empty() {
        return Ok(BTreeSet::from([KeyType::Rsa, KeyType::Ecc]));
    }
    let path = "options.key_types";
    let decoded = fields.each(path, list, |number| match decode_key_type(*number) {
        Ok(Some(key_type)) => Ok(key_type),
        Ok(None) | Err(_) => Err("is not a key type"),
    })?;
    let count = decoded.len();
    let distinct: BTreeSet<_> = decoded.into_iter().collect();
    if distinct.len() < count {
        return Err(fields.note(path, "must not repeat a key type"));
    }
    Ok(distinct)
}

/// Decodes a limit; 0 means no limit.
fn limit(fields: &mut Fields, path: &str, number: i32, most: u32) -> Field<Option<u32>> {
    match u32::try_from(number) {
        Ok(0) => Ok(None),
        Ok(number) if number <= most => Ok(Some(number)),
        Ok(_) | Err(_) => Err(fields.note(path, format!("must be 0 to {most}"))),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use licet_domain::ids::AccountId;
    use licet_runtime::wire::encode_time;

    use super::*;
    use crate::rules::samples::instant;

    const NOW: &str = "2026-02-02T00:00:00Z";

    fn request() -> sanlicensing::QuoteLicenseRequest {
        sanlicensing::QuoteLicenseRequest {
            account_id: AccountId::generate().to_string(),
            product_ids: vec!["intranet-dv".to_owned()],
            quota: 100,
            term_months: 12,
            validate_only: true,
            ..sanlicensing::QuoteLicenseRequest::default()
        }
    }

    #[test]
    fn sl_6_options_that_are_not_said_have_their_defaults() {
        let draft = decode_quote(&request(), instant(NOW)).unwrap();
        let expected = Options {
            wildcards_allowed: false,
            ..Options::default()
        };
        assert_eq!(draft.options, expected);
    }

    #[test]
    fn sl_6_all_that_is_wrong_is_said_at_once() {
        let wrong = sanlicensing::QuoteLicenseRequest {
            valid_until_time: Some(encode_time(instant(NOW))),
            product_ids: vec!["a".to_owned(), "a".to_owned()],
            quota: 1_000_000_001,
            options: Some(sanlicensing::LicenseOptions {
                wildcard_multiplier: 1001,
                key_types: vec![1, 1],
                max_validity_days: -1,
                max_term_months: 121,
                ..sanlicensing::LicenseOptions::default()
            }),
            ..request()
        };
        let Err(Fault::Invalid(violations)) = decode_quote(&wrong, instant(NOW)) else {
            panic!("it was read")
        };
        let paths: Vec<_> = violations.noted.iter().map(|v| v.field.as_str()).collect();
        let expected = [
            "product_ids[1]",
            "quota",
            "options.wildcard_multiplier",
            "options.key_types",
            "options.max_validity_days",
            "options.max_term_months",
            "valid_until_time",
        ];
        assert_eq!(paths, expected);
    }

    #[test]
    fn sl_6_a_term_above_the_longest_is_malformed() {
        let request = sanlicensing::QuoteLicenseRequest {
            options: Some(sanlicensing::LicenseOptions {
                max_term_months: 6,
                ..sanlicensing::LicenseOptions::default()
            }),
            ..request()
        };
        assert!(matches!(
            decode_quote(&request, instant(NOW)),
            Err(Fault::Invalid(_))
        ));
    }

    #[test]
    fn sl_7_a_draft_is_valid_for_30_days_or_until_90_days_ahead() {
        let now = instant(NOW);
        let mut draft = decode_quote(&request(), now).unwrap();
        let after = |days| now.checked_add(TimeDelta::days(days));
        assert_eq!(draft.valid_until(now).ok(), after(30));
        draft.valid_until = after(90);
        assert_eq!(draft.valid_until(now).ok(), after(90));
        let late = now.checked_add(TimeDelta::microseconds(-1)).unwrap();
        assert!(draft.valid_until(late).is_err());
        draft.valid_until = Some(now);
        assert!(draft.valid_until(now).is_err());
    }

    #[test]
    fn bl_2_a_start_that_is_over_is_no_malformed_request() {
        let now = instant(NOW);
        let request = sanlicensing::QuoteLicenseRequest {
            start_time: Some(encode_time(now)),
            ..request()
        };
        let later = now.checked_add(TimeDelta::microseconds(1)).unwrap();
        let draft = decode_quote(&request, later).unwrap();
        assert!(draft.valid_until(now).is_ok());
        assert!(draft.valid_until(later).is_err());
    }
}
