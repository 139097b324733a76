//! SL-1, SL-14, SL-21: odd certificates of real authorities count with all their SANs, reported as DER or as
//! facts. Issuer and serial identify a certificate in any spelling.

use licet_contracts::{
    sanlicensing::v1::{
        Certificate, CertificateFacts, CertificateState, IngestRecord, License, LicenseOptions,
        RecordCertificateRequest, RecordCertificateResponse, ReportedRevocation, RevocationReason,
        San, SanType, ingest_record::Report, record_certificate_request::Certificate as Given,
        reported_revocation::Issuer,
    },
    types::v1::KeyType,
};
use licet_domain::clock::Instant;
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, timestamp},
    encoding::{Odd, UNIVERSAL, UTF8, dns, ed448_key, element, name, pem, string, upn},
    errors::refused,
    ingest::{counts, record},
    on_both_databases, request_id,
    san::{figures, quote_request, texts},
    world::World,
};

on_both_databases![
    sl_21_a_certificate_that_begins_before_1970_counts,
    sl_1_a_name_of_any_length_counts_alike_by_der_and_facts,
    sl_1_a_universal_string_costs_nothing,
    sl_14_what_was_recorded_can_be_revoked_under_its_serial,
    sl_14_a_negative_serial_is_another_one,
    sl_14_what_follows_the_leaf_is_not_judged,
    sl_1_one_name_has_one_form,
    sl_6_an_edwards_key_is_called_by_its_name,
    sl_12_a_certificate_may_have_no_end,
];

fn report(license: &License, given: Given) -> RecordCertificateRequest {
    RecordCertificateRequest {
        account_id: license.account_id.clone(),
        product_id: license.product_ids[0].clone(),
        certificate: Some(given),
        reservation_id: String::new(),
        request_id: request_id(),
    }
}

impl World {
    async fn record_der(&self, license: &License, der: &[u8]) -> RecordCertificateResponse {
        let given = Given::CertificateDer(der.to_vec());
        self.record_san(report(license, given)).await
    }

    /// Records a certificate by its DER, then reports it again by its facts.
    async fn record_both(
        &self,
        license: &License,
        odd: &Odd,
        facts: CertificateFacts,
    ) -> Certificate {
        let by_der = self.record_der(license, &odd.der()).await;
        assert!(!by_der.already_known);
        let by_facts = self.record_san(report(license, Given::Facts(facts))).await;
        assert!(
            by_facts.already_known,
            "the facts name the same certificate"
        );
        assert_eq!(by_facts.certificate, by_der.certificate);
        by_der.certificate.unwrap()
    }
}

/// The facts of a certificate by [`Odd::new`].
fn facts(odd: &Odd, serial: &str, sans: &[(SanType, &str)]) -> CertificateFacts {
    let san = |(kind, value): &(SanType, &str)| San {
        r#type: (*kind).into(),
        value: (*value).to_owned(),
    };
    CertificateFacts {
        issuer_der: odd.issuer.clone(),
        serial: serial.to_owned(),
        sans: sans.iter().map(san).collect(),
        not_before_time: Some(timestamp(at("2020-01-01T00:00:00Z"))),
        not_after_time: Some(timestamp(at("9999-12-31T23:59:59Z"))),
        key_type: KeyType::Ed25519.into(),
    }
}

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

async fn sl_21_a_certificate_that_begins_before_1970_counts(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let odd = Odd {
        not_before: "500101120100Z".to_owned(),
        ..Odd::new(&[1], vec![dns(b"a.example")])
    };
    let first = at("1950-01-01T12:01:00Z");
    let facts = CertificateFacts {
        not_before_time: Some(timestamp(first)),
        ..facts(&odd, "1", &[(SanType::DnsName, "a.example")])
    };
    let certificate = world.record_both(&license, &odd, facts).await;
    assert_eq!(instant(certificate.not_before_time), first);
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 9));
}

async fn sl_1_a_name_of_any_length_counts_alike_by_der_and_facts(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let long = format!("A.{}", "b".repeat(5000));
    let other = format!("{long}c");
    let odd = Odd::new(
        &[1],
        vec![dns(long.as_bytes()), dns(other.as_bytes()), dns(b"")],
    );
    let kind = SanType::DnsName;
    let facts = facts(&odd, "1", &[(kind, &long), (kind, &other), (kind, "")]);
    let certificate = world.record_both(&license, &odd, facts).await;
    assert_eq!(certificate.sans.len(), 3);
    assert_eq!(certificate.sans[0].value, "");
    assert!(certificate.sans[1].value.starts_with("a.bbb"));
    assert_eq!(figures(&world.usage(&license).await), (3, 0, 7));
    world.revoke(&license, &[&certificate]).await;
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 10));
}

async fn sl_1_a_universal_string_costs_nothing(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let odd = Odd {
        issuer: name(UNIVERSAL, "Žižkov"),
        subject: name(UNIVERSAL, "Žižkov"),
        ..Odd::new(
            &[1],
            vec![
                upn(&element(0xa0, &string(UNIVERSAL, "Ä@corp"))),
                upn(&string(UTF8, "untagged@corp")),
                upn(&element(0xa0, &string(UTF8, "b@corp"))),
                upn(b"\x0c\x7f"),
            ],
        )
    };
    let kind = SanType::Upn;
    let sans = ["ä@corp", "untagged@corp", "b@corp", "0c7f"].map(|value| (kind, value));
    let facts = facts(&odd, "1", &sans);
    world.record_both(&license, &odd, facts).await;
    assert_eq!(figures(&world.usage(&license).await), (4, 0, 6));
}

/// A report that the odd authority's certificate with this serial was revoked.
fn revocation(license: &License, odd: &Odd, serial: &str) -> IngestRecord {
    let revocation = ReportedRevocation {
        issuer: Some(Issuer::IssuerDer(odd.issuer.clone())),
        serial: serial.to_owned(),
        reason: RevocationReason::KeyCompromise.into(),
        revoke_time: None,
    };
    record(license, Report::Revocation(revocation))
}

async fn sl_14_what_was_recorded_can_be_revoked_under_its_serial(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    // 33 octets, and the most that are accepted.
    for (sequence, octets) in [(1, 33), (2, 1000)] {
        let odd = Odd::new(&vec![0x11; octets], vec![dns(b"a.example")]);
        let recorded = world.record_der(&license, &odd.der()).await;
        let certificate = recorded.certificate.unwrap();
        assert_eq!(certificate.serial, "11".repeat(octets));
        assert_eq!(figures(&world.usage(&license).await), (1, 0, 9));
        let records = vec![revocation(&license, &odd, &certificate.serial)];
        let answer = world.ingest(sequence, records).await;
        assert_eq!(counts(&answer), [0, 0, 1, 0, 0, 0]);
        assert_eq!(figures(&world.usage(&license).await), (0, 0, 10));
    }
    // One octet more is refused by every method, as DER and as facts.
    let odd = Odd::new(&vec![0x11; 1001], vec![dns(b"a.example")]);
    let given = Given::CertificateDer(odd.der());
    let by_der = world
        .san_issuance()
        .record_certificate(report(&license, given))
        .await;
    let facts = facts(&odd, &"11".repeat(1001), &[]);
    let by_facts = world
        .san_issuance()
        .record_certificate(report(&license, Given::Facts(facts)))
        .await;
    for refusal in [refused(by_der), refused(by_facts)] {
        assert_eq!(refusal.code, Code::InvalidArgument);
        let (_, said) = &refusal.fields[0];
        assert!(said.contains("2000 hexadecimal digits"), "{said}");
    }
    let records = vec![revocation(&license, &odd, &"11".repeat(1001))];
    let answer = world.ingest(3, records).await;
    assert_eq!(counts(&answer), [0, 0, 0, 0, 0, 1]);
}

async fn sl_14_a_negative_serial_is_another_one(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let cases: [(&[u8], &str, &str); 5] = [
        (&[0x80], "-80", "a.example"),
        (&[0x00, 0x80], "80", "b.example"),
        (&[0xff], "-1", "c.example"),
        (&[0x00, 0xff], "ff", "d.example"),
        (&[0x00], "0", "e.example"),
    ];
    for (octets, serial, name) in cases {
        let odd = Odd::new(octets, vec![dns(name.as_bytes())]);
        let spelled = serial.to_uppercase().replace('-', "-00");
        let facts = facts(&odd, &spelled, &[(SanType::DnsName, name)]);
        let certificate = world.record_both(&license, &odd, facts).await;
        assert_eq!(certificate.serial, serial);
    }
    assert_eq!(figures(&world.usage(&license).await), (5, 0, 5));
    let odd = Odd::new(&[0x80], vec![]);
    let answer = world
        .ingest(1, vec![revocation(&license, &odd, "-80")])
        .await;
    assert_eq!(counts(&answer), [0, 0, 1, 0, 0, 0]);
    assert_eq!(figures(&world.usage(&license).await), (4, 0, 6));
}

async fn sl_14_what_follows_the_leaf_is_not_judged(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let leaf = Odd::new(&[1], vec![dns(b"a.example")]).der();
    let stranger = Odd {
        issuer: name(UTF8, "Stranger"),
        ..Odd::new(&[2], vec![dns(b"b.example")])
    };
    let first = world
        .record_der(&license, &[leaf.clone(), stranger.der()].concat())
        .await;
    let certificate = first.certificate.unwrap();
    assert_eq!(texts(&certificate.sans), ["a.example"]);
    let blocks = |second: &str| pem("CERTIFICATE", &leaf) + second;
    let cut_off = &pem("CERTIFICATE", &leaf)[..60];
    for text in [
        blocks(&pem("CERTIFICATE", &stranger.der())),
        blocks(&pem("PUBLIC KEY", b"no certificate")),
        blocks(cut_off),
        pem("X509 CERTIFICATE", &leaf),
    ] {
        let again = world
            .record_san(report(&license, Given::CertificatePem(text)))
            .await;
        assert!(again.already_known);
    }
    let with_newline = [leaf.as_slice(), b"\n"].concat();
    assert!(
        world
            .record_der(&license, &with_newline)
            .await
            .already_known
    );
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 9));
}

async fn sl_1_one_name_has_one_form(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let nfd = "jose\u{301}@corp";
    let names = vec![
        dns("A_b.example".as_bytes()),
        dns("a_b.example.".as_bytes()),
        dns("a_b\u{3002}example\u{3002}".as_bytes()),
        dns("c.example\u{3002}".as_bytes()),
        dns("c.example".as_bytes()),
        upn(&element(0xa0, &string(UTF8, nfd))),
        upn(&element(0xa0, &string(UTF8, "Jos\u{e9}@corp"))),
    ];
    let odd = Odd::new(&[1], names);
    let certificate = world.record_der(&license, &odd.der()).await;
    let certificate = certificate.certificate.unwrap();
    assert_eq!(
        texts(&certificate.sans),
        ["a_b.example", "c.example", "upn:jos\u{e9}@corp"]
    );
    assert_eq!(figures(&world.usage(&license).await), (3, 0, 7));
    // A SAN is recognised in another spelling.
    let mut question = world.question(&license, &["c.example"]);
    question.sans[0].value = "C.example\u{3002}".to_owned();
    let decision = world.authorize(question).await;
    assert_eq!(decision.needed, 0);
    let mut question = world.question(&license, &["upn:x@corp"]);
    question.sans[0].value = nfd.to_owned();
    assert_eq!(world.authorize(question).await.needed, 0);
}

async fn sl_6_an_edwards_key_is_called_by_its_name(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    assert_eq!(
        license.options.as_ref().unwrap().key_types,
        [KeyType::Rsa as i32, KeyType::Ecc as i32],
        "the default stays"
    );
    // A recorded certificate counts, whatever key types the licence has (SL-21).
    let recorded = |serial: u8, key: Option<Vec<u8>>| {
        let mut odd = Odd::new(&[serial], vec![dns(format!("{serial}.example").as_bytes())]);
        odd.key = key.unwrap_or(odd.key);
        odd.der()
    };
    for (der, key_type) in [
        (recorded(1, None), KeyType::Ed25519),
        (recorded(2, Some(ed448_key())), KeyType::Ed448),
    ] {
        let answer = world.record_der(&license, &der).await;
        assert_eq!(answer.certificate.unwrap().key_type(), key_type);
    }
    assert_eq!(figures(&world.usage(&license).await), (2, 0, 8));
    for key_type in [KeyType::Ed25519, KeyType::Ed448] {
        let mut question = world.question(&license, &["x.example"]);
        question.set_key_type(key_type);
        let denied = world.authorize(question).await;
        assert!(denied.reservation_id.is_empty());
        assert!(
            denied.explanation.contains("this key type"),
            "{}",
            denied.explanation
        );
    }
    let theirs = world.account_with("1000.00").await;
    let mut request = quote_request(&theirs, 10);
    request.options = Some(LicenseOptions {
        key_types: vec![KeyType::Ed448.into(), KeyType::Ed25519.into()],
        ..request.options.clone().unwrap_or_default()
    });
    let theirs = world.license_with(request).await;
    for (key_type, granted) in [
        (KeyType::Ed25519, true),
        (KeyType::Ed448, true),
        (KeyType::Ecc, false),
    ] {
        let mut question = world.question(&theirs, &["x.example"]);
        question.set_key_type(key_type);
        let decision = world.authorize(question).await;
        assert_eq!(!decision.reservation_id.is_empty(), granted, "{key_type:?}");
    }
}

async fn sl_12_a_certificate_may_have_no_end(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 10).await;
    let mut question = world.question(&license, &["a.example"]);
    // RFC 5280, 4.1.2.5: the end of a certificate without an end.
    let end = at("9999-12-31T23:59:59Z");
    question.not_after_time = Some(timestamp(end));
    let decision = world.authorize(question).await;
    assert!(
        !decision.reservation_id.is_empty(),
        "{}",
        decision.explanation
    );
    let odd = Odd::new(&[1], vec![dns(b"a.example")]);
    let mut request = report(&license, Given::CertificateDer(odd.der()));
    request.reservation_id = decision.reservation_id;
    let recorded = world.record_san(request).await.certificate.unwrap();
    assert_eq!(recorded.state(), CertificateState::Active);
    assert_eq!(instant(recorded.not_after_time), end);
    assert_eq!(figures(&world.usage(&license).await), (1, 0, 9));
}
