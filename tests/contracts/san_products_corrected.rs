//! SL-14: a certificate reported under a wrong product can be corrected, in a feed or alone, until it counts
//! in a licence. After that a correction is a conflict.

use licet_contracts::sanlicensing::v1::{
    CertificateFacts, CertificateState, IngestRecord, License, RecordCertificateRequest,
    RecordRefusal,
};
use tonic::Code;

use crate::harness::{
    Backend,
    errors::refused,
    ingest::{counts, revoked, signed},
    on_both_databases,
    san::{facts, figures, report_of},
    world::World,
};

on_both_databases![
    sl_14_a_product_is_corrected_by_whichever_report_until_it_counts,
    sl_14_a_product_is_corrected_within_one_batch,
    sl_14_a_revoked_certificate_has_its_product_corrected_and_counts_nowhere,
];

/// Products that none of the account's licences covers.
const WRONG: [&str; 2] = ["intranet-ov", "intranet-dv2"];

fn streamed(license: &License, facts: &CertificateFacts, product_id: &str) -> IngestRecord {
    IngestRecord {
        product_id: product_id.to_owned(),
        ..signed(license, facts)
    }
}

fn single(
    license: &License,
    facts: &CertificateFacts,
    product_id: &str,
) -> RecordCertificateRequest {
    RecordCertificateRequest {
        product_id: product_id.to_owned(),
        ..report_of(license, facts.clone())
    }
}

async fn sl_14_a_product_is_corrected_by_whichever_report_until_it_counts(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let (now, end) = (world.now(), world.usual_end());
    let right = &license.product_ids[0];
    let told = [
        facts(&["a.example"], now, end),
        facts(&["b.example"], now, end),
    ];
    let wrong = |product: &str| {
        told.iter()
            .map(|told| streamed(&license, told, product))
            .collect()
    };
    let answer = world.ingest(1, wrong(WRONG[0])).await;
    assert_eq!(counts(&answer), [0, 2, 0, 0, 0, 0]);
    // Corrected to another product without a licence, in a feed and alone.
    let answer = world
        .ingest(2, vec![streamed(&license, &told[0], WRONG[1])])
        .await;
    assert_eq!(counts(&answer), [0, 1, 0, 0, 0, 0]);
    let answer = world.record_san(single(&license, &told[1], WRONG[1])).await;
    assert!(!answer.already_known);
    let certificate = answer.certificate.unwrap();
    assert_eq!(
        (&*certificate.product_id, &*certificate.license_id),
        (WRONG[1], "")
    );
    let answer = world.ingest(3, wrong(WRONG[1])).await;
    assert_eq!(counts(&answer), [0, 0, 0, 0, 2, 0]);
    // Corrected to the licensed product, they count.
    let answer = world
        .ingest(4, vec![streamed(&license, &told[0], right)])
        .await;
    assert_eq!(counts(&answer), [1, 0, 0, 0, 0, 0]);
    let answer = world.record_san(single(&license, &told[1], right)).await;
    assert!(!answer.already_known);
    let counted = answer.certificate.unwrap();
    assert_eq!(counted.certificate_id, certificate.certificate_id);
    assert_eq!(
        (&counted.product_id, &counted.license_id),
        (right, &license.license_id)
    );
    assert_eq!(figures(&world.usage(&license).await), (2, 0, 98));
    assert_eq!(world.unallocated("", 0).await, []);
    // Now the product is final.
    let answer = world.ingest(5, wrong(WRONG[0])).await;
    assert_eq!(counts(&answer), [0, 0, 0, 0, 0, 2]);
    let conflict = RecordRefusal::CertificateConflict;
    assert!(
        answer
            .refused
            .iter()
            .all(|refused| refused.refusal() == conflict)
    );
    let again = single(&license, &told[0], WRONG[0]);
    refused(world.san_issuance().record_certificate(again).await)
        .expect(Code::AlreadyExists, "CERTIFICATE_CONFLICT");
    assert_eq!(figures(&world.usage(&license).await), (2, 0, 98));
}

async fn sl_14_a_product_is_corrected_within_one_batch(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let told = facts(&["a.example"], world.now(), world.usual_end());
    let mut other = told.clone();
    other.sans.clear();
    let products = [WRONG[0], WRONG[1], &license.product_ids[0], WRONG[0]];
    let mut records: Vec<_> = products
        .iter()
        .map(|product| streamed(&license, &told, product))
        .collect();
    // Other SANs conflict, whatever the product is.
    records.insert(1, streamed(&license, &other, WRONG[1]));
    let answer = world.ingest(1, records).await;
    assert_eq!(counts(&answer), [1, 2, 0, 0, 0, 2]);
    let indexes: Vec<_> = answer.refused.iter().map(|refused| refused.index).collect();
    assert_eq!(indexes, [1, 4]);
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 99));
}

async fn sl_14_a_revoked_certificate_has_its_product_corrected_and_counts_nowhere(
    backend: Backend,
) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let told = facts(&["a.example"], world.now(), world.usual_end());
    let wrong = streamed(&license, &told, WRONG[0]);
    world.ingest(1, vec![wrong, revoked(&license, &told)]).await;
    let right = &license.product_ids[0];
    let answer = world
        .ingest(2, vec![streamed(&license, &told, right)])
        .await;
    assert_eq!(counts(&answer)[5], 0);
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 100));
    let known = world.record_san(single(&license, &told, right)).await;
    assert!(known.already_known);
    assert_eq!(
        known.certificate.unwrap().state(),
        CertificateState::Revoked
    );
}
