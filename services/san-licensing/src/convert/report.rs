//! Decodes reports of signed certificates, as X.509 or as facts (SL-14, SL-21).

use std::collections::BTreeSet;

use chrono::TimeDelta;
use licet_contracts::sanlicensing::{
    v1 as wire, v1::record_certificate_request::Certificate as Given,
};
use licet_domain::{
    certificate::{KeyKind, parse_leaf, serial},
    clock::Instant,
    ids::{AccountId, CertificateId, ProductId},
    san::San,
};
use licet_runtime::{
    fault::Fault,
    field::{Field, Fields},
    wire::decode_time,
};
use prost_types::Timestamp;
use sha2::{Digest, Sha256};

use super::{certificate::decode_key_type, san};
use crate::rules::{
    certificate::{Certificate, CertificateKey},
    license::KeyType,
};

/// The most SANs that count on one certificate.
const MAX_SANS: usize = 2000;

/// The facts of a certificate that matter for counting.
pub(super) struct Facts {
    issuer_sha256: String,
    serial_hex: String,
    sans: BTreeSet<San>,
    not_before: Instant,
    not_after: Instant,
    key_type: Option<KeyType>,
}

/// Decodes a signed certificate. It has no licence, and `now` as its record time, until it is recorded.
pub(crate) fn decode_record(
    message: &wire::RecordCertificateRequest,
    now: Instant,
) -> Result<Certificate, Fault> {
    let mut fields = Fields::new();
    let account_id = fields.required("account_id", &message.account_id);
    let product_id = fields.required("product_id", &message.product_id);
    let facts = match &message.certificate {
        None => Err(fields.note(
            "certificate_pem",
            "one of certificate_pem, certificate_der and facts is required",
        )),
        Some(Given::CertificatePem(text)) => {
            decode_leaf(&mut fields, "certificate_pem", text.as_bytes())
        }
        Some(Given::CertificateDer(bytes)) => decode_leaf(&mut fields, "certificate_der", bytes),
        Some(Given::Facts(facts)) => decode_facts(&mut fields, facts),
    };
    let reservation_id = fields.optional("reservation_id", &message.reservation_id);
    fields.request_id(message);
    fields.build(|| {
        let mut certificate = facts?.into_certificate(account_id?, product_id?, now);
        certificate.reservation_id = reservation_id?;
        Ok(certificate)
    })
}

impl Facts {
    /// The certificate with these facts.
    pub(super) fn into_certificate(
        self,
        account_id: AccountId,
        product_id: ProductId,
        now: Instant,
    ) -> Certificate {
        Certificate {
            id: CertificateId::generate(),
            license_id: None,
            key: CertificateKey {
                account_id,
                issuer_sha256: self.issuer_sha256,
                serial_hex: self.serial_hex,
            },
            product_id,
            key_type: self.key_type,
            sans: san::pack(&self.sans),
            not_before: self.not_before,
            not_after: self.not_after,
            record_time: now,
            until: active_until(self.not_after),
            revoke_time: None,
            revoke_reason: None,
            ca_revoke_time: None,
            allocate_time: None,
            reservation_id: None,
        }
    }
}

/// The first instant after notAfter, which includes its second (SL-1).
fn active_until(not_after: Instant) -> Instant {
    not_after
        .checked_add(TimeDelta::seconds(1))
        .unwrap_or(Instant::MAX)
}

/// Decodes the first certificate of `bytes`, and ignores what follows it.
pub(super) fn decode_leaf(fields: &mut Fields, path: &str, bytes: &[u8]) -> Field<Facts> {
    let leaf = parse_leaf(bytes).map_err(|error| fields.note(path, error.to_string()))?;
    san::check_recorded(fields, path, &leaf.sans, MAX_SANS)?;
    Ok(Facts {
        issuer_sha256: hex::encode(Sha256::digest(&leaf.issuer_der)),
        serial_hex: leaf.serial_hex,
        sans: leaf.sans,
        not_before: leaf.not_before,
        not_after: leaf.not_after,
        key_type: match leaf.key.kind {
            KeyKind::Rsa => Some(KeyType::Rsa),
            KeyKind::Ec => Some(KeyType::Ecc),
            KeyKind::Ed25519 => Some(KeyType::Ed25519),
            KeyKind::Ed448 => Some(KeyType::Ed448),
            KeyKind::Other => None,
        },
    })
}

pub(super) fn decode_facts(fields: &mut Fields, facts: &wire::CertificateFacts) -> Field<Facts> {
    let issuer_sha256 = decode_issuer(fields, "facts.issuer_der", &facts.issuer_der);
    let serial_hex = decode_serial(fields, "facts.serial", &facts.serial);
    let sans = san::decode_recorded(fields, "facts.sans", &facts.sans, MAX_SANS);
    let not_before = fields.message(
        "facts.not_before_time",
        facts.not_before_time.as_ref(),
        decode_time,
    );
    let not_after = fields.message(
        "facts.not_after_time",
        facts.not_after_time.as_ref(),
        decode_second,
    );
    if let (Ok(not_before), Ok(not_after)) = (not_before, not_after) {
        let in_order = not_before < active_until(not_after);
        fields.check(
            "facts.not_after_time",
            in_order,
            "must not be before not_before_time",
        );
    }
    let key_type =
        decode_key_type(facts.key_type).map_err(|error| fields.note("facts.key_type", error));
    Ok(Facts {
        issuer_sha256: issuer_sha256?,
        serial_hex: serial_hex?,
        sans: sans?,
        not_before: not_before?,
        not_after: not_after?,
        key_type: key_type?,
    })
}

/// Decodes an issuer's DER-encoded name into its digest in hexadecimal.
pub(super) fn decode_issuer(fields: &mut Fields, path: &str, der: &[u8]) -> Field<String> {
    if der.is_empty() {
        return Err(fields.note(path, "is required"));
    }
    // A Name is a SEQUENCE (RFC 5280, 4.1.2.4); sending a printed name is a common mistake.
    if der.first() != Some(&0x30) {
        return Err(fields.note(path, "must be a DER-encoded name"));
    }
    Ok(hex::encode(Sha256::digest(der)))
}

/// Decodes a serial number into the form in which serials are compared (SL-14).
pub(super) fn decode_serial(fields: &mut Fields, path: &str, text: &str) -> Field<String> {
    if text.is_empty() {
        return Err(fields.note(path, "is required"));
    }
    serial(text).map_err(|error| fields.note(path, error.to_string()))
}

/// Decodes an end of validity, truncated to the second as in X.509.
pub(super) fn decode_second(time: &Timestamp) -> Result<Instant, &'static str> {
    decode_time(&Timestamp {
        seconds: time.seconds,
        nanos: if (0..1_000_000_000).contains(&time.nanos) {
            0
        } else {
            time.nanos
        },
    })
}

#[cfg(test)]
mod tests {
    use licet_contracts::types::v1 as types;
    use licet_runtime::wire::encode_time;
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::from_micros(seconds * 1_000_000).unwrap()
    }

    fn report(facts: wire::CertificateFacts) -> wire::RecordCertificateRequest {
        wire::RecordCertificateRequest {
            account_id: AccountId::generate().to_string(),
            product_id: "intranet-dv".to_owned(),
            certificate: Some(Given::Facts(facts)),
            reservation_id: String::new(),
            request_id: Uuid::new_v4().to_string(),
        }
    }

    fn facts() -> wire::CertificateFacts {
        wire::CertificateFacts {
            issuer_der: vec![0x30, 0],
            serial: "00AB".to_owned(),
            sans: vec![wire::San {
                r#type: wire::SanType::DnsName.into(),
                value: "Example.com".to_owned(),
            }],
            not_before_time: Some(encode_time(at(100))),
            not_after_time: Some(encode_time(at(200))),
            key_type: types::KeyType::Unspecified.into(),
        }
    }

    /// SL-1, SL-14: its key is canonical, and it counts through its last second.
    #[test]
    fn sl_14_facts_name_a_certificate_in_one_way() {
        let certificate = decode_record(&report(facts()), at(150)).unwrap();
        assert_eq!(certificate.key.serial_hex, "ab");
        assert_eq!(certificate.key.issuer_sha256.len(), 64);
        assert_eq!(certificate.sans, ["d:example.com".into()]);
        assert_eq!((certificate.until, certificate.key_type), (at(201), None));
        let zero = wire::CertificateFacts {
            serial: "0000".to_owned(),
            ..facts()
        };
        assert_eq!(
            decode_record(&report(zero), at(150))
                .unwrap()
                .key
                .serial_hex,
            "0"
        );
    }

    #[test]
    fn all_that_is_wrong_with_facts_is_said_at_once() {
        let wrong = wire::CertificateFacts {
            issuer_der: b"CN=Example".to_vec(),
            serial: "0xAB".to_owned(),
            sans: vec![wire::San::default()],
            not_before_time: Some(encode_time(at(300))),
            not_after_time: Some(encode_time(at(200))),
            key_type: 9,
        };
        let fault = decode_record(&report(wrong), at(150)).unwrap_err();
        let Fault::Invalid(violations) = fault else {
            panic!("{fault}")
        };
        let paths: Vec<_> = violations
            .noted
            .iter()
            .map(|noted| noted.field.as_str())
            .collect();
        assert_eq!(
            paths,
            [
                "facts.issuer_der",
                "facts.serial",
                "facts.sans[0].type",
                "facts.not_after_time",
                "facts.key_type"
            ]
        );
    }
}
