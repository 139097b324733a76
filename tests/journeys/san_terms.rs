//! Steps of a random history that raise the licence's quota, buy a further term or cancel the licence.

use licet_contracts::sanlicensing::v1::{
    RenewLicenseRequest, license_service_client::LicenseServiceClient,
};
use licet_domain::clock::Instant;
use tonic::Code;

use super::{
    san_histories::History,
    san_shown::{options, sold_term},
};
use crate::harness::{
    clock::shifted,
    errors::refused,
    san::increase_request,
    san_life::{cancel_request, late_request},
};

impl History<'_> {
    pub(super) async fn increase(&mut self) -> usize {
        let now = self.world.now();
        let present = self.model.term_at(now).quota();
        let quota = present + i64::try_from(self.random.below(3)).unwrap();
        let request = increase_request(&self.license, quota);
        println!("    increases to {quota}");
        let answer = LicenseServiceClient::new(self.channel())
            .increase_quota(request)
            .await;
        if !self.model.runs(now) {
            refused(answer).expect(Code::FailedPrecondition, "LICENSE_NOT_ACTIVE");
        } else if quota == present {
            refused(answer).expect(Code::FailedPrecondition, "QUOTA_NOT_HIGHER");
        } else {
            assert_eq!(answer.unwrap().into_inner().license.unwrap().quota, quota);
            self.model.increase(quota, now);
        }
        5
    }

    /// Buys a further month, sometimes late.
    pub(super) async fn renew(&mut self) -> usize {
        let now = self.world.now();
        if self.is_stray {
            // Other tests cover certificates without a licence (SL-16).
            return 8;
        }
        let request = RenewLicenseRequest {
            term_months: 1,
            options: (self.random.below(2) == 0).then(|| options(&mut self.random)),
            accept_over_quota: self.random.below(3) == 0,
            ..late_request(
                &self.license,
                2 + i64::try_from(self.random.below(10)).unwrap(),
            )
        };
        println!("    renews by {request:?}");
        let expected = self.refusal_of(&request, now);
        let answer = LicenseServiceClient::new(self.channel())
            .renew_license(request)
            .await;
        if let Some(reason) = expected {
            refused(answer).expect(Code::FailedPrecondition, reason);
            return 8;
        }
        let term = sold_term(&answer.unwrap().into_inner().term.unwrap());
        assert_eq!(term.start, self.model.end().max(now));
        self.model.terms.push(term);
        8
    }

    /// The reason why a renewal must be refused.
    fn refusal_of(&self, request: &RenewLicenseRequest, now: Instant) -> Option<&'static str> {
        let model = &self.model;
        let (end, window) = (model.end(), 30 * 86_400_000_000);
        let months = u32::try_from(model.terms.len()).unwrap() + 1;
        let new_end = model.start().checked_add_months(months).unwrap();
        if model.cancelled.is_some() {
            return Some("LICENSE_NOT_ACTIVE");
        }
        if now < end && model.next_term(now).is_some() {
            return Some("RENEWAL_ALREADY_BOUGHT");
        }
        if now < shifted(end, -window) {
            return Some("RENEWAL_TOO_EARLY");
        }
        if shifted(end, window) <= now {
            return Some("RENEWAL_TOO_LATE");
        }
        if new_end <= now {
            return Some("TERM_ENDED");
        }
        let before = model.terms.last().unwrap().multiplier;
        let given = request.options.as_ref();
        let multiplier = given.map_or(before, |given| given.wildcard_multiplier.into());
        let is_over = model.foreseen(end.max(now), multiplier) > request.quota;
        (is_over && !request.accept_over_quota).then_some("FORESEEN_USAGE_EXCEEDS_QUOTA")
    }

    pub(super) async fn cancel(&mut self) -> usize {
        let now = self.world.now();
        println!("    cancels");
        let request = cancel_request(&self.license);
        let answer = LicenseServiceClient::new(self.channel())
            .cancel_license(request)
            .await;
        if self.model.runs(now) {
            answer.unwrap();
            self.model.cancel(now);
        } else {
            refused(answer).expect(Code::FailedPrecondition, "LICENSE_NOT_ACTIVE");
        }
        9
    }
}
