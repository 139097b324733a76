//! Reissue (MD-7): another certificate for the same domains within a paid term, because
//! certificates are valid for a shorter time than orders. Free of charge; it may bring a new key.

use licet_domain::{
    certificate::ParsedRequest,
    clock::Instant,
    refusal::{Reason, Refusal},
};

use super::{
    order::{DomainChange, Order, SigningRequest},
    signing_request::check_signing_request,
};

/// Refuses a reissue while a domain change awaits its certificate. The signing request is checked
/// as for a new order.
pub(crate) fn permit_reissue(
    order: &Order,
    request: Option<&ParsedRequest>,
) -> Result<(), Refusal> {
    if let Some(waiting) = &order.change {
        return Err(change_in_progress(order, waiting));
    }
    request.map_or(Ok(()), |request| {
        let common_name = order.wanted_common_name();
        check_signing_request(common_name, order.wanted_names(), request)
    })
}

/// CHANGE_IN_PROGRESS: a domain change awaits its certificate.
pub(super) fn change_in_progress(order: &Order, waiting: &DomainChange) -> Refusal {
    let operation = waiting
        .operation_id
        .map_or_else(String::new, |id| id.to_string());
    Refusal::new(
        Reason::ChangeInProgress,
        format!(
            "order {} has a domain change, accepted at {}, that awaits its certificate: record the \
             certificate first, or cancel the change",
            order.id, waiting.accept_time
        ),
    )
    .with("order_id", order.id)
    .with("operation_id", operation)
    .with("accept_time", waiting.accept_time)
}

impl Order {
    /// A reissue is requested, with the key of `request` if there is one. If a certificate is
    /// already awaited, the wait stays the same, with that key.
    pub(crate) fn apply_reissue(mut self, request: Option<SigningRequest>, now: Instant) -> Order {
        let before = (self.reissue_since, self.signing_request.clone());
        if self.issuance_pending_since().is_none() {
            self.reissue_since = Some(now);
        }
        self.signing_request = request.or(self.signing_request);
        if before == (self.reissue_since, self.signing_request.clone()) {
            self.apply_decision(now)
        } else {
            self.moved(now)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use licet_domain::certificate::{KeyKind, PublicKey};

    use super::{
        super::{
            domains::{WantedChange, plan_domain_change},
            issuance::require_pending_issuance,
            order::Progress,
            samples::{instant, names, order},
        },
        *,
    };

    fn request(list: &[&str]) -> ParsedRequest {
        ParsedRequest {
            der: Vec::new(),
            subject: String::new(),
            common_name: None,
            sans: names(list),
            key: PublicKey {
                kind: KeyKind::Ec,
                bits: 256,
            },
            spki_sha256: [9; 32],
        }
    }

    fn key(digest: u8) -> Option<SigningRequest> {
        Some(SigningRequest {
            pem: String::new(),
            spki_sha256: [digest; 32],
        })
    }

    #[test]
    fn md_7_a_reissue_waits_for_its_certificate_with_the_same_names() {
        let before = order(&["example.com", "a.example.com"]);
        let now = instant("2026-06-01T00:00:00Z");
        assert!(permit_reissue(&before, Some(&request(&["example.com", "a.example.com"]))).is_ok());
        let asked = before.clone().apply_reissue(key(1), now);
        assert_eq!(asked.issuance_pending_since(), Some(now));
        assert_eq!(asked.wanted_names(), &before.names);
        assert!(require_pending_issuance(&asked, now).is_ok());
        // Requested again, it is the same wait; a new key replaces the one before.
        let later = instant("2026-06-02T00:00:00Z");
        let same = asked.clone().apply_reissue(None, later);
        assert_eq!(
            (same.revision, same.reissue_since),
            (asked.revision, Some(now))
        );
        assert_eq!(same.signing_request, key(1));
        let rekeyed = asked.apply_reissue(key(2), later);
        assert_eq!(
            (rekeyed.reissue_since, &rekeyed.signing_request),
            (Some(now), &key(2))
        );
        let issued = rekeyed.apply_issuance(later);
        assert_eq!(issued.issuance_pending_since(), None);
        assert_eq!(issued.signing_request, key(2));
    }

    #[test]
    fn md_7_the_first_certificate_is_no_reissue() {
        let mut paid = order(&["example.com"]);
        paid.progress = Progress::Paid;
        let now = instant("2026-01-02T00:00:00Z");
        let after = paid.clone().apply_reissue(key(1), now);
        assert_eq!(after.reissue_since, None);
        assert_eq!(after.signing_request, key(1));
        assert_eq!(
            after.issuance_pending_since(),
            paid.issuance_pending_since()
        );
    }

    #[test]
    fn md_7_no_reissue_while_a_change_waits_and_none_for_other_names() {
        let before = order(&["example.com"]);
        let now = instant("2026-06-01T00:00:00Z");
        let refusal = permit_reissue(&before, Some(&request(&["b.example.com"]))).unwrap_err();
        assert_eq!(refusal.reason, Reason::CsrMismatch);
        let wanted = WantedChange {
            add: names(&["a.example.com"]),
            remove: BTreeSet::new(),
            common_name: None,
        };
        let plan = plan_domain_change(&before, &wanted).unwrap();
        let waiting = before.apply_change(plan, None, now);
        let refusal = permit_reissue(&waiting, None).unwrap_err();
        assert_eq!(refusal.reason, Reason::ChangeInProgress);
    }
}
