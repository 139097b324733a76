//! Batches of reports, feeds, and refused records (SL-14). A malformed record is refused alone; only an error
//! in the batch itself fails the call.

use licet_contracts::sanlicensing::{
    v1 as wire,
    v1::{ingest_record::Report as Given, reported_revocation::Issuer},
};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId},
    private_key::holds_private_key,
    refusal::Refusal,
};
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::{Field, Fields},
    wire::{decode_time, encode_time},
};
use prost::Message;
use sha2::{Digest, Sha256};

use super::{
    certificate::decode_reason,
    report::{decode_facts, decode_issuer, decode_leaf, decode_serial},
};
use crate::{
    quota::{Acknowledgement, Batch, BatchHeader, command::Allocate},
    rules::{
        certificate::{CertificateKey, EarlyRevocation},
        feed::{
            Feed, IngestCounts, ListedRefusal, RecordRefusal, RefusedRecord, Report,
            ReportedRevocation,
        },
        not_found,
    },
};

/// The most records of a batch.
const MAX_RECORDS: usize = 1000;
/// The most SANs of a batch; they dominate its memory.
const MAX_SANS: usize = 50_000;
/// The longest feed id, in bytes.
const MAX_FEED_ID_BYTES: usize = 128;
/// The longest cursor, in bytes.
const MAX_CURSOR_BYTES: usize = 1024;
/// The most bytes of a refused record that are stored.
const MAX_CONTENT_BYTES: usize = 8192;
/// The most reasons stored for a refused record, and the most bytes of each.
const MAX_REASONS: usize = 20;
const MAX_REASON_BYTES: usize = 300;
/// The reason of a refused record that holds a private key.
const PRIVATE_KEY: &str = "contains a private key, which must not leave its owner: nothing of the record was stored; \
    send it without the key, and replace the key";
/// The most refused records in an acknowledgement.
const MAX_ACKNOWLEDGED: usize = 20;

/// Decodes a batch accepted at `now`.
pub(crate) fn decode_batch(
    message: wire::IngestCertificatesRequest,
    call: &Call,
    now: Instant,
) -> Result<Batch, Fault> {
    let mut fields = Fields::new();
    let feed_id = decode_feed(&mut fields, &message.feed_id);
    let cursor = decode_cursor(&mut fields, &message.cursor);
    let sequence = u64::try_from(message.sequence).ok();
    let sequence = sequence
        .filter(|sequence| *sequence > 0)
        .ok_or_else(|| fields.note("sequence", "must be at least 1"));
    if message.records.len() > MAX_RECORDS {
        fields.note(
            "records",
            format!("must have at most {MAX_RECORDS} elements"),
        );
    }
    let (feed_id, cursor, sequence) = fields.build(|| Ok((feed_id?, cursor?, sequence?)))?;
    let header = BatchHeader {
        feed_id: feed_id.into(),
        sequence,
        cursor,
        fingerprint: Sha256::digest(message.encode_to_vec()).into(),
        encode: encode_acknowledgement,
    };
    let mut reports = Vec::with_capacity(message.records.len());
    let mut refused = Vec::new();
    let mut sans = 0;
    for (index, record) in (0..).zip(&message.records) {
        match decode_record(record, call, now) {
            Ok(report) => {
                if let Report::Certificate(certificate) = &report {
                    sans += certificate.sans.len();
                }
                reports.push((index, report));
            }
            Err(fault) => refused.push(refuse(index, record, fault)?),
        }
        if sans > MAX_SANS {
            let text = format!("must have at most {MAX_SANS} SANs in all");
            return Err(Fault::invalid("records", text));
        }
    }
    let records = message.records;
    Ok(Batch {
        origin: call.origin(&format!("{}/{sequence}", header.feed_id)),
        scope: call.caller.accounts.clone(),
        clock: now,
        header: Some(header),
        reports,
        refused,
        content: Box::new(move |index| {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            records.get(index).map(content).unwrap_or_default()
        }),
    })
}

fn decode_feed(fields: &mut Fields, text: &str) -> Field<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte);
    if text.is_empty() || text.len() > MAX_FEED_ID_BYTES || !text.bytes().all(is_plain) {
        let text =
            format!("must have 1 to {MAX_FEED_ID_BYTES} characters out of A-Z a-z 0-9 - . _ : /");
        return Err(fields.note("feed_id", text));
    }
    Ok(text.to_owned())
}

/// Decodes a feed id.
pub(crate) fn decode_feed_id(text: &str) -> Result<String, Fault> {
    let mut fields = Fields::new();
    let feed_id = decode_feed(&mut fields, text);
    fields.build(|| feed_id)
}

/// Decodes a cursor, an opaque text of the sender.
fn decode_cursor(fields: &mut Fields, text: &str) -> Field<String> {
    if text.len() > MAX_CURSOR_BYTES {
        return Err(fields.note(
            "cursor",
            format!("must have at most {MAX_CURSOR_BYTES} bytes"),
        ));
    }
    if text.contains('\0') {
        return Err(fields.note("cursor", "must not contain NUL"));
    }
    Ok(text.to_owned())
}

fn decode_record(record: &wire::IngestRecord, call: &Call, now: Instant) -> Result<Report, Fault> {
    let mut fields = Fields::new();
    let account_id = fields.required::<AccountId>("account_id", &record.account_id);
    let facts = match &record.report {
        None => {
            let text = "one of certificate_der, facts and revocation is required";
            Err(fields.note("certificate_der", text))
        }
        Some(Given::CertificateDer(bytes)) => decode_leaf(&mut fields, "certificate_der", bytes),
        Some(Given::Facts(facts)) => decode_facts(&mut fields, facts),
        Some(Given::Revocation(given)) => {
            let reported = decode_revocation(&mut fields, account_id, given);
            let reported = fields.build(|| reported)?;
            check_account(call, reported.key.account_id)?;
            return Ok(Report::Revocation(reported));
        }
    };
    let product_id = fields.required("product_id", &record.product_id);
    let (facts, account_id, product_id) =
        fields.build(|| Ok((facts?, account_id?, product_id?)))?;
    check_account(call, account_id)?;
    let certificate = facts.into_certificate(account_id, product_id, now);
    Ok(Report::Certificate(certificate))
}

/// Refuses an account that the caller does not see. An account without a licence is fine (SL-16).
fn check_account(call: &Call, account_id: AccountId) -> Result<(), Refusal> {
    if call.caller.sees(account_id) {
        Ok(())
    } else {
        Err(not_found("account", account_id))
    }
}

fn decode_revocation(
    fields: &mut Fields,
    account_id: Field<AccountId>,
    given: &wire::ReportedRevocation,
) -> Field<ReportedRevocation> {
    let issuer_sha256 = match &given.issuer {
        None => Err(fields.note(
            "revocation.issuer_der",
            "one of issuer_der and issuer_sha256 is required",
        )),
        Some(Issuer::IssuerDer(der)) => decode_issuer(fields, "revocation.issuer_der", der),
        Some(Issuer::IssuerSha256(digest)) if digest.len() == 32 => Ok(hex::encode(digest)),
        Some(Issuer::IssuerSha256(_)) => {
            Err(fields.note("revocation.issuer_sha256", "must have 32 bytes"))
        }
    };
    let serial_hex = decode_serial(fields, "revocation.serial", &given.serial);
    let reason = decode_reason(given.reason).ok_or_else(|| {
        let text = "is not a permitted revocation reason";
        fields.note("revocation.reason", text)
    });
    let path = "revocation.revoke_time";
    let ca_time = fields.optional_message(path, given.revoke_time.as_ref(), decode_time);
    Ok(ReportedRevocation {
        key: CertificateKey {
            account_id: account_id?,
            issuer_sha256: issuer_sha256?,
            serial_hex: serial_hex?,
        },
        revocation: EarlyRevocation {
            reason: reason?,
            ca_time: ca_time?,
        },
    })
}

/// The refused record. An internal fault fails the batch instead.
fn refuse(index: u32, record: &wire::IngestRecord, fault: Fault) -> Result<RefusedRecord, Fault> {
    let (refusal, reasons) = match fault {
        Fault::Invalid(violations) => {
            let each = violations.noted.into_iter().take(MAX_REASONS);
            let reasons = each.map(|noted| format!("{} {}", noted.field, noted.description));
            (RecordRefusal::Malformed, reasons.collect())
        }
        Fault::Refused(refusal) => (RecordRefusal::NotFound, vec![refusal.message]),
        fault @ (Fault::Transient(_) | Fault::Contention(_) | Fault::Internal(_)) => {
            return Err(fault);
        }
    };
    let mut reasons: Vec<String> = reasons;
    if holds_private_key(&record.encode_to_vec()) {
        // The other reasons may quote the key.
        reasons = vec![PRIVATE_KEY.to_owned()];
    }
    let (content, content_bytes) = content(record);
    Ok(RefusedRecord {
        index,
        refusal,
        reasons: reasons.iter().map(|text| plain(text)).collect(),
        content,
        content_bytes,
    })
}

/// Makes a reason one bounded line without control characters: it may quote the client.
fn plain(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_REASON_BYTES);
    let each = text[..end].chars();
    each.map(|sign| if sign.is_control() { ' ' } else { sign })
        .collect()
}

/// What is stored of a refused record: nothing if it holds a private key.
fn content(record: &wire::IngestRecord) -> (Vec<u8>, u64) {
    let mut bytes = record.encode_to_vec();
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if holds_private_key(&bytes) {
        return (Vec::new(), length);
    }
    bytes.truncate(MAX_CONTENT_BYTES);
    (bytes, length)
}

fn encode_acknowledgement(acknowledged: &Acknowledgement<'_>) -> Vec<u8> {
    let feed = acknowledged.feed;
    let refused = acknowledged.refused.iter().take(MAX_ACKNOWLEDGED);
    let response = wire::IngestCertificatesResponse {
        feed_id: feed.id.to_string(),
        cursor: feed.cursor.clone(),
        sequence: encode_number(feed.sequence),
        counts: Some(encode_counts(acknowledged.counts)),
        refused: refused
            .map(|record| wire::RefusedRecord {
                content: Vec::new(),
                ..encode_refused(feed.sequence, record, acknowledged.now)
            })
            .collect(),
    };
    response.encode_to_vec()
}

fn encode_number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn encode_counts(counts: IngestCounts) -> wire::IngestCounts {
    wire::IngestCounts {
        recorded: encode_number(counts.recorded),
        unallocated: encode_number(counts.unallocated),
        revoked: encode_number(counts.revoked),
        kept_for_later: encode_number(counts.kept_for_later),
        already_known: encode_number(counts.already_known),
        refused: encode_number(counts.refused),
    }
}

fn encode_refused(sequence: u64, record: &RefusedRecord, time: Instant) -> wire::RefusedRecord {
    use wire::RecordRefusal as Wire;
    let refusal = match record.refusal {
        RecordRefusal::Malformed => Wire::Malformed,
        RecordRefusal::CertificateConflict => Wire::CertificateConflict,
        RecordRefusal::NotFound => Wire::NotFound,
    };
    wire::RefusedRecord {
        sequence: encode_number(sequence),
        index: i32::try_from(record.index).unwrap_or(i32::MAX),
        refusal: refusal.into(),
        reasons: record.reasons.clone(),
        refuse_time: Some(encode_time(time)),
        content: record.content.clone(),
        content_bytes: encode_number(record.content_bytes),
    }
}

/// Encodes a refused record.
pub(crate) fn encode_listed(listed: &ListedRefusal) -> wire::RefusedRecord {
    encode_refused(listed.sequence, &listed.record, listed.refuse_time)
}

/// Encodes a feed.
pub(crate) fn encode_feed(feed: &Feed) -> wire::Feed {
    wire::Feed {
        feed_id: feed.id.to_string(),
        sequence: encode_number(feed.sequence),
        cursor: feed.cursor.clone(),
        update_time: Some(encode_time(feed.update_time)),
        create_time: Some(encode_time(feed.create_time)),
        counts: Some(encode_counts(feed.counts)),
        opened_by: feed.opened_by.clone(),
    }
}

/// Decodes an allocation.
pub(crate) fn decode_allocate(
    message: &wire::AllocateCertificateRequest,
) -> Result<(LicenseId, Allocate), Fault> {
    let mut fields = Fields::new();
    let certificate_id = fields.required("certificate_id", &message.certificate_id);
    let license_id = fields.required("license_id", &message.license_id);
    fields.request_id(message);
    fields.build(|| {
        Ok((
            license_id?,
            Allocate {
                id: certificate_id?,
            },
        ))
    })
}

/// Decodes the account of ListUnallocated; `None` for all that the caller sees.
pub(crate) fn decode_unallocated(
    message: &wire::ListUnallocatedRequest,
) -> Result<Option<AccountId>, Fault> {
    let mut fields = Fields::new();
    let account_id = fields.optional("account_id", &message.account_id);
    fields.build(|| account_id)
}
