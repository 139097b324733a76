//! The certificates of an order: reissue, recording, superseding, revocation (MD-7, MD-9, X-8, SL-19).

use chrono::TimeDelta;
use licet_domain::{clock::Instant, refusal::Reason, revocation::RevocationReason};

use super::{
    order::{Action, Certificate, CertificateState, Order},
    policy::{Domains, Reasons, accept_unless, because, shifted},
};

/// A certificate that the authority signed.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedCertificate {
    /// The domains that it carries.
    pub domains: Domains,
    /// Its common name.
    pub common_name: &'static str,
    /// A number that identifies its key.
    pub key: u8,
    /// Its first instant.
    pub not_before: Instant,
    /// Its last second.
    pub not_after: Instant,
}

impl SignedCertificate {
    fn expires(&self) -> Instant {
        shifted(self.not_after, TimeDelta::seconds(1))
    }
}

impl Order {
    /// The state of a certificate.
    pub fn certificate_state(&self, place: usize) -> CertificateState {
        let it = &self.certificates[place];
        if it.to_revoke {
            CertificateState::ToRevoke
        } else if it.revoked.is_some_and(|time| time <= self.now) {
            CertificateState::Revoked
        } else if it.expires <= self.now {
            CertificateState::Expired
        } else if it.is_superseded {
            CertificateState::Superseded
        } else {
            CertificateState::Active
        }
    }

    /// Whether a certificate can be used.
    pub fn is_usable(&self, place: usize) -> bool {
        let state = self.certificate_state(place);
        [CertificateState::Active, CertificateState::Superseded].contains(&state)
    }

    /// Whether a certificate can be recorded; after the deletion, any can.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn may_issue(&self, signed: &SignedCertificate) -> Result<(), Reasons> {
        if self.is_deleted {
            return Ok(());
        }
        self.may(Action::RecordIssuance)?;
        if self.pending_since().is_none() {
            return Err(because(Reason::IssuanceNotPending));
        }
        let (policy, expires) = (&self.term().policy, signed.expires());
        let limit = policy.validity_limit(signed.not_before);
        let fits = signed.domains == self.wanted()
            && signed.common_name == self.wanted_common_name()
            && self.key.is_none_or(|key| key == signed.key)
            && limit.is_none_or(|limit| expires <= shifted(signed.not_before, limit))
            && expires <= shifted(self.end_for_wanted(), policy.tolerance())
            && expires > self.now;
        match fits {
            true => Ok(()),
            false => Err(because(Reason::CertificateMismatch)),
        }
    }

    /// The end of the last term that covers every domain of the next certificate.
    fn end_for_wanted(&self) -> Instant {
        let covering = self.next_term().filter(|_| {
            let domains = self.wanted_in(self.running + 1);
            self.wanted().is_subset(&domains)
        });
        covering.unwrap_or(self.term()).end
    }

    /// The latest notAfter that a certificate signed now may have (MD-9).
    pub fn longest_not_after(&self) -> Instant {
        let policy = &self.term().policy;
        let by_term = shifted(self.end_for_wanted(), policy.tolerance());
        let by_limit = policy.validity_limit(self.now);
        let by_limit = by_limit.map_or(by_term, |limit| shifted(self.now, limit));
        shifted(by_term.min(by_limit), -TimeDelta::seconds(1))
    }

    /// Records a certificate, which supersedes earlier ones (MD-7, X-8).
    pub fn issue(&mut self, signed: &SignedCertificate) {
        let now = self.now;
        if !self.is_deleted {
            let from = now.max(signed.not_before);
            let hours = self.term().policy.superseded_hours;
            let revoked = hours.map(|hours| shifted(from, TimeDelta::hours(hours)));
            for place in 0..self.certificates.len() {
                let state = self.certificate_state(place);
                let it = &mut self.certificates[place];
                if state == CertificateState::Superseded {
                    // Without a time of revocation it is never revoked.
                    it.revoked = it
                        .revoked
                        .map(|time| revoked.map_or(time, |new| time.min(new)));
                } else if state == CertificateState::Active {
                    it.is_superseded = true;
                    it.revoked = revoked;
                }
            }
            self.make_change();
            self.terms[self.running].first_issued.get_or_insert(now);
            self.reissue_since = None;
            self.is_issued = true;
            self.revision += 1;
        }
        self.certificates.push(Certificate {
            recorded: now,
            expires: signed.expires(),
            is_superseded: false,
            revoked: self.is_deleted.then_some(now),
            reason: None,
            to_revoke: self.is_deleted,
        });
    }

    /// Whether a reissue can be requested, with a signing request for these domains and a key of this many
    /// bits (MD-7).
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn may_reissue(&self, signing_request: Option<(&Domains, u32)>) -> Result<(), Reasons> {
        self.may(Action::RequestReissue)?;
        if self.change.is_some() {
            return Err(because(Reason::ChangeInProgress));
        }
        let mut objections = Reasons::new();
        if let Some((domains, bits)) = signing_request {
            if !domains.is_empty() && *domains != self.wanted() {
                objections.insert(Reason::CsrMismatch);
            }
            if bits < 256 {
                objections.insert(Reason::CsrKeyWeak);
            }
        }
        accept_unless(objections)
    }

    /// Requests a reissue, for this key if one is given (MD-7).
    pub fn reissue(&mut self, key: Option<u8>) {
        let before = (self.reissue_since, self.key);
        if self.pending_since().is_none() {
            self.reissue_since = Some(self.now);
        }
        self.key = key.or(self.key);
        self.revision += i64::from(before != (self.reissue_since, self.key));
    }

    /// Whether a certificate can be revoked, and a reissue requested with it. After its order's deletion only
    /// the authority can report on it.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn may_revoke(
        &self,
        place: usize,
        by_authority: bool,
        reissue: bool,
    ) -> Result<(), Reasons> {
        self.may(Action::RevokeCertificate)?;
        let is_awaited = self.certificates[place].to_revoke && by_authority;
        if !self.is_usable(place) && !is_awaited {
            return Err(because(Reason::CertificateNotRevocable));
        }
        match reissue {
            true => self.may_reissue(None),
            false => Ok(()),
        }
    }

    /// Revokes a certificate now. One that was revoked with its order keeps that time, and its reason unless
    /// another one is given (SL-19, X-8).
    pub fn revoke(&mut self, place: usize, reason: RevocationReason) {
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
