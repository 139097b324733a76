//! Sample orders and products for unit tests.

use std::collections::{BTreeMap, BTreeSet};

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CertificateId, OrderId},
    san::San,
    term::Term,
};

use super::{
    certificate::Certificate,
    order::{Order, OrderTerm, Progress, SoldProduct},
    product::{Product, ProductKind, RefundCount, SupersededHandling},
    slots::WildcardReplacement,
};

pub(crate) fn instant(text: &str) -> Instant {
    text.parse().unwrap()
}

pub(crate) fn dns(name: &str) -> San {
    San::dns(name).unwrap()
}

pub(crate) fn names(list: &[&str]) -> BTreeSet<San> {
    list.iter().map(|name| dns(name)).collect()
}

/// A multi-domain product: 3 domains included, 5 at most, 12 or 24 months, 2 additional licences.
pub(crate) fn multi_domain() -> Product {
    Product {
        id: "multi-domain-dv".parse().unwrap(),
        version: 1,
        kind: ProductKind::MultiDomain,
        terms_months: vec![12, 24],
        included_domains: 3,
        max_domains: 5,
        wildcards_offered: true,
        max_additional_licenses: 2,
        superseded: SupersededHandling::RevokedAfterHours(72),
        tolerance_hours: 24,
        publicly_trusted: true,
        renewal_open_days: 90,
        renewal_grace_days: 30,
        wildcard_replacement: WildcardReplacement::Difference,
        refund_count: RefundCount::FirstIssuance,
        no_refund_days: Some(30),
    }
}

/// A single-domain product that includes its common name only.
pub(crate) fn single_domain() -> Product {
    Product {
        id: "single-domain-dv".parse().unwrap(),
        kind: ProductKind::SingleDomain,
        included_domains: 1,
        max_domains: 1,
        ..multi_domain()
    }
}

/// An issued one-year order of the multi-domain product from 2026-01-01, with one additional
/// licence; the first domain is the common name.
pub(crate) fn order(list: &[&str]) -> Order {
    let start = instant("2026-01-01T00:00:00Z");
    let product = multi_domain();
    Order {
        id: OrderId::generate(),
        account_id: AccountId::generate(),
        progress: Progress::Issued,
        revision: 3,
        common_name: dns(list[0]),
        names: names(list),
        server_software: "nginx".into(),
        signing_request: None,
        san_license_id: None,
        reservation_id: None,
        product_id: product.id.clone(),
        term: OrderTerm {
            index: 0,
            term: Term::first(start, 12).unwrap(),
            price_time: start,
            additional_licenses: 1,
            first_issuance_time: Some(start),
            sold: Some(SoldProduct {
                slots: product.included_slots(),
                product,
                currency: "USD".parse().unwrap(),
                san_product_id: None,
            }),
            names: None,
            kept_servers: None,
            bought_time: Some(start),
        },
        next_term: None,
        change: None,
        reissue_since: None,
        end_noted: false,
        create_time: start,
        decision_time: start,
        delete_time: None,
        refunds: BTreeMap::new(),
        refund_in_review: false,
    }
}

/// A certificate for the first half of 2026, recorded an hour after it begins.
pub(crate) fn certificate(list: &[&str]) -> Certificate {
    Certificate {
        id: CertificateId::generate(),
        account_id: AccountId::generate(),
        order_id: OrderId::generate(),
        chain_pem: String::new(),
        fingerprint_sha256: [0; 32],
        issuer_sha256: Some([2; 32]),
        serial_hex: "01".into(),
        issuer: "CN=Sample CA".into(),
        subject: "CN=a.test".into(),
        common_name: dns(list[0]),
        key_type: "EC 256".into(),
        names: names(list),
        not_before: instant("2026-01-01T00:00:00Z"),
        not_after: instant("2026-06-30T23:59:59Z"),
        record_time: instant("2026-01-01T01:00:00Z"),
        superseded_time: None,
        revoke_time: None,
        revoke_reason: None,
        to_revoke: false,
        license_record: None,
    }
}
