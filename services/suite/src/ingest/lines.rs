//! Records as JSON lines: one record per line.

use licet_contracts::{
    sanlicensing::v1::{
        CertificateFacts, IngestRecord, ReportedRevocation, RevocationReason, San, SanType,
        ingest_record::Report, reported_revocation::Issuer,
    },
    types::v1::KeyType,
};
use licet_domain::clock::Instant;
use licet_runtime::wire::encode_time;
use prost_types::Timestamp;
use serde::Deserialize;

/// The formats, for `--help`.
pub(super) const FORMAT: &str = "\
JSON lines have one object per line, for a certificate that was signed or one that was revoked:

  {\"report\": \"certificate\", \"issuer_der\": \"301f…\", \"serial\": \"0a1b\",
   \"sans\": [\"dns:example.com\", \"ip:192.0.2.1\", \"email:a@example.com\", \"upn:a@example.com\"],
   \"not_before\": \"2026-01-01T00:00:00Z\", \"not_after\": \"2026-03-31T23:59:59Z\", \"key_type\": \"ECC\"}
  {\"report\": \"revocation\", \"issuer_der\": \"301f…\", \"serial\": \"0a1b\", \"reason\": \"KEY_COMPROMISE\",
   \"revoke_time\": \"2026-02-01T12:00:00Z\"}

issuer_der is the issuer's name as DER in hexadecimal; a revocation can have issuer_sha256, its SHA-256,
instead. key_type (RSA, ECC, ED25519 or ED448), reason and revoke_time are optional. Reasons are spelled
as in RFC 5280, keyCompromise, or KEY_COMPROMISE; certificateHold is refused, because it is not permanent.
\"account\" and \"product\" in a line override --account and --product.

A file can mix PEM and JSON lines, with any line ends, and with none where files were joined. Unreadable
lines and files and refused records are listed with file, line and serial number; everything else is
sent. Private keys, requests and revocation lists are refused and never sent.

For each feed, SanLicensing stores how many records were passed and a digest of them. Run again with the
same files, the command resumes after those; files with other content are sent from their start. Records
that are already known change nothing. A refused record, and the records after it, are sent again on the
next run, until it is accepted or --skip-refused is given.

Exit status: 0, or 1 if anything was refused or a feed was interrupted.";

/// The account and product of records that name none themselves.
pub(super) struct Defaults {
    pub(super) account_id: Option<String>,
    pub(super) product_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "report", rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Certificate {
        account: Option<String>,
        product: Option<String>,
        issuer_der: String,
        serial: String,
        sans: Vec<String>,
        not_before: String,
        not_after: String,
        key_type: Option<String>,
    },
    Revocation {
        account: Option<String>,
        issuer_der: Option<String>,
        issuer_sha256: Option<String>,
        serial: String,
        reason: Option<String>,
        revoke_time: Option<String>,
    },
}

/// Parses one line.
pub(super) fn read(line: &[u8], defaults: &Defaults) -> Result<IngestRecord, String> {
    match serde_json::from_slice(line).map_err(|error| error.to_string())? {
        Line::Certificate {
            account,
            product,
            issuer_der,
            serial,
            sans,
            not_before,
            not_after,
            key_type,
        } => Ok(IngestRecord {
            account_id: owner(account, &defaults.account_id, "--account")?,
            product_id: owner(product, &defaults.product_id, "--product")?,
            report: Some(Report::Facts(CertificateFacts {
                issuer_der: bytes("issuer_der", &issuer_der)?,
                serial,
                sans: sans
                    .iter()
                    .map(|text| san(text))
                    .collect::<Result<_, _>>()?,
                not_before_time: Some(time("not_before", &not_before)?),
                not_after_time: Some(time("not_after", &not_after)?),
                key_type: key(key_type.as_deref())?.into(),
            })),
        }),
        Line::Revocation {
            account,
            issuer_der,
            issuer_sha256,
            serial,
            reason,
            revoke_time,
        } => {
            let by_name = issuer_der.map(|text| bytes("issuer_der", &text).map(Issuer::IssuerDer));
            let by_digest =
                issuer_sha256.map(|text| bytes("issuer_sha256", &text).map(Issuer::IssuerSha256));
            let revoke_time = revoke_time.map(|text| time("revoke_time", &text));
            Ok(IngestRecord {
                account_id: owner(account, &defaults.account_id, "--account")?,
                product_id: String::new(),
                report: Some(Report::Revocation(ReportedRevocation {
                    issuer: by_name.or(by_digest).transpose()?,
                    serial,
                    reason: reason_of(reason.as_deref())?.into(),
                    revoke_time: revoke_time.transpose()?,
                })),
            })
        }
    }
}

/// The account or product of a record.
pub(super) fn owner(
    given: Option<String>,
    default: &Option<String>,
    option: &str,
) -> Result<String, String> {
    given
        .or_else(|| default.clone())
        .ok_or_else(|| format!("needs {option}, or {:?} in the line", &option[2..]))
}

/// The serial number in a line that is not a valid record, if it can be found.
pub(super) fn serial(line: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    Some(value.get("serial")?.as_str()?.to_owned())
}

fn bytes(field: &str, text: &str) -> Result<Vec<u8>, String> {
    hex::decode(text).map_err(|error| format!("{field}: {error}"))
}

fn time(field: &str, text: &str) -> Result<Timestamp, String> {
    let instant: Instant = text.parse().map_err(|error| format!("{field}: {error}"))?;
    Ok(encode_time(instant))
}

fn san(text: &str) -> Result<San, String> {
    let (kind, value) = text
        .split_once(':')
        .ok_or_else(|| format!("sans: {text:?} has no type, as in \"dns:example.com\""))?;
    let kind = match kind {
        "dns" => SanType::DnsName,
        "ip" => SanType::IpAddress,
        "email" => SanType::Rfc822Name,
        "upn" => SanType::Upn,
        other => return Err(format!("sans: {other:?} is not one of dns, ip, email, upn")),
    };
    Ok(San {
        r#type: kind.into(),
        value: value.to_owned(),
    })
}

fn key(text: Option<&str>) -> Result<KeyType, String> {
    match text {
        None => Ok(KeyType::Unspecified),
        Some("RSA") => Ok(KeyType::Rsa),
        Some("ECC") => Ok(KeyType::Ecc),
        Some("ED25519") => Ok(KeyType::Ed25519),
        Some("ED448") => Ok(KeyType::Ed448),
        Some(other) => Err(format!(
            "key_type: {other:?} is not one of RSA, ECC, ED25519, ED448"
        )),
    }
}

/// A reason in the contract's spelling or in that of RFC 5280, 5.3.1; they differ in case and
/// underscores.
fn reason_of(text: Option<&str>) -> Result<RevocationReason, String> {
    let Some(text) = text else {
        return Ok(RevocationReason::Unspecified);
    };
    let same = |name: &str| {
        let name = name.trim_start_matches("REVOCATION_REASON_");
        let letters = |text: &str| text.replace('_', "").to_ascii_lowercase();
        letters(name) == letters(text)
    };
    let last = i32::from(RevocationReason::AaCompromise);
    let mut every = (0..=last).filter_map(|number| RevocationReason::try_from(number).ok());
    every
        .find(|reason| same(reason.as_str_name()))
        .ok_or_else(|| {
            format!("reason: {text:?} is not a reason of RFC 5280 for a permanent revocation")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_line(line: &str) -> Result<IngestRecord, String> {
        let defaults = Defaults {
            account_id: Some("acc".to_owned()),
            product_id: None,
        };
        read(line.as_bytes(), &defaults)
    }

    #[test]
    fn sl_14_a_line_is_a_certificate_or_a_revocation() {
        let certificate = r#"{"report":"certificate","product":"p","issuer_der":"3000","serial":"0a",
            "sans":["dns:Example.com","ip:2001:db8::1"],"not_before":"2026-01-01T00:00:00Z",
            "not_after":"2026-03-31T23:59:59Z","key_type":"ECC"}"#;
        let record = read_line(certificate).unwrap();
        assert_eq!((&*record.account_id, &*record.product_id), ("acc", "p"));
        let Some(Report::Facts(facts)) = record.report else {
            panic!("no facts")
        };
        assert_eq!(facts.sans[1].value, "2001:db8::1");
        assert_eq!((facts.issuer_der, facts.key_type), (vec![0x30, 0], 2));
        let revocation = r#"{"report":"revocation","issuer_sha256":"00ff","serial":"0a",
            "reason":"SUPERSEDED"}"#;
        let Some(Report::Revocation(revocation)) = read_line(revocation).unwrap().report else {
            panic!("no revocation")
        };
        assert_eq!(revocation.reason(), RevocationReason::Superseded);
        assert_eq!(revocation.issuer, Some(Issuer::IssuerSha256(vec![0, 255])));
    }

    #[test]
    fn sl_19_a_reason_is_spelled_as_in_rfc_5280_or_in_the_contract() {
        use RevocationReason as Reason;
        for (rfc, ours, reason) in [
            ("unspecified", "UNSPECIFIED", Reason::Unspecified),
            ("keyCompromise", "KEY_COMPROMISE", Reason::KeyCompromise),
            ("cACompromise", "CA_COMPROMISE", Reason::CaCompromise),
            (
                "affiliationChanged",
                "AFFILIATION_CHANGED",
                Reason::AffiliationChanged,
            ),
            ("superseded", "SUPERSEDED", Reason::Superseded),
            (
                "cessationOfOperation",
                "CESSATION_OF_OPERATION",
                Reason::CessationOfOperation,
            ),
            (
                "privilegeWithdrawn",
                "PRIVILEGE_WITHDRAWN",
                Reason::PrivilegeWithdrawn,
            ),
            ("aACompromise", "AA_COMPROMISE", Reason::AaCompromise),
        ] {
            assert_eq!(reason_of(Some(rfc)), Ok(reason));
            assert_eq!(reason_of(Some(ours)), Ok(reason));
        }
        for other in [
            "certificateHold",
            "CERTIFICATE_HOLD",
            "removeFromCRL",
            "",
            "key",
        ] {
            assert!(reason_of(Some(other)).is_err(), "{other}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        for (line, what) in [
            ("{", "EOF"),
            (r#"{"report":"certificate"}"#, "missing field"),
            (r#"{"report":"revocation","serial":"1","typo":1}"#, "typo"),
            (
                r#"{"report":"revocation","serial":"1","reason":"CERTIFICATE_HOLD"}"#,
                "reason",
            ),
            (
                r#"{"report":"revocation","serial":"1","issuer_der":"x"}"#,
                "issuer_der",
            ),
            (
                r#"{"report":"certificate","issuer_der":"","serial":"1","sans":[],"not_before":"","not_after":""}"#,
                "--product",
            ),
        ] {
            let error = read_line(line).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
    }
}
