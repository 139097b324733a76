//! Records a certificate on its order, in one transaction: the certificates that it replaces are
//! superseded at once (MD-7), never by a later sweep. The checks were made before.

use licet_domain::{
    certificate::{ParsedCertificate, parse_chain},
    clock::Instant,
    ids::CertificateId,
    refusal::{Reason, Refusal},
};
use licet_runtime::{caller::Origin, database::Tx, fault::Fault};
use sha2::{Digest, Sha256};

use super::event::OrderEvent;
use crate::{
    events::CertificateRecorded,
    queries::order_view::OrderView,
    rules::{
        certificate::{Certificate, LicenseRecord, key_type},
        issuance::superseded_revoke_time,
        order::{Order, Progress},
        servers::registered,
    },
    store,
};

/// A certificate to be recorded.
pub(super) struct CertificateRecord<'a> {
    pub(super) certificate: &'a ParsedCertificate,
    /// The certificate and its chain, as PEM.
    pub(super) chain_pem: &'a str,
    pub(super) origin: &'a Origin,
    /// The decision time.
    pub(super) now: Instant,
    /// Its record in the SAN licence.
    pub(super) license_record: Option<LicenseRecord>,
    /// Whether its SAN licence is over its quota with it (SL-21).
    pub(super) over_quota: bool,
}

impl CertificateRecord<'_> {
    /// Records the certificate. If the order is deleted it is recorded all the same, because it
    /// exists, and the CA is told to revoke it.
    pub(super) async fn apply(
        &self,
        tx: &Tx,
        before: &Order,
    ) -> Result<(Order, Certificate), Fault> {
        let is_deleted = before.progress == Progress::Deleted;
        let certificate = self.certificate(before, is_deleted);
        let after = if is_deleted {
            before.clone().apply_decision(self.now)
        } else {
            let not_before = certificate.not_before;
            let revoke_time = superseded_revoke_time(before, not_before, self.now);
            store::certificates::supersede(tx, before, self.now, revoke_time).await?;
            before.clone().apply_issuance(self.now)
        };
        if after.common_name != before.common_name {
            // MD-5: the primary server follows the new common name.
            let servers = store::servers::list_of(tx, &after).await?;
            let ids: Vec<_> = registered(&servers).map(|server| server.id).collect();
            store::servers::set_common_name(tx, &after, &ids).await?;
        }
        store::certificates::insert(tx, &certificate).await?;
        store::orders::save(tx, before, &after).await?;
        Ok((after, certificate))
    }

    fn certificate(&self, order: &Order, to_revoke: bool) -> Certificate {
        let parsed = self.certificate;
        Certificate {
            id: CertificateId::generate(),
            account_id: order.account_id,
            order_id: order.id,
            chain_pem: self.chain_pem.to_owned(),
            fingerprint_sha256: parsed.fingerprint_sha256,
            issuer_sha256: Some(issuer_digest(&parsed.issuer_der)),
            serial_hex: parsed.serial_hex.clone(),
            issuer: parsed.issuer.clone(),
            subject: parsed.subject.clone(),
            common_name: order.wanted_common_name().clone(),
            key_type: key_type(parsed.key),
            names: parsed.sans.clone(),
            not_before: parsed.not_before,
            not_after: parsed.not_after,
            record_time: self.now,
            superseded_time: None,
            revoke_time: to_revoke.then_some(self.now),
            revoke_reason: None,
            to_revoke,
            license_record: self.license_record,
        }
    }

    /// Writes the event; last in the transaction.
    pub(super) async fn emit(
        &self,
        tx: &Tx,
        after: &Order,
        certificate: &Certificate,
    ) -> Result<(), Fault> {
        let (why, outcome, revoke_time) = if certificate.to_revoke {
            ("X-8", "TO_REVOKE", None)
        } else {
            let time = superseded_revoke_time(after, certificate.not_before, self.now);
            ("MD-7", "ISSUED", time)
        };
        let event = OrderEvent {
            resource: after,
            origin: self.origin,
            time: self.now,
            why,
            outcome,
            data: CertificateRecorded {
                certificate_id: certificate.id,
                serial: &certificate.serial_hex,
                common_name: certificate.common_name.value(),
                superseded_revoke_time: revoke_time,
                san_license_id: self.license_record.map(|record| record.license_id),
                over_quota: self.over_quota,
            },
        };
        event.emit(tx).await
    }
}

/// A certificate that the account recorded before, and that a new record meets.
pub(super) enum ExistingRecord {
    /// There is none.
    None,
    /// The same certificate, for this order.
    SameOrder(Box<Certificate>),
    /// The same certificate, for another order.
    OtherOrder(Box<Certificate>),
    /// Another certificate of the same issuer and serial (SL-14).
    Conflict(Box<Certificate>),
}

impl ExistingRecord {
    /// Looks for one.
    pub(super) async fn find(
        tx: &Tx,
        order: &Order,
        certificate: &ParsedCertificate,
    ) -> Result<Self, Fault> {
        let fingerprint = &certificate.fingerprint_sha256;
        let same = store::certificates::find_same(tx, order.account_id, fingerprint).await?;
        if let Some(known) = same {
            return Ok(if known.order_id == order.id {
                Self::SameOrder(Box::new(known))
            } else {
                Self::OtherOrder(Box::new(known))
            });
        }
        let another = find_another(tx, order, certificate).await?;
        Ok(another.map_or(Self::None, |known| Self::Conflict(Box::new(known))))
    }

    /// The certificate if this order has it; a refusal if it cannot be recorded.
    pub(super) fn into_recorded(self) -> Result<Option<Certificate>, Refusal> {
        match self {
            Self::None => Ok(None),
            Self::SameOrder(known) => Ok(Some(*known)),
            Self::OtherOrder(known) => Err(recorded_elsewhere(&known)),
            Self::Conflict(known) => Err(conflict(&known)),
        }
    }
}

/// Refuses a certificate that another order of the account has.
pub(super) fn recorded_elsewhere(known: &Certificate) -> Refusal {
    Refusal::new(
        Reason::AlreadyExists,
        format!(
            "this certificate is already recorded as {} for order {}",
            known.id, known.order_id
        ),
    )
    .with("resource", "certificate")
    .with("id", known.id)
}

/// An issuer gives each serial number to one certificate only (RFC 5280, 4.1.2.2).
async fn find_another(
    tx: &Tx,
    order: &Order,
    parsed: &ParsedCertificate,
) -> Result<Option<Certificate>, Fault> {
    let serial = &parsed.serial_hex;
    let issuer = issuer_digest(&parsed.issuer_der);
    for known in store::certificates::list_by_serial(tx, order.account_id, serial).await? {
        let of_known = match known.issuer_sha256 {
            Some(digest) => digest,
            None => stored_issuer(&known)?,
        };
        if of_known == issuer {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

/// Refuses another certificate with the issuer and serial of `known`.
pub(super) fn conflict(known: &Certificate) -> Refusal {
    Refusal::new(
        Reason::CertificateConflict,
        format!(
            "another certificate with this issuer and serial is already recorded as {} for order {}",
            known.id, known.order_id
        ),
    )
    .with("certificate_id", known.id)
    .with("serial", &known.serial_hex)
}

/// The issuer of a certificate that was recorded before issuers were stored.
fn stored_issuer(known: &Certificate) -> Result<[u8; 32], Fault> {
    let chain = parse_chain(known.chain_pem.as_bytes()).map_err(Fault::internal)?;
    let leaf = chain.first();
    let leaf = leaf.ok_or_else(|| Fault::internal(format!("{} has no chain", known.id)))?;
    Ok(issuer_digest(&leaf.issuer_der))
}

fn issuer_digest(issuer_der: &[u8]) -> [u8; 32] {
    Sha256::digest(issuer_der).into()
}

/// A recorded certificate and its order; the certificate is absent while it is being recorded.
#[derive(Debug)]
pub(crate) struct RecordedCertificate {
    pub(crate) certificate: Option<Certificate>,
    pub(crate) view: OrderView,
}
