//! The part of the model that knows certificates: which is recorded, what becomes of those before
//! it, and which can be revoked (MD-7, MD-9, X-8, SL-19).

use chrono::TimeDelta;
use licet_domain::{clock::Instant, refusal::Reason, revocation::RevocationReason};

use super::model::{Certificate, Model, Names, Paper, Why, after, why};
use crate::rules::{
    certificate::CertificateState, permission::Action, product::SupersededHandling,
};

/// MD-9: in days, for a certificate that begins then.
pub(super) fn public_limit_days(not_before: Instant) -> i64 {
    let from = |text: &str| not_before >= text.parse().unwrap();
    if from("2029-03-15T00:00:00Z") {
        47
    } else if from("2027-03-15T00:00:00Z") {
        100
    } else if from("2026-03-15T00:00:00Z") {
        200
    } else {
        398
    }
}

impl Model {
    pub(super) fn may_issue(&self, paper: &Paper) -> Result<(), Why> {
        if self.is_deleted {
            return Ok(());
        }
        self.may(Action::RecordIssuance)?;
        if self.pending_since().is_none() {
            return Err(why(Reason::IssuanceNotPending));
        }
        let product = &self.term().product;
        let active_until = after(paper.not_after, TimeDelta::seconds(1));
        let validity_us = paper.not_before.micros_until(active_until);
        let limit_us = public_limit_days(paper.not_before) * 86_400_000_000;
        let tolerance = TimeDelta::hours(i64::from(product.tolerance_hours));
        let fits = paper.names == self.wanted()
            && paper.common_name == self.wanted_common_name()
            && self.key.is_none_or(|key| key == paper.key)
            && (!product.publicly_trusted || validity_us <= limit_us)
            && active_until <= after(self.end_for_wanted(), tolerance)
            && active_until > self.now;
        match fits {
            true => Ok(()),
            false => Err(why(Reason::CertificateMismatch)),
        }
    }

    /// The end of the last term that was bought for all names that a certificate is to carry now.
    fn end_for_wanted(&self) -> Instant {
        let Some(next) = self.next_term() else {
            return self.term().end;
        };
        let names = match &self.change {
            Some(change) if change.waits => self.names_after(self.running + 1),
            _ => self.names_now(self.running + 1),
        };
        match self.wanted().is_subset(&names) {
            true => next.end,
            false => self.term().end,
        }
    }

    /// The latest notAfter of a certificate signed now (MD-9).
    pub(super) fn longest_not_after(&self) -> Instant {
        let product = &self.term().product;
        let tolerance = TimeDelta::hours(i64::from(product.tolerance_hours));
        let mut until = after(self.end_for_wanted(), tolerance);
        if product.publicly_trusted {
            let limit = TimeDelta::days(public_limit_days(self.now));
            until = until.min(after(self.now, limit));
        }
        after(until, -TimeDelta::seconds(1))
    }

    /// A certificate is recorded (MD-7, X-8).
    pub(super) fn issue(&mut self, paper: &Paper) {
        let recorded = Certificate {
            recorded: self.now,
            not_after: paper.not_after,
            is_superseded: false,
            revoked: self.is_deleted.then_some(self.now),
            reason: None,
            to_revoke: self.is_deleted,
        };
        if self.is_deleted {
            self.certificates.push(recorded);
            return;
        }
        let revoked = match self.term().product.superseded {
            SupersededHandling::RevokedAfterHours(hours) => {
                let from = self.now.max(paper.not_before);
                Some(after(from, TimeDelta::hours(i64::from(hours))))
            }
            SupersededHandling::NeverRevoked => None,
        };
        for place in 0..self.certificates.len() {
            if self.certificate_state(place) == CertificateState::Superseded {
                let it = &mut self.certificates[place];
                let sooner = it.revoked.zip(revoked);
                it.revoked = sooner.map(|(a, b)| a.min(b)).or(it.revoked);
            }
            if self.certificate_state(place) == CertificateState::Active {
                self.certificates[place].is_superseded = true;
                self.certificates[place].revoked = revoked;
            }
        }
        self.certificates.push(recorded);
        self.make_change();
        let now = self.now;
        self.terms[self.running].first_issued.get_or_insert(now);
        self.reissue_since = None;
        self.is_issued = true;
        self.moves += 1;
    }

    pub(super) fn certificate_state(&self, place: usize) -> CertificateState {
        let it = &self.certificates[place];
        if it.to_revoke {
            CertificateState::ToRevoke
        } else if it.revoked.is_some_and(|time| time <= self.now) {
            CertificateState::Revoked
        } else if after(it.not_after, TimeDelta::seconds(1)) <= self.now {
            CertificateState::Expired
        } else if it.is_superseded {
            CertificateState::Superseded
        } else {
            CertificateState::Active
        }
    }

    /// Why another certificate may not be asked for, with a signing request for these names by a
    /// key of so many bits (MD-7).
    pub(super) fn may_reissue(&self, request: Option<(&Names, u32)>) -> Result<(), Why> {
        self.may(Action::RequestReissue)?;
        if self.change.is_some() {
            return Err(why(Reason::ChangeInProgress));
        }
        let mut objections = Why::new();
        if let Some((names, bits)) = request {
            if !names.is_empty() && *names != self.wanted() {
                objections.insert(Reason::CsrMismatch);
            }
            if bits < 256 {
                objections.insert(Reason::CsrKeyWeak);
            }
        }
        match objections.is_empty() {
            true => Ok(()),
            false => Err(objections),
        }
    }

    /// Another certificate is asked for, maybe with a key of its own (MD-7).
    pub(super) fn reissue(&mut self, key: Option<u8>) {
        let before = (self.reissue_since, self.key);
        if self.pending_since().is_none() {
            self.reissue_since = Some(self.now);
        }
        self.key = key.or(self.key);
        self.moves += u64::from(before != (self.reissue_since, self.key));
    }

    pub(super) fn may_revoke(
        &self,
        place: usize,
        by_authority: bool,
        reissue: bool,
    ) -> Result<(), Why> {
        self.may(Action::RevokeCertificate)?;
        let is_open = match self.certificate_state(place) {
            CertificateState::Active | CertificateState::Superseded => true,
            CertificateState::ToRevoke => by_authority,
            CertificateState::Revoked | CertificateState::Expired => false,
        };
        if !is_open {
            return Err(why(Reason::CertificateNotRevocable));
        }
        match reissue {
            true => self.may_reissue(None),
            false => Ok(()),
        }
    }

    /// It counts as revoked from now on; one that did so with its order keeps the instant, and the
    /// reason unless another is given (SL-19, X-8).
    pub(super) fn revoke(&mut self, place: usize, reason: RevocationReason) {
        let found = &mut self.certificates[place];
        let keeps = found.to_revoke && reason == RevocationReason::Unspecified;
        found.reason = Some(match keeps {
            true => RevocationReason::CessationOfOperation,
            false => reason,
        });
        if !found.to_revoke {
            found.revoked = Some(self.now);
        }
        found.to_revoke = false;
    }
}
