//! Steps of a random history that request an authorisation (SL-12) or wait until a denied request fits.

use licet_contracts::sanlicensing::v1::{
    AuthorizationDecision, AuthorizeIssuanceRequest, AuthorizeIssuanceResponse,
};
use licet_domain::clock::Instant;
use licet_oracle::licenses::authorization::{ExpectedDecision, IssuanceQuestion, Shortage};

use super::{BTreeSet, History, alerts};
use crate::harness::{
    clock::{instant, shifted},
    errors::refused,
    request_id,
};

impl History<'_> {
    /// Moves the clock. If a term starts meanwhile, waits for the alerts of its start.
    pub(super) async fn move_to(&mut self, time: Instant) {
        let now = self.world.now();
        self.world.time.move_to(time);
        if self.model.pass(now, time) {
            self.world.catch_up().await;
            alerts::compare(self.world, &self.license, &self.model).await;
        }
    }

    /// Requests an authorisation and compares the decision with the model.
    pub(super) async fn ask(
        &mut self,
        question: IssuanceQuestion,
        request: AuthorizeIssuanceRequest,
    ) -> usize {
        let now = self.world.now();
        println!("    asks for {question:?}");
        let answer = self.issuance().authorize_issuance(request.clone()).await;
        if question.not_after <= now {
            let refusal = refused(answer);
            let paths: BTreeSet<_> = refusal.paths().into_iter().collect();
            assert!(paths.iter().eq(&["not_after_time"]), "{refusal:?}");
            return 1;
        }
        let answer = answer.unwrap().into_inner();
        let expected = self.model.decide(&question, now);
        self.check_decision(&answer, &expected, now);
        if expected.reasons.is_empty() {
            let id = answer.reservation_id.clone();
            let reservation = question.reservation(id, now);
            assert_eq!(instant(answer.expire_time), reservation.expires);
            self.model.reservations.push(reservation);
        }
        self.asked.push((question, request, answer));
        usize::from(!expected.reasons.is_empty())
    }

    /// Repeats a denied request at the instant from which it fits, and a microsecond earlier: it must be
    /// denied, then granted (SL-12).
    pub(super) async fn wait_to_fit(&mut self) -> usize {
        let now = self.world.now();
        let asked =
            self.asked.iter().rev().find(|(question, _, answer)| {
                answer.fits_time.is_some() && now < question.not_after
            });
        let Some((question, request, _)) = asked.cloned() else {
            return 10;
        };
        let again = || AuthorizeIssuanceRequest {
            request_id: request_id(),
            ..request.clone()
        };
        // Usage may have changed since the denial.
        self.ask(question.clone(), again()).await;
        let last = self.asked.last().unwrap();
        let Some(fits) = last.2.fits_time.map(|time| instant(Some(time))) else {
            return 10;
        };
        for (at, expected) in [(shifted(fits, -1), 1), (fits, 0)] {
            println!("    waits until {at}");
            self.move_to(at).await;
            assert_eq!(self.ask(question.clone(), again()).await, expected);
        }
        10
    }

    #[track_caller]
    fn check_decision(
        &self,
        answer: &AuthorizeIssuanceResponse,
        expected: &ExpectedDecision,
        now: Instant,
    ) {
        let reasons = answer.reasons().map(|reason| {
            let word = reason.as_str_name();
            word.trim_start_matches("DENIAL_REASON_")
        });
        let found = ExpectedDecision {
            reasons: reasons.collect(),
            quota: answer.quota,
            used: answer.used,
            reserved: answer.reserved,
            needed: answer.needed,
            short_by: answer.short_by,
            fits: answer.fits_time.map(|time| instant(Some(time))),
            latest_not_after: answer.latest_not_after_time.map(|time| instant(Some(time))),
            next: answer.next_term.map(|next| Shortage {
                start: instant(next.start_time),
                quota: next.quota,
                held: next.held,
                needed: next.needed,
                short_by: next.short_by,
            }),
        };
        assert_eq!(&found, expected, "{:#?}", self.model);
        assert_eq!(answer.reasons.len(), expected.reasons.len(), "{answer:?}");
        let decision = match expected.reasons.is_empty() {
            true => AuthorizationDecision::Granted,
            false => AuthorizationDecision::Denied,
        };
        assert_eq!(answer.decision(), decision);
        assert_eq!(instant(answer.decision_time), now);
    }
}
