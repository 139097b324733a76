//! The record of a certificate on its order, in one transaction: what it replaces is superseded
//! there and then (MD-7), never by a later sweep. That it may be recorded was decided before.

use licet_contracts::orders::v1 as orders;
use licet_domain::{
    clock::Instant,
    ids::CertificateId,
    refusal::{Reason, Refusal},
};
use licet_runtime::{caller::Origin, database::Tx, fault::Fault};

use super::event::{OrderEvent, emit};
use crate::{
    convert::{
        self,
        certificate::{Issuance, key_type},
        order::OrderView,
    },
    rules::{
        certificate::Certificate,
        issuance::superseded_revoke_time,
        order::{Order, Progress},
        san_license::Counted,
    },
    store,
};

/// A certificate to be recorded.
pub(super) struct Record<'a> {
    pub(super) issuance: &'a Issuance,
    pub(super) origin: &'a Origin,
    /// When it was accepted.
    pub(super) now: Instant,
    /// Where it counts.
    pub(super) counted: Option<Counted>,
    /// With it, its SAN licence is over its quota (SL-21).
    pub(super) over_quota: bool,
}

impl Record<'_> {
    /// Records it. One that comes after the order's deletion exists all the same: it is kept, and
    /// the CA is told to revoke it.
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
            let revoke_time = superseded_revoke_time(before, self.now);
            store::certificates::supersede(tx, before.id, self.now, revoke_time).await?;
            before.clone().apply_issuance(self.now)
        };
        store::certificates::insert(tx, &certificate).await?;
        store::orders::save(tx, before, &after).await?;
        Ok((after, certificate))
    }

    fn certificate(&self, order: &Order, to_revoke: bool) -> Certificate {
        let parsed = &self.issuance.certificate;
        Certificate {
            id: CertificateId::generate(),
            account_id: order.account_id,
            order_id: order.id,
            chain_pem: self.issuance.chain_pem.clone(),
            fingerprint_sha256: parsed.fingerprint_sha256,
            serial_hex: parsed.serial_hex.clone(),
            issuer: parsed.issuer.clone(),
            subject: parsed.subject.clone(),
            common_name: order.common_name.clone(),
            key_type: key_type(parsed.key),
            names: parsed.sans.clone(),
            not_before: parsed.not_before,
            not_after: parsed.not_after,
            record_time: self.now,
            superseded_time: None,
            revoke_time: to_revoke.then_some(self.now),
            revoke_reason: None,
            to_revoke,
            counted: self.counted,
        }
    }

    /// Says that it was recorded; last in the transaction.
    pub(super) async fn emit(
        &self,
        tx: &Tx,
        after: &Order,
        certificate: &Certificate,
    ) -> Result<(), Fault> {
        let (why, outcome, revoke_time) = if certificate.to_revoke {
            ("X-8", "TO_REVOKE", None)
        } else {
            ("MD-7", "ISSUED", superseded_revoke_time(after, self.now))
        };
        emit(
            tx,
            OrderEvent {
                kind: "certificate.recorded",
                order: after,
                origin: self.origin,
                time: self.now,
                why,
                outcome,
                data: serde_json::json!({
                    "certificate_id": certificate.id,
                    "serial": certificate.serial_hex,
                    "superseded_revoke_time": revoke_time,
                    "san_license_id": self.counted.map(|counted| counted.license_id),
                    "over_quota": self.over_quota,
                }),
            },
        )
        .await
    }
}

/// The very same certificate, recorded for this order before; on another order it is refused.
pub(super) async fn recorded_before(
    tx: &Tx,
    order: &Order,
    issuance: &Issuance,
) -> Result<Option<Certificate>, Fault> {
    let fingerprint = &issuance.certificate.fingerprint_sha256;
    let known = store::certificates::find_same(tx, order.account_id, fingerprint).await?;
    let known = match known {
        Some(known) if known.order_id != order.id => known,
        here_or_none => return Ok(here_or_none),
    };
    Err(Refusal::new(
        Reason::AlreadyExists,
        format!(
            "this very certificate is recorded as {} for order {}",
            known.id, known.order_id
        ),
    )
    .with("resource", "certificate")
    .with("id", known.id)
    .into())
}

/// The response with the certificate as it is recorded.
pub(super) fn answer(
    view: &OrderView,
    certificate: &Certificate,
) -> Result<orders::RecordIssuanceResponse, Fault> {
    Ok(orders::RecordIssuanceResponse {
        certificate: Some(convert::certificate::encode(certificate, view.now)),
        order: Some(convert::order::encode(view)?),
    })
}
