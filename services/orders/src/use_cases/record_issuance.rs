//! RecordIssuance: a signed certificate is held against its order and recorded in one transaction;
//! what it replaces is superseded there and then (MD-7), never by a later sweep.

use licet_contracts::orders::v1 as orders;
use licet_domain::{
    clock::Instant,
    ids::CertificateId,
    refusal::{Reason, Refusal},
};
use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::Fault,
    operation,
};

use super::event::{OrderEvent, emit};
use crate::{
    convert::{
        self,
        certificate::{Issuance, key_type},
    },
    queries::order_view,
    rules::{
        certificate::Certificate,
        issuance::{check_certificate, expect_issuance, superseded_revoke_time},
        order::{Order, Progress},
        state::{Action, permit},
    },
    store,
};

/// Records a certificate.
pub(crate) struct RecordIssuance<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) issuance: &'a Issuance,
}

impl Work for RecordIssuance<'_> {
    type Answer = orders::RecordIssuanceResponse;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let scope = &self.call.caller.accounts;
        let order = store::orders::lock(tx, scope, self.issuance.order_id).await?;
        let now = order.decide_at(self.call.now);
        let fingerprint = &self.issuance.certificate.fingerprint_sha256;
        let known = store::certificates::find_same(tx, order.account_id, fingerprint).await?;
        if let Some(known) = known {
            return answer_known(tx, order, &known, now).await;
        }
        if order.progress == Progress::Deleted {
            return self.keep_to_revoke(tx, order, now).await;
        }
        permit(&order, Action::RecordIssuance, now)?;
        operation::refuse_if_running(tx, &order.id.to_string()).await?;
        expect_issuance(&order, now)?;
        check_certificate(&order, &self.issuance.certificate, now)?;

        let revoke_time = superseded_revoke_time(&order, now);
        store::certificates::supersede(tx, order.id, now, revoke_time).await?;
        let certificate = self.certificate(&order, now, false);
        store::certificates::insert(tx, &certificate).await?;
        let after = order.clone().apply_issuance(now);
        store::orders::save(tx, &order, &after).await?;
        let data = serde_json::json!({
            "certificate_id": certificate.id,
            "serial": certificate.serial_hex,
            "superseded_revoke_time": revoke_time,
        });
        self.emit_recorded(tx, &after, now, ("MD-7", "ISSUED"), data)
            .await?;
        answer(tx, after, &certificate, now).await
    }
}

impl RecordIssuance<'_> {
    /// A certificate that comes after the deletion exists all the same: it is kept, and the CA is
    /// told to revoke it.
    async fn keep_to_revoke(
        &self,
        tx: &Tx,
        order: Order,
        now: Instant,
    ) -> Result<orders::RecordIssuanceResponse, Fault> {
        let certificate = self.certificate(&order, now, true);
        store::certificates::insert(tx, &certificate).await?;
        let after = order.clone().apply_decision(now);
        store::orders::save(tx, &order, &after).await?;
        let data = serde_json::json!({
            "certificate_id": certificate.id,
            "serial": certificate.serial_hex,
        });
        self.emit_recorded(tx, &after, now, ("X-8", "TO_REVOKE"), data)
            .await?;
        answer(tx, after, &certificate, now).await
    }

    fn certificate(&self, order: &Order, now: Instant, to_revoke: bool) -> Certificate {
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
            record_time: now,
            superseded_time: None,
            revoke_time: to_revoke.then_some(now),
            to_revoke,
        }
    }

    async fn emit_recorded(
        &self,
        tx: &Tx,
        order: &Order,
        time: Instant,
        (why, outcome): (&str, &str),
        data: serde_json::Value,
    ) -> Result<(), Fault> {
        let origin = self.call.origin(self.request_id);
        let kind = "certificate.recorded";
        emit(
            tx,
            OrderEvent {
                kind,
                order,
                origin: &origin,
                time,
                why,
                outcome,
                data,
            },
        )
        .await
    }
}

/// The same certificate again is answered with what was recorded; on another order it is refused.
async fn answer_known(
    tx: &Tx,
    order: Order,
    known: &Certificate,
    now: Instant,
) -> Result<orders::RecordIssuanceResponse, Fault> {
    if known.order_id == order.id {
        return answer(tx, order, known, now).await;
    }
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

async fn answer(
    tx: &Tx,
    order: Order,
    certificate: &Certificate,
    now: Instant,
) -> Result<orders::RecordIssuanceResponse, Fault> {
    let view = order_view::load(tx, order, now).await?;
    Ok(orders::RecordIssuanceResponse {
        certificate: Some(convert::certificate::encode(certificate, now)),
        order: Some(convert::order::encode(&view)?),
    })
}
