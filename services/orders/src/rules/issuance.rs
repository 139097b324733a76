//! Checks a certificate against the order that it was issued for (MD-7, MD-9): domains, key and
//! dates, and how long the next one may be valid.

use chrono::TimeDelta;
use licet_domain::{
    certificate::ParsedCertificate,
    clock::Instant,
    refusal::{Reason, Refusal},
    san::San,
};

use super::{
    objections::Objections,
    order::{Order, OrderState},
    product::{Product, SupersededHandling},
};

const DAY_SECONDS: i64 = 86_400;

/// The longest validity of public TLS certificates in days, by notBefore in seconds since the epoch
/// (MD-9; CA/Browser Forum ballot SC-081). Latest first.
const PUBLIC_TLS_LIMITS_DAYS: [(i64, i64); 4] = [
    (1_868_227_200, 47),  // 2029-03-15
    (1_805_068_800, 100), // 2027-03-15
    (1_773_532_800, 200), // 2026-03-15
    (i64::MIN, 398),
];

/// The longest validity of a public TLS certificate with this notBefore (MD-9).
fn public_limit_days(not_before: Instant) -> i64 {
    let seconds = not_before.as_micros().div_euclid(1_000_000);
    PUBLIC_TLS_LIMITS_DAYS
        .iter()
        .find(|(from_seconds, _)| seconds >= *from_seconds)
        .map_or(398, |(_, days)| *days)
}

/// The latest end of a certificate of this order, exclusive: the end of the last term bought for
/// all its domains, plus the tolerance. A term bought for fewer domains needs its own certificate
/// (MD-9).
fn active_until_limit(order: &Order, product: &Product) -> Option<Instant> {
    let tolerance = TimeDelta::hours(i64::from(product.tolerance_hours));
    let wanted = order.wanted_names();
    let next = order.next_term.as_ref();
    let covering = next.filter(|next| wanted.is_subset(&order.wanted_names_in(next)));
    let last = covering.unwrap_or(&order.term);
    last.term.end().checked_add(tolerance)
}

/// The latest notAfter of a certificate signed at `now` (MD-9); `None` if it exceeds the supported
/// date range.
pub(crate) fn longest_not_after(order: &Order, now: Instant) -> Option<Instant> {
    let product = &order.term.sold.as_ref()?.product;
    let mut until = active_until_limit(order, product)?;
    if product.publicly_trusted {
        until = until.min(now.checked_add(TimeDelta::days(public_limit_days(now)))?);
    }
    until.checked_add(TimeDelta::seconds(-1))
}

/// Refuses an order that awaits no certificate: it has one, no domains need another, and no reissue
/// is requested.
pub(crate) fn require_pending_issuance(order: &Order, now: Instant) -> Result<(), Refusal> {
    if order.state(now) == OrderState::Issued && order.issuance_pending_since().is_none() {
        return Err(Refusal::new(
            Reason::IssuanceNotPending,
            format!(
                "order {} has its certificate, and neither a domain change nor a reissue is pending",
                order.id
            ),
        )
        .with("order_id", order.id)
        .with("state", "ISSUED"));
    }
    Ok(())
}

/// Checks a certificate against the order: exactly the wanted domains, the order's common name, the
/// key of the signing request if there is one, dates within the limits (MD-9), and not expired at
/// `now`. The refusal names every difference.
pub(crate) fn check_certificate(
    order: &Order,
    certificate: &ParsedCertificate,
    now: Instant,
) -> Result<(), Refusal> {
    let product = &order.sold()?.product;
    let mut objections = Objections::default();
    compare_names(order, certificate, &mut objections);
    if certificate.is_authority {
        let description = "the certificate belongs to a certificate authority (basicConstraints \
                           CA:TRUE); an end entity certificate is required";
        mismatch(&mut objections, "basic_constraints", description);
    }
    if let Some(request) = &order.signing_request
        && request.spki_sha256 != certificate.spki_sha256
    {
        let description = "the certificate's key differs from the key of the order's CSR";
        mismatch(&mut objections, "public_key", description);
    }
    compare_dates(order, product, certificate, &mut objections);
    // Recorded, it would end the wait for a certificate and leave none to install.
    let active_until = certificate.active_until();
    if active_until <= now {
        mismatch(
            &mut objections,
            "not_after",
            format!("the certificate expired at {active_until}; it is {now}"),
        );
    }
    objections.refuse_if_any()
}

fn mismatch(objections: &mut Objections, subject: &str, description: impl Into<String>) {
    objections.add(Reason::CertificateMismatch, subject, description);
}

fn compare_names(order: &Order, certificate: &ParsedCertificate, objections: &mut Objections) {
    let wanted = order.wanted_names();
    for name in wanted.difference(&certificate.sans) {
        mismatch(
            objections,
            name.value(),
            format!("{name} is missing from the certificate"),
        );
    }
    for name in certificate.sans.difference(wanted) {
        mismatch(
            objections,
            name.value(),
            format!(
                "{name} ({}) is not one of the order's domains",
                name.kind().as_str()
            ),
        );
    }
    // The common name of a certificate is optional; if present it must be the order's.
    if let Some(text) = &certificate.common_name
        && San::dns(text).ok().as_ref() != Some(order.wanted_common_name())
    {
        mismatch(
            objections,
            "common_name",
            format!(
                "the certificate's common name is {text}; the order's is {}",
                order.wanted_common_name()
            ),
        );
    }
}

fn compare_dates(
    order: &Order,
    product: &Product,
    certificate: &ParsedCertificate,
    objections: &mut Objections,
) {
    let validity_seconds = certificate.validity_seconds();
    let limit_days = public_limit_days(certificate.not_before);
    if product.publicly_trusted && validity_seconds > limit_days * DAY_SECONDS {
        mismatch(
            objections,
            "validity",
            format!(
                "valid for {validity_seconds} s; public TLS allows at most {limit_days} days \
                 ({} s) from {}",
                limit_days * DAY_SECONDS,
                certificate.not_before
            ),
        );
    }
    if let Some(limit) = active_until_limit(order, product)
        && certificate.active_until() > limit
    {
        mismatch(
            objections,
            "not_after",
            format!(
                "the certificate is valid until {}; the last term bought for its domains, with a \
                 tolerance of {} h, ends at {limit}",
                certificate.active_until(),
                product.tolerance_hours
            ),
        );
    }
}

/// When the certificates that a new one replaces count as revoked (MD-7); `None` if the policy
/// leaves them valid until they expire. The time counts from the new one's notBefore if that lies
/// ahead, so that there is always a valid certificate.
pub(crate) fn superseded_revoke_time(
    order: &Order,
    not_before: Instant,
    now: Instant,
) -> Option<Instant> {
    match order.term.sold.as_ref()?.product.superseded {
        SupersededHandling::RevokedAfterHours(hours) => now
            .max(not_before)
            .checked_add(TimeDelta::hours(i64::from(hours))),
        SupersededHandling::NeverRevoked => None,
    }
}

#[cfg(test)]
mod tests {
    use licet_domain::certificate::{KeyKind, PublicKey};

    use super::{
        super::{
            order::{ChangeProgress, DomainChange, Progress, SigningRequest},
            samples::{instant, names, order},
            slots::SlotCharge,
        },
        *,
    };

    fn certificate(list: &[&str], not_before: &str, not_after: &str) -> ParsedCertificate {
        ParsedCertificate {
            der: Vec::new(),
            fingerprint_sha256: [1; 32],
            issuer_der: Vec::new(),
            issuer: "CN=Sample CA".into(),
            subject: "CN=example.com".into(),
            common_name: list.first().map(|name| (*name).to_owned()),
            serial_hex: "01".into(),
            sans: names(list),
            not_before: instant(not_before),
            not_after: instant(not_after),
            key: PublicKey {
                kind: KeyKind::Ec,
                bits: 256,
            },
            spki_sha256: [7; 32],
            is_authority: false,
        }
    }

    fn subjects(refusal: &Refusal) -> Vec<&str> {
        assert_eq!(refusal.reason, Reason::CertificateMismatch);
        refusal
            .violations
            .iter()
            .map(|v| v.subject.as_str())
            .collect()
    }

    #[test]
    fn exactly_the_domains_of_the_order_pass_and_every_difference_is_named() {
        let mut order = order(&["example.com", "a.example.com"]);
        let good = certificate(
            &["example.com", "a.example.com"],
            "2026-01-01T00:00:00Z",
            "2026-06-01T00:00:00Z",
        );
        assert!(check_certificate(&order, &good, order.create_time).is_ok());

        order.signing_request = Some(SigningRequest {
            pem: String::new(),
            spki_sha256: [8; 32],
        });
        let bad = certificate(
            &["b.example.com", "example.com"],
            "2026-01-01T00:00:00Z",
            "2027-01-31T00:00:00Z",
        );
        let refusal = check_certificate(&order, &bad, order.create_time).unwrap_err();
        assert_eq!(
            subjects(&refusal),
            [
                "a.example.com",
                "b.example.com",
                "common_name",
                "public_key",
                "not_after"
            ]
        );
    }

    #[test]
    fn md_7_a_waiting_change_wants_its_own_names() {
        let mut order = order(&["example.com"]);
        assert!(require_pending_issuance(&order, order.create_time).is_err());
        order.change = Some(DomainChange {
            progress: ChangeProgress::Charging,
            term_index: 0,
            in_next_term: false,
            names: names(&["example.com", "a.example.com"]),
            added: names(&["a.example.com"]),
            removed: names(&[]),
            common_name: None,
            charge: SlotCharge::default(),
            next_charge: SlotCharge::default(),
            operation_id: None,
            charged: None,
            next_charged: None,
            accept_time: order.create_time,
        });
        // Not charged yet: nothing may be signed.
        assert_eq!(order.wanted_names(), &names(&["example.com"]));
        assert!(require_pending_issuance(&order, order.create_time).is_err());
        if let Some(change) = &mut order.change {
            change.progress = ChangeProgress::AwaitingIssuance;
        }
        assert!(require_pending_issuance(&order, order.create_time).is_ok());
        let old = certificate(
            &["example.com"],
            "2026-01-01T00:00:00Z",
            "2026-06-01T00:00:00Z",
        );
        assert_eq!(
            subjects(&check_certificate(&order, &old, order.create_time).unwrap_err()),
            ["a.example.com"]
        );
    }

    #[test]
    fn a_paid_order_waits_for_its_first_certificate() {
        let mut order = order(&["example.com"]);
        order.progress = Progress::Paid;
        assert!(require_pending_issuance(&order, order.create_time).is_ok());
    }

    #[test]
    fn md_9_the_limit_is_the_one_in_force_at_not_before() {
        let mut order = order(&["example.com"]);
        order.term.term =
            licet_domain::term::Term::first(instant("2026-01-01T00:00:00Z"), 60).unwrap();
        // (notBefore, limit in days: exactly the limit passes, one second more does not)
        let cases = [
            ("2026-03-14T23:59:59Z", 398),
            ("2026-03-15T00:00:00Z", 200),
            ("2027-03-14T23:59:59Z", 200),
            ("2027-03-15T00:00:00Z", 100),
            ("2029-03-14T23:59:59Z", 100),
            ("2029-03-15T00:00:00Z", 47),
        ];
        for (not_before, days) in cases {
            let mut found = certificate(&["example.com"], not_before, not_before);
            let start = instant(not_before);
            let last = TimeDelta::days(days) - TimeDelta::seconds(1);
            found.not_after = start.checked_add(last).unwrap();
            assert!(
                check_certificate(&order, &found, order.create_time).is_ok(),
                "{not_before}: {days} days"
            );
            assert_eq!(longest_not_after(&order, start), Some(found.not_after));
            found.not_after = start.checked_add(TimeDelta::days(days)).unwrap();
            let refusal = check_certificate(&order, &found, order.create_time).unwrap_err();
            assert_eq!(
                subjects(&refusal),
                ["validity"],
                "{not_before}: a second too long"
            );
        }
        order.term.sold.as_mut().unwrap().product.publicly_trusted = false;
        let private = certificate(
            &["example.com"],
            "2029-03-15T00:00:00Z",
            "2030-01-01T00:00:00Z",
        );
        assert!(check_certificate(&order, &private, order.create_time).is_ok());
    }

    #[test]
    fn md_9_a_certificate_outlives_the_term_by_the_tolerance_at_most() {
        let order = order(&["example.com"]);
        let within = certificate(
            &["example.com"],
            "2026-12-01T00:00:00Z",
            "2027-01-01T23:59:59Z",
        );
        assert!(check_certificate(&order, &within, order.create_time).is_ok());
        let beyond = certificate(
            &["example.com"],
            "2026-12-01T00:00:00Z",
            "2027-01-02T00:00:00Z",
        );
        assert_eq!(
            subjects(&check_certificate(&order, &beyond, order.create_time).unwrap_err()),
            ["not_after"]
        );
        let december = instant("2026-12-01T00:00:00Z");
        assert_eq!(longest_not_after(&order, december), Some(within.not_after));
    }

    #[test]
    fn md_9_an_expired_certificate_is_not_recorded() {
        let order = order(&["example.com"]);
        let found = certificate(
            &["example.com"],
            "2026-01-01T00:00:00Z",
            "2026-03-31T23:59:59Z",
        );
        let last = instant("2026-03-31T23:59:59.999999Z");
        assert!(check_certificate(&order, &found, last).is_ok());
        let over = instant("2026-04-01T00:00:00Z");
        let refusal = check_certificate(&order, &found, over).unwrap_err();
        assert_eq!(subjects(&refusal), ["not_after"]);
    }

    #[test]
    fn md_7_the_old_certificate_counts_as_revoked_by_policy() {
        let mut order = order(&["example.com"]);
        let now = instant("2026-07-01T00:00:00Z");
        let then = instant("2026-07-04T00:00:00Z");
        let revoke_time =
            |order: &Order, not_before: Instant| superseded_revoke_time(order, not_before, now);
        assert_eq!(revoke_time(&order, order.create_time), Some(then));
        assert_eq!(revoke_time(&order, now), Some(then));
        // The 72 hours count from the new certificate's notBefore if it lies ahead.
        let ahead = instant("2026-10-09T00:00:00Z");
        let after = instant("2026-10-12T00:00:00Z");
        assert_eq!(revoke_time(&order, ahead), Some(after));
        order.term.sold.as_mut().unwrap().product.superseded = SupersededHandling::NeverRevoked;
        assert_eq!(revoke_time(&order, ahead), None);
    }
}
