//! Certificates: recorded, listed, revoked and awaited.

use licet_clients::san_licensing::{Authorization, encode_reason};
use licet_contracts::{
    orders::{v1 as orders, v1::record_issuance_request::Certificate as Given},
    sanlicensing::v1 as san,
    types::v1::KeyType,
};
use licet_domain::{
    certificate::{KeyKind, ParsedCertificate, parse_chain},
    clock::Instant,
    ids::{AccountId, CertificateId},
    san::SanType,
};
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::{Field, Fields},
    wire::{decode_time, encode_time},
};

use super::texts;
use crate::{
    rules::{
        certificate::{Certificate, CertificateState},
        issuance::longest_not_after,
        listing::CertificateFilter,
        order::{Order, Progress},
        pem::to_pem,
        san_license::LicenseRevocation,
    },
    use_cases::{
        begin_issuance::{BeginIssuance, StartedIssuance},
        record::RecordedCertificate,
        record_issuance::RecordIssuance,
    },
};

/// The largest chain accepted, in bytes.
const MAX_CHAIN_BYTES: usize = 256 << 10;

/// Decodes the request to begin an issuance.
pub(crate) fn decode_begin(
    _: &Call,
    message: &orders::BeginIssuanceRequest,
) -> Result<BeginIssuance, Fault> {
    let mut fields = Fields::new();
    let order_id = fields.required("order_id", &message.order_id);
    let key_type = match KeyType::try_from(message.key_type) {
        Ok(KeyType::Unspecified) => Ok(None),
        Ok(KeyType::Rsa) => Ok(Some(KeyKind::Rsa)),
        Ok(KeyType::Ecc) => Ok(Some(KeyKind::Ec)),
        Ok(KeyType::Ed25519) => Ok(Some(KeyKind::Ed25519)),
        Ok(KeyType::Ed448) => Ok(Some(KeyKind::Ed448)),
        Err(_) => Err(fields.note("key_type", "is not a known key type")),
    };
    let not_after = message.not_after_time.as_ref();
    let not_after = fields.optional_message("not_after_time", not_after, decode_time);
    fields.request_id(message);
    fields.build(|| {
        Ok(BeginIssuance {
            order_id: order_id?,
            key_type: key_type?,
            not_after: not_after?,
        })
    })
}

/// Decodes the report of a signed certificate.
pub(crate) fn decode_issuance(
    _: &Call,
    message: &orders::RecordIssuanceRequest,
) -> Result<RecordIssuance, Fault> {
    let mut fields = Fields::new();
    let order_id = fields.required("order_id", &message.order_id);
    let chain = match &message.certificate {
        None => Err(fields.note(
            "certificate_pem",
            "is required, unless certificate_der is set",
        )),
        Some(Given::CertificatePem(text)) => chain(&mut fields, "certificate_pem", text.as_bytes()),
        Some(Given::CertificateDer(bytes)) => chain(&mut fields, "certificate_der", bytes),
    };
    fields.request_id(message);
    fields.build(|| {
        let (certificate, chain_pem) = chain?;
        Ok(RecordIssuance {
            order_id: order_id?,
            certificate,
            chain_pem,
        })
    })
}

fn chain(fields: &mut Fields, path: &str, bytes: &[u8]) -> Field<(ParsedCertificate, String)> {
    if bytes.len() > MAX_CHAIN_BYTES {
        return Err(fields.note(path, format!("is longer than {MAX_CHAIN_BYTES} bytes")));
    }
    let chain = parse_chain(bytes).map_err(|error| fields.note(path, error.to_string()))?;
    let text = to_pem(
        "CERTIFICATE",
        chain.iter().map(|certificate| certificate.der.as_slice()),
    );
    match chain.into_iter().next() {
        Some(leaf) => Ok((leaf, text)),
        None => Err(fields.note(path, "contains no certificate")),
    }
}

/// Decodes the request for a certificate.
pub(crate) fn decode_get(
    _: &Call,
    message: &orders::GetCertificateRequest,
) -> Result<CertificateId, Fault> {
    let mut fields = Fields::new();
    let id = fields.required("certificate_id", &message.certificate_id);
    fields.build(|| id)
}

/// Decodes a filter of certificates.
pub(crate) fn decode_list(
    _: &Call,
    message: &orders::ListCertificatesRequest,
) -> Result<CertificateFilter, Fault> {
    use orders::CertificateState as Wire;
    let mut fields = Fields::new();
    let account_id = fields.optional("account_id", &message.account_id);
    let order_id = fields.optional("order_id", &message.order_id);
    let state = match Wire::try_from(message.state) {
        Ok(Wire::Unspecified) => Ok(None),
        Ok(Wire::Active) => Ok(Some(CertificateState::Active)),
        Ok(Wire::Superseded) => Ok(Some(CertificateState::Superseded)),
        Ok(Wire::Revoked) => Ok(Some(CertificateState::Revoked)),
        Ok(Wire::Expired) => Ok(Some(CertificateState::Expired)),
        Ok(Wire::ToRevoke) => Ok(Some(CertificateState::ToRevoke)),
        Err(_) => Err(fields.note("state", "is not a known certificate state")),
    };
    fields.build(|| {
        Ok(CertificateFilter {
            account_id: account_id?,
            order_id: order_id?,
            state: state?,
        })
    })
}

/// Decodes whose pending issuances to list.
pub(crate) fn decode_pending(
    _: &Call,
    message: &orders::ListPendingIssuanceRequest,
) -> Result<Option<AccountId>, Fault> {
    let mut fields = Fields::new();
    let account_id = fields.optional("account_id", &message.account_id);
    fields.build(|| account_id)
}

/// A certificate with its state at `now`.
pub(crate) fn encode(certificate: &Certificate, now: Instant) -> orders::Certificate {
    use orders::CertificateState as Wire;
    let state = match certificate.state(now) {
        CertificateState::Active => Wire::Active,
        CertificateState::Superseded => Wire::Superseded,
        CertificateState::Revoked => Wire::Revoked,
        CertificateState::Expired => Wire::Expired,
        CertificateState::ToRevoke => Wire::ToRevoke,
    };
    let dns_names = certificate
        .names
        .iter()
        .filter(|name| matches!(name.kind(), SanType::DnsName));
    orders::Certificate {
        certificate_id: certificate.id.to_string(),
        order_id: certificate.order_id.to_string(),
        account_id: certificate.account_id.to_string(),
        serial: certificate.serial_hex.clone(),
        issuer: certificate.issuer.clone(),
        subject: certificate.subject.clone(),
        common_name: certificate.common_name.value().to_owned(),
        names: texts(dns_names),
        not_before_time: Some(encode_time(certificate.not_before)),
        not_after_time: Some(encode_time(certificate.not_after)),
        key_type: certificate.key_type.clone(),
        fingerprint_sha256: hex::encode(certificate.fingerprint_sha256),
        state: state.into(),
        record_time: Some(encode_time(certificate.record_time)),
        revoke_time: certificate.revoke_time.map(encode_time),
        chain_pem: certificate.chain_pem.clone(),
        revocation_reason: revocation_reason(certificate, now).into(),
    }
}

/// Why a certificate counts as revoked at `now`: the reason given, or what replaced or ended it.
fn revocation_reason(certificate: &Certificate, now: Instant) -> san::RevocationReason {
    let reason = match certificate.state(now) {
        CertificateState::Active | CertificateState::Superseded | CertificateState::Expired => None,
        CertificateState::Revoked | CertificateState::ToRevoke => {
            Some(LicenseRevocation::reason_of(certificate))
        }
    };
    reason.map_or(san::RevocationReason::Unspecified, encode_reason)
}

/// What is to be signed for an order, if it is signed at `now`.
pub(crate) fn encode_pending(order: &Order, now: Instant) -> orders::PendingIssuance {
    use orders::PendingIssuanceReason as Reason;
    let moves = order.wanted_common_name() != &order.common_name;
    let reason = if order.progress == Progress::Paid {
        Reason::First
    } else if moves || order.wanted_names() != &order.names {
        Reason::DomainChange
    } else {
        Reason::Reissue
    };
    let request = order.signing_request.as_ref();
    orders::PendingIssuance {
        order_id: order.id.to_string(),
        account_id: order.account_id.to_string(),
        common_name: order.wanted_common_name().value().to_owned(),
        names: texts(order.wanted_names()),
        csr: request
            .map(|request| request.pem.clone())
            .unwrap_or_default(),
        latest_not_after_time: longest_not_after(order, now).map(encode_time),
        reason: reason.into(),
        since_time: order.issuance_pending_since().map(encode_time),
    }
}

/// What is to be signed, and SanLicensing's authorisation.
pub(crate) fn encode_started(started: StartedIssuance) -> orders::BeginIssuanceResponse {
    orders::BeginIssuanceResponse {
        pending_issuance: Some(encode_pending(&started.order, started.now)),
        authorization: started.authorization.map(Authorization::into_message),
    }
}

/// The recorded certificate and its order.
pub(crate) fn encode_recorded(
    recorded: &RecordedCertificate,
) -> Result<orders::RecordIssuanceResponse, Fault> {
    let now = recorded.view.now;
    let certificate = recorded.certificate.as_ref();
    Ok(orders::RecordIssuanceResponse {
        certificate: certificate.map(|found| encode(found, now)),
        order: Some(super::order::encode(&recorded.view)?),
    })
}
