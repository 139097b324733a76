//! Secrets stay where they are: a private key sent by mistake is refused and leaves no trace, a database's
//! password is read from a file, and text that hides or reorders itself is refused.

use std::os::unix::fs::PermissionsExt as _;

use licet_contracts::{
    billing::v1::CreateAccountRequest,
    orders::v1::PlaceOrderRequest,
    sanlicensing::v1::{
        RecordCertificateRequest, ingest_record::Report,
        issuance_service_client::IssuanceServiceClient, record_certificate_request::Certificate,
    },
};
use tonic::Code;

use crate::harness::{
    Backend,
    certificates::{chain_for, new_key, signing_request},
    errors::refused,
    ingest::record,
    on_both_databases,
    process::{SuiteProcess, licet},
    request_id,
    samples::{multi_domain_request, names},
    world::World,
};

on_both_databases![
    sl_14_nothing_is_stored_of_a_record_with_a_private_key,
    a_certificate_or_a_request_with_a_private_key_is_refused,
    a_name_that_hides_or_reorders_text_is_refused,
];

const REASON: &str = "private key";

async fn sl_14_nothing_is_stored_of_a_record_with_a_private_key(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 100).await;
    let key = new_key();
    let pem = key.serialize_pem();
    let base64: String = pem.lines().filter(|line| !line.starts_with("--")).collect();
    let mut misplaced = record(&license, Report::CertificateDer(vec![0x30, 0]));
    misplaced.product_id = base64.clone();
    let forms = [
        pem.clone().into_bytes(),
        key.serialize_der(),
        base64.clone().into_bytes(),
    ];
    let mut records = forms
        .map(|form| record(&license, Report::CertificateDer(form)))
        .to_vec();
    records.push(misplaced);
    let answer = world.ingest(1, records).await;
    assert_eq!(answer.counts.unwrap().refused, 4);
    let listed = world.refused_records(0).await;
    assert_eq!(listed.len(), 4);
    for refused in answer.refused.iter().chain(&listed) {
        let shown = format!("{refused:?}");
        assert!(
            shown.contains(REASON) && refused.content.is_empty(),
            "{shown}"
        );
        assert!(!shown.contains(&base64[..20]), "{shown}");
    }
}

async fn a_certificate_or_a_request_with_a_private_key_is_refused(backend: Backend) {
    let (mut world, license) = World::start_licensed(backend, 100).await;
    let key = new_key().serialize_pem();
    let domains = names(&["www.example.com"]);
    let with_key = chain_for(&domains, world.now(), 30) + &key;
    let report = RecordCertificateRequest {
        account_id: license.account_id.clone(),
        product_id: license.product_ids[0].clone(),
        certificate: Some(Certificate::CertificatePem(with_key)),
        reservation_id: String::new(),
        request_id: request_id(),
    };
    let mut issuance = IssuanceServiceClient::new(world.san_channel(0));
    let refusal = refused(issuance.record_certificate(report).await);
    let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert!(refusal.message.contains(REASON), "{}", refusal.message);

    world.start_orders().await;
    world.stock().await;
    let account_id = world.account_with("500.00").await;
    let order = PlaceOrderRequest {
        csr: signing_request(&domains) + &key,
        ..multi_domain_request(&account_id, &["www.example.com"])
    };
    let refusal = refused(world.orders().place_order(order).await);
    let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert!(refusal.message.contains(REASON), "{}", refusal.message);
}

async fn a_name_that_hides_or_reorders_text_is_refused(backend: Backend) {
    let world = World::start(backend).await;
    for (name, code_point) in [
        ("Example \u{202e}gpj.exe", "U+202E"),
        ("Exam\u{200b}ple", "U+200B"),
        ("Example\u{2028}Ltd", "U+2028"),
    ] {
        let account = CreateAccountRequest {
            display_name: name.to_owned(),
            currency_code: "USD".to_owned(),
            request_id: request_id(),
            ..CreateAccountRequest::default()
        };
        let refusal = refused(world.accounts().create_account(account).await);
        let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
        assert!(refusal.message.contains(code_point), "{}", refusal.message);
    }
}

#[test]
fn a_database_is_read_from_a_file_that_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("database");
    let path = file.to_str().unwrap();
    let option = ["serve", "billing", "--database-file", path];
    for (text, said) in [
        (
            "sqlite:/nowhere/billing.db\n",
            "no store at sqlite:/nowhere/billing.db",
        ),
        (
            "postgres://user:hush@one/db\n",
            "must name the service's own schema",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = licet(&option);
        let shown = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!output.status.success() && shown.contains(said), "{shown}");
        assert!(!shown.contains("hush"), "{shown}");
    }
    let both = licet(&[&option[..], &["--database", "sqlite:/nowhere/x"]].concat());
    assert!(!both.status.success());
}

#[test]
fn only_the_owner_reads_the_files_of_the_embedded_suite() {
    crate::harness::run(async {
        let process = SuiteProcess::start().await;
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&process.data()), 0o700);
        for name in ["orders", "billing", "san-licensing"] {
            for end in ["", "-wal", "-shm"] {
                let file = process.data().join(format!("{name}.db{end}"));
                assert_eq!(mode(&file), 0o600, "{}", file.display());
            }
        }
    });
}
