//! Renewals: decodes the request for a further term, and encodes the renewed licence (SL-9).

use licet_contracts::sanlicensing::v1 as sanlicensing;
use licet_runtime::{fault::Fault, field::Fields, wire::encode_time};

use super::{
    draft::{check_length, hand_price, options, term_months},
    license::{self, reason},
    weight::{encode_weight, quota},
};
use crate::{
    rules::renewal::{ForeseenUsage, WantedTerm},
    use_cases::renew_license::{RenewLicense, RenewedLicense},
};

/// Decodes a renewal.
pub(crate) fn decode_renew(
    message: &sanlicensing::RenewLicenseRequest,
) -> Result<RenewLicense, Fault> {
    let mut fields = Fields::new();
    let license_id = fields.required("license_id", &message.license_id);
    let quota = quota(&mut fields, message.quota);
    let months = term_months(&mut fields, message.term_months);
    let given = message.options.as_ref();
    let options = given.map(|given| options(&mut fields, given)).transpose();
    if let (Ok(months), Ok(Some(options))) = (&months, &options) {
        check_length(&mut fields, *months, options);
    }
    let hand_price = fields.optional_message("hand_price", message.hand_price.as_ref(), hand_price);
    let exception = reason(&mut fields, "late_exception", &message.late_exception);
    fields.request_id(message);
    fields.build(|| {
        Ok(RenewLicense {
            license_id: license_id?,
            wanted: WantedTerm {
                quota: quota?,
                months: months?,
                options: options?,
                late_exception: Some(exception?).filter(|text| !text.is_empty()),
            },
            hand_price: hand_price?,
            accept_over_quota: message.accept_over_quota,
        })
    })
}

/// Encodes a licence with its further term.
pub(crate) fn encode_renewed(
    renewal: &RenewedLicense,
) -> Result<sanlicensing::RenewLicenseResponse, Fault> {
    let bought = renewal.bought.as_ref();
    Ok(sanlicensing::RenewLicenseResponse {
        license: Some(license::encode(&renewal.view)?),
        quote: bought.map(|bought| bought.quote.message().clone()),
        term: bought.map(|bought| license::encode_term(&bought.term)),
        foreseen_usage: bought.map(|bought| encode_foreseen(&bought.foreseen)),
    })
}

fn encode_foreseen(foreseen: &ForeseenUsage) -> sanlicensing::ForeseenUsage {
    sanlicensing::ForeseenUsage {
        as_of_time: Some(encode_time(foreseen.at)),
        used: encode_weight(foreseen.weight),
        quota: encode_weight(foreseen.quota),
        over_by: encode_weight(foreseen.over_by()),
    }
}

#[cfg(test)]
mod tests {
    use licet_domain::ids::LicenseId;

    use super::*;

    fn request() -> sanlicensing::RenewLicenseRequest {
        sanlicensing::RenewLicenseRequest {
            license_id: LicenseId::generate().to_string(),
            quota: 100,
            term_months: 12,
            validate_only: true,
            ..sanlicensing::RenewLicenseRequest::default()
        }
    }

    #[test]
    fn sl_9_what_is_not_said_stays_as_it_was() {
        let blank = sanlicensing::RenewLicenseRequest {
            late_exception: "  ".to_owned(),
            ..request()
        };
        let renewal = decode_renew(&blank).unwrap();
        assert_eq!(renewal.wanted.options, None);
        assert_eq!(renewal.wanted.late_exception, None);
        let given = sanlicensing::RenewLicenseRequest {
            options: Some(sanlicensing::LicenseOptions::default()),
            late_exception: "lost".to_owned(),
            ..request()
        };
        let wanted = decode_renew(&given).unwrap().wanted;
        assert!(!wanted.options.unwrap().wildcards_allowed);
        assert_eq!(wanted.late_exception.as_deref(), Some("lost"));
    }

    #[test]
    fn sl_9_all_that_is_wrong_is_said_at_once() {
        let wrong = sanlicensing::RenewLicenseRequest {
            license_id: "lic".to_owned(),
            quota: 0,
            options: Some(sanlicensing::LicenseOptions {
                max_term_months: 6,
                ..sanlicensing::LicenseOptions::default()
            }),
            late_exception: "x".repeat(501),
            validate_only: false,
            ..request()
        };
        let Err(Fault::Invalid(violations)) = decode_renew(&wrong) else {
            panic!("it was read")
        };
        let paths: Vec<_> = violations.noted.iter().map(|v| v.field.as_str()).collect();
        let expected = [
            "license_id",
            "quota",
            "term_months",
            "late_exception",
            "request_id",
        ];
        assert_eq!(paths, expected);
    }
}
