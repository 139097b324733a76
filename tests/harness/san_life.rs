//! Requests to renew a SAN licence, to add products, and to end it.

use licet_contracts::sanlicensing::v1::{
    AddProductRequest, AddProductResponse, CancelLicenseRequest, License, LicenseOptions,
    LicenseTerm, RenewLicenseRequest, RenewLicenseResponse, WithdrawQuoteRequest,
};
use licet_domain::clock::Instant;

use super::{clock::instant, request_id, world::World};

pub(crate) fn renew_request(license: &License, quota: i64) -> RenewLicenseRequest {
    RenewLicenseRequest {
        license_id: license.license_id.clone(),
        quota,
        term_months: 12,
        request_id: request_id(),
        ..RenewLicenseRequest::default()
    }
}

/// A late renewal, with a reason for the exception.
pub(crate) fn late_request(license: &License, quota: i64) -> RenewLicenseRequest {
    RenewLicenseRequest {
        late_exception: "the order was lost in the post".to_owned(),
        ..renew_request(license, quota)
    }
}

pub(crate) fn withdraw_request(license: &License) -> WithdrawQuoteRequest {
    WithdrawQuoteRequest {
        license_id: license.license_id.clone(),
        validate_only: false,
        request_id: request_id(),
    }
}

pub(crate) fn add_request(license: &License, product_id: &str) -> AddProductRequest {
    AddProductRequest {
        license_id: license.license_id.clone(),
        product_id: product_id.to_owned(),
        validate_only: false,
        request_id: request_id(),
    }
}

pub(crate) fn cancel_request(license: &License) -> CancelLicenseRequest {
    CancelLicenseRequest {
        license_id: license.license_id.clone(),
        reason: "moved to another authority".to_owned(),
        validate_only: false,
        request_id: request_id(),
    }
}

/// Options with this wildcard weight.
pub(crate) fn wildcards_of(multiplier: i32) -> LicenseOptions {
    LicenseOptions {
        wildcards_allowed: true,
        wildcard_multiplier: multiplier,
        ..LicenseOptions::default()
    }
}

/// The start and end of a term.
pub(crate) fn span(term: Option<&LicenseTerm>) -> (Instant, Instant) {
    let period = term.unwrap().period.unwrap();
    (instant(period.start_time), instant(period.end_time))
}

/// The end of the licence's term.
pub(crate) fn end(license: &License) -> Instant {
    span(license.term.as_ref()).1
}

impl World {
    pub(crate) async fn renewed(&self, request: RenewLicenseRequest) -> RenewLicenseResponse {
        let answer = self.san_licenses().renew_license(request).await;
        answer.unwrap().into_inner()
    }

    pub(crate) async fn added(&self, license: &License, product_id: &str) -> AddProductResponse {
        let request = add_request(license, product_id);
        let answer = self.san_licenses().add_product(request).await;
        answer.unwrap().into_inner()
    }

    pub(crate) async fn cancelled(&self, license: &License) -> License {
        let request = cancel_request(license);
        let answer = self.san_licenses().cancel_license(request).await;
        answer.unwrap().into_inner().license.unwrap()
    }

    /// Moves the clock to `days` times 24 h before the end of the licence's term.
    pub(crate) fn move_before_end(&self, license: &License, days: i64) {
        let before = chrono::TimeDelta::days(days);
        self.time
            .move_to(end(license).checked_add(-before).unwrap());
    }
}
