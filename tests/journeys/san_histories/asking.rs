//! SL-12: a question of a random history and its decision, held against the model; and what a denial
//! says of when it would be granted.

use licet_contracts::sanlicensing::v1::{
    AuthorizationDecision, AuthorizeIssuanceRequest, AuthorizeIssuanceResponse,
};
use licet_domain::clock::Instant;

use super::{
    super::san_model::{Expected, Question, Reservation, Shortage},
    BTreeSet, History,
};
use crate::harness::{
    clock::{instant, shifted},
    errors::refused,
    request_id,
};

impl History<'_> {
    /// Asks, and holds the decision against the model.
    pub(super) async fn ask(
        &mut self,
        question: Question,
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
            let expires = now.checked_add(question.hold).unwrap();
            assert_eq!(instant(answer.expire_time), expires);
            self.model.reservations.push(Reservation {
                id: answer.reservation_id.clone(),
                names: question.names.clone(),
                decided: now,
                expires,
                until: shifted(question.not_after, 1_000_000),
                closed: None,
                is_recorded: false,
            });
        }
        self.asked.push((question, request, answer));
        usize::from(!expected.reasons.is_empty())
    }

    /// Asks a denied question again, a microsecond before it is said to fit and then: denied still,
    /// then granted (SL-12).
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
        // What stands has changed since.
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
        expected: &Expected,
        now: Instant,
    ) {
        let mut reasons: Vec<_> = answer.reasons().collect();
        reasons.sort_unstable();
        let found = Expected {
            reasons,
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
        let decision = match expected.reasons.is_empty() {
            true => AuthorizationDecision::Granted,
            false => AuthorizationDecision::Denied,
        };
        assert_eq!(answer.decision(), decision);
        assert_eq!(instant(answer.decision_time), now);
    }
}
