//! Revoking one certificate: whether it is possible, and since when it counts as revoked (SL-19).
//! It counts from our record time, and an event tells the CA (T-6).

use licet_domain::{
    clock::Instant,
    ids::CertificateId,
    refusal::{Reason, Refusal},
    revocation::RevocationReason,
};

use super::{
    certificate::{Certificate, CertificateState},
    san_license::LicenseRevocation,
};

/// A revocation that was made in a SAN licence and reached Orders by an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReportedRevocation {
    /// The certificate's id in SanLicensing.
    pub(crate) san_certificate_id: CertificateId,
    pub(crate) reason: RevocationReason,
    /// When SanLicensing recorded it; shown only, nothing depends on it (T-6).
    pub(crate) san_revoke_time: Instant,
}

/// The certificate, revoked at `now` for this reason. If the CA reports one that its order's
/// deletion revoked, an unspecified reason leaves the reason that it has.
pub(crate) fn apply_revocation(
    found: Certificate,
    reason: RevocationReason,
    by_authority: bool,
    now: Instant,
) -> Result<Certificate, Refusal> {
    let revoke_time = plan_revocation(&found, by_authority, now)?;
    let reason = if found.to_revoke && reason == RevocationReason::Unspecified {
        LicenseRevocation::reason_of(&found)
    } else {
        reason
    };
    Ok(Certificate {
        revoke_time: Some(revoke_time),
        revoke_reason: Some(reason),
        to_revoke: false,
        ..found
    })
}

/// Decides since when a certificate revoked at `now` counts as revoked. A superseded one that was
/// to be revoked later is revoked now. One whose order is deleted counts as revoked since then;
/// only the CA can report it as revoked, `by_authority`.
fn plan_revocation(
    found: &Certificate,
    by_authority: bool,
    now: Instant,
) -> Result<Instant, Refusal> {
    let (state, why) = match found.state(now) {
        CertificateState::Active | CertificateState::Superseded => return Ok(now),
        CertificateState::ToRevoke if by_authority => {
            return Ok(found.revoke_time.unwrap_or(now));
        }
        CertificateState::ToRevoke => (
            "TO_REVOKE",
            "counts as revoked since its order was deleted, and the certificate authority has been \
             told to revoke it"
                .to_owned(),
        ),
        CertificateState::Revoked => ("REVOKED", "is already revoked".to_owned()),
        CertificateState::Expired => ("EXPIRED", format!("expired after {}", found.not_after)),
    };
    let message = format!("certificate {} {why}: there is nothing to revoke", found.id);
    let mut refusal = Refusal::new(Reason::CertificateNotRevocable, &message)
        .with("certificate_id", found.id)
        .with("state", state)
        .violation(state, found.id.to_string(), message);
    if let Some(revoke_time) = found.revoke_time {
        refusal = refusal.with("revoke_time", revoke_time);
    }
    Err(refusal)
}

#[cfg(test)]
mod tests {
    use super::{
        super::samples::{certificate, instant},
        *,
    };

    fn state(refusal: &Refusal) -> String {
        assert_eq!(refusal.reason, Reason::CertificateNotRevocable);
        refusal.metadata["state"].clone()
    }

    #[test]
    fn t_6_a_standing_certificate_counts_as_revoked_from_now_on() {
        let now = instant("2026-02-02T00:00:00Z");
        let mut found = certificate(&["a.test"]);
        assert_eq!(plan_revocation(&found, false, now), Ok(now));
        // Superseded and to be revoked two days later: now is earlier.
        found.superseded_time = Some(instant("2026-02-01T00:00:00Z"));
        found.revoke_time = Some(instant("2026-02-04T00:00:00Z"));
        assert_eq!(plan_revocation(&found, false, now), Ok(now));
    }

    #[test]
    fn sl_19_what_is_revoked_or_expired_is_not_revoked_again() {
        let mut found = certificate(&["a.test"]);
        let over = instant("2026-07-01T00:00:00Z");
        assert_eq!(
            state(&plan_revocation(&found, true, over).unwrap_err()),
            "EXPIRED"
        );
        found.revoke_time = Some(instant("2026-02-01T00:00:00Z"));
        let later = instant("2026-02-01T00:00:00.000001Z");
        assert_eq!(
            state(&plan_revocation(&found, true, later).unwrap_err()),
            "REVOKED"
        );
    }

    #[test]
    fn x_8_only_the_authority_says_that_what_is_to_be_revoked_is() {
        let mut found = certificate(&["a.test"]);
        let deleted = instant("2026-02-01T00:00:00Z");
        (found.to_revoke, found.revoke_time) = (true, Some(deleted));
        let now = instant("2026-02-02T00:00:00Z");
        assert_eq!(
            state(&plan_revocation(&found, false, now).unwrap_err()),
            "TO_REVOKE"
        );
        assert_eq!(plan_revocation(&found, true, now), Ok(deleted));
        let done = apply_revocation(found, RevocationReason::Unspecified, true, now).unwrap();
        assert_eq!(done.state(now), CertificateState::Revoked);
        let reason = RevocationReason::CessationOfOperation;
        assert_eq!(
            (done.revoke_time, done.revoke_reason),
            (Some(deleted), Some(reason))
        );
    }
}
