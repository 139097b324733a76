//! The steps of a history about certificates: asked for, recorded and revoked (MD-7, MD-9, X-8).

use licet_domain::{
    certificate::{KeyKind, ParsedCertificate, ParsedRequest, PublicKey},
    clock::Instant,
    ids::CertificateId,
    revocation::RevocationReason,
};
use licet_oracle::orders::{certificates::SignedCertificate, policy::Domains};

use super::{
    DOMAINS, Outcome, agree,
    asking::{DAY_US, Done, shifted},
    desk::{Desk, Dice, sans},
};
use crate::rules::{
    certificate::{Certificate, CertificateState},
    issuance::{check_certificate, require_pending_issuance, superseded_revoke_time},
    order::SigningRequest,
    permission::{Action, permit},
    reissue::permit_reissue,
    revocation::apply_revocation,
    samples,
    servers::ServerState,
};

impl Desk {
    pub(super) fn request_reissue(&mut self, dice: &mut Dice) -> Done {
        self.lock_alone()?;
        let now = self.now();
        let has_csr = dice.once_in(2);
        let key = u8::try_from(dice.below(3)).unwrap();
        let (domains, bits) = match dice.below(6) {
            0 => (Domains::new(), 256),
            1 => (dice.domains(5), 256),
            2 => (self.model.wanted(), 192),
            _ => (self.model.wanted(), 256),
        };
        let request = has_csr.then(|| ParsedRequest {
            der: Vec::new(),
            subject: String::new(),
            common_name: None,
            sans: sans(&domains),
            key: PublicKey {
                kind: KeyKind::Ec,
                bits,
            },
            spki_sha256: [key; 32],
        });
        let foretold = self.model.may_reissue(has_csr.then_some((&domains, bits)));
        let permitted = permit(&self.order, Action::RequestReissue, now)
            .and_then(|()| permit_reissue(&self.order, request.as_ref()));
        agree(foretold, permitted)?;
        self.model.reissue(has_csr.then_some(key));
        let kept = request.map(|request| SigningRequest {
            pem: key.to_string(),
            spki_sha256: request.spki_sha256,
        });
        self.order = self.order.clone().apply_reissue(kept, now);
        Ok(())
    }

    /// A certificate that fits, or one that differs in some way, at the edge of its dates or not.
    fn some_certificate(&self, dice: &mut Dice) -> SignedCertificate {
        let model = &self.model;
        let whole = |instant: Instant| shifted(instant, -instant.as_micros().rem_euclid(1_000_000));
        let not_before = shifted(whole(self.now()), -i64::from(dice.below(2)) * 3_600_000_000);
        let policy = &model.term().policy;
        let tolerance = policy.tolerance_hours * 3_600_000_000;
        let limit = policy.validity_limit(not_before);
        let limit = limit.map_or(200 * DAY_US, |limit| limit.num_days() * DAY_US);
        let ends = [
            shifted(not_before, 90 * DAY_US - 1_000_000),
            model
                .longest_not_after()
                .min(shifted(not_before, 150 * DAY_US)),
            shifted(whole(model.end()), tolerance - 1_000_000),
            shifted(whole(model.end()), tolerance),
            shifted(whole(model.term().end), tolerance - 1_000_000),
            shifted(whole(model.term().end), tolerance),
            shifted(not_before, limit - 1_000_000),
            shifted(not_before, limit),
            shifted(not_before, 3_600_000_000 - 1_000_000),
        ];
        let mut signed = SignedCertificate {
            domains: model.wanted(),
            common_name: model.wanted_common_name(),
            key: model.key.unwrap_or(0),
            not_before,
            not_after: whole(ends[dice.index(16).saturating_sub(7)]),
        };
        match dice.below(16) {
            0 => signed.domains = dice.domains(4),
            1 => {
                signed.domains.pop_last();
            }
            2 => signed.common_name = dice.domain(),
            3 => signed.key += 1,
            _ => {}
        }
        signed
    }

    pub(super) fn issue(&mut self, dice: &mut Dice) -> Done {
        let signed = self.some_certificate(dice);
        // After the deletion nothing holds it up.
        if !self.model.is_deleted {
            self.lock_alone()?;
        }
        let now = self.now();
        let parsed = ParsedCertificate {
            der: Vec::new(),
            fingerprint_sha256: [0; 32],
            issuer_der: Vec::new(),
            issuer: String::new(),
            subject: String::new(),
            common_name: Some(signed.common_name.to_owned()),
            serial_hex: "1".to_owned(),
            sans: sans(&signed.domains),
            not_before: signed.not_before,
            not_after: signed.not_after,
            key: PublicKey {
                kind: KeyKind::Ec,
                bits: 256,
            },
            spki_sha256: [signed.key; 32],
            is_authority: false,
        };
        let checked = match self.order.delete_time {
            Some(_) => Ok(()),
            None => permit(&self.order, Action::RecordIssuance, now)
                .and_then(|()| require_pending_issuance(&self.order, now))
                .and_then(|()| check_certificate(&self.order, &parsed, now)),
        };
        let foretold = self.model.may_issue(&signed);
        agree(foretold, checked)?;
        self.model.issue(&signed);
        self.record(&parsed);
        Ok(())
    }

    /// As the store records it, which supersedes the active ones.
    fn record(&mut self, parsed: &ParsedCertificate) {
        let now = self.now();
        let is_deleted = self.order.delete_time.is_some();
        if !is_deleted {
            let revoke_time = superseded_revoke_time(&self.order, parsed.not_before, now);
            let replaced = self.certificates.iter_mut();
            let waits = |it: &&mut Certificate| it.state(now) == CertificateState::Superseded;
            for found in replaced.filter(waits) {
                let sooner = found.revoke_time.zip(revoke_time);
                found.revoke_time = sooner.map(|(a, b)| a.min(b)).or(found.revoke_time);
            }
            let stands = |it: &&mut Certificate| it.state(now) == CertificateState::Active;
            for found in self.certificates.iter_mut().filter(stands) {
                found.superseded_time = Some(now);
                found.revoke_time = revoke_time;
            }
        }
        self.certificates.push(Certificate {
            id: CertificateId::generate(),
            names: parsed.sans.clone(),
            not_before: parsed.not_before,
            not_after: parsed.not_after,
            record_time: now,
            revoke_time: is_deleted.then_some(now),
            to_revoke: is_deleted,
            ..samples::certificate(&[DOMAINS[0]])
        });
        let order = self.order.clone();
        self.order = match is_deleted {
            true => order.apply_decision(now),
            false => order.apply_issuance(now),
        };
        // The primary server follows a common name that moves.
        let servers = self.servers_now();
        for (server, now) in self.servers.iter_mut().zip(servers) {
            if now.state == ServerState::Registered {
                server.common_name.clone_from(&self.order.common_name);
            }
        }
    }

    pub(super) fn revoke(&mut self, dice: &mut Dice) -> Done {
        if self.certificates.is_empty() {
            return Err(Outcome::Idle);
        }
        let (by_authority, reissue) = (dice.once_in(3), dice.once_in(3));
        if reissue {
            self.lock_alone()?;
        }
        let (place, now) = (dice.index(self.certificates.len()), self.now());
        let reason = [
            RevocationReason::Unspecified,
            RevocationReason::KeyCompromise,
        ];
        let reason = reason[dice.index(2)];
        let foretold = self.model.may_revoke(place, by_authority, reissue);
        let order = self.order.clone().with_turns(now);
        let planned = permit(&order, Action::RevokeCertificate, now)
            .and_then(|()| {
                apply_revocation(self.certificates[place].clone(), reason, by_authority, now)
            })
            .and_then(|found| {
                if reissue {
                    permit(&order, Action::RequestReissue, now)?;
                    permit_reissue(&order, None)?;
                }
                Ok(found)
            });
        let ((), found) = agree(foretold, planned)?;
        self.model.revoke(place, reason);
        self.certificates[place] = found;
        if reissue {
            self.model.reissue(None);
            self.order = order.apply_reissue(None, now);
        } else {
            self.order = self.order.clone().apply_decision(now);
        }
        Ok(())
    }
}
