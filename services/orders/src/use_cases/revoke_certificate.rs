//! RevokeCertificate (SL-19, T-6): a certificate counts as revoked from now on, even while an
//! operation is running. The timer revokes it in its SAN licence at once.

use licet_domain::{clock::Instant, ids::CertificateId, revocation::RevocationReason};
use licet_runtime::{
    caller::{Call, Origin},
    database::Tx,
    door::{ChangeRequest, Preview, Verb},
    fault::Fault,
    operation,
};

use super::{PreviewContext, event::OrderEvent, record::RecordedCertificate, turns};
use crate::{
    events::CertificateRevoked,
    queries::order_view,
    rules::{
        certificate::Certificate,
        order::Order,
        permission::{Action, permit},
        reissue::permit_reissue,
        revocation::apply_revocation,
    },
    store,
};

/// A certificate to revoke for good.
#[derive(Debug, Clone)]
pub(crate) struct RevokeCertificate {
    pub(crate) certificate_id: CertificateId,
    pub(crate) reason: RevocationReason,
    pub(crate) request_reissue: bool,
    /// Whether the CA sends it, so that it reports a revocation already made.
    pub(crate) by_authority: bool,
}

/// The order and the certificate after the revocation.
fn plan(
    order: &Order,
    found: Certificate,
    request: &RevokeCertificate,
    now: Instant,
) -> Result<(Order, Certificate), Fault> {
    permit(order, Action::RevokeCertificate, now)?;
    let after = apply_revocation(found, request.reason, request.by_authority, now)?;
    if !request.request_reissue {
        return Ok((order.clone().apply_decision(now), after));
    }
    permit(order, Action::RequestReissue, now)?;
    permit_reissue(order, None)?;
    Ok((order.clone().apply_reissue(None, now), after))
}

impl Verb for RevokeCertificate {
    type Output = RecordedCertificate;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<RecordedCertificate, Fault> {
        let id = self.certificate_id;
        let asked = &request.call.caller.accounts;
        let account_id = store::owner::of_certificate(tx, asked, id).await?;
        let scope = &account_id.into();
        let order_id = store::certificates::get(tx, scope, id).await?.order_id;
        let (before, now) = if self.request_reissue {
            let (order, now) = turns::lock_in(tx, scope, order_id, request.call.now).await?;
            operation::refuse_if_running(tx, account_id, &order_id.to_string()).await?;
            (order, now)
        } else {
            // A compromised key cannot wait: the turns that have come are left to the next request.
            let order = store::orders::lock(tx, scope, order_id).await?;
            let now = order.decide_at(request.call.now);
            (order, now)
        };
        // Read again under the order's lock: another request may have revoked it meanwhile.
        let found = store::certificates::get(tx, scope, id).await?;
        let (settled, certificate) = plan(&before.clone().with_turns(now), found, self, now)?;
        store::certificates::set_revoked(tx, &certificate).await?;
        let after = if self.request_reissue {
            settled
        } else {
            before.clone().apply_decision(now)
        };
        store::orders::save(tx, &before, &after).await?;
        let view = order_view::load(tx, after, now).await?;
        let event = RevocationEvent {
            order: &view.order,
            certificate: &certificate,
            origin: &request.origin(),
            time: now,
            why: self.reason.as_str(),
            reissue_requested: self.request_reissue,
            san_revoke_time: None,
        };
        event.emit(tx).await?;
        Ok(RecordedCertificate {
            certificate: Some(certificate),
            view,
        })
    }
}

/// The event of a revocation, wherever it was requested.
pub(super) struct RevocationEvent<'a> {
    pub(super) order: &'a Order,
    pub(super) certificate: &'a Certificate,
    pub(super) origin: &'a Origin,
    pub(super) time: Instant,
    pub(super) why: &'a str,
    pub(super) reissue_requested: bool,
    /// When SanLicensing recorded the revocation, if it was made there.
    pub(super) san_revoke_time: Option<Instant>,
}

impl RevocationEvent<'_> {
    /// Writes the event; last in the transaction.
    pub(super) async fn emit(&self, tx: &Tx) -> Result<(), Fault> {
        let event = OrderEvent {
            resource: self.order,
            origin: self.origin,
            time: self.time,
            why: self.why,
            outcome: "REVOKED",
            data: CertificateRevoked {
                certificate_id: self.certificate.id,
                serial: &self.certificate.serial_hex,
                reason: self.certificate.revoke_reason,
                revoke_time: self.certificate.revoke_time,
                san_revoke_time: self.san_revoke_time,
                reissue_requested: self.reissue_requested,
            },
        };
        event.emit(tx).await
    }
}

impl Preview for RevokeCertificate {
    type Output = RecordedCertificate;
    type Context = PreviewContext;

    /// Shows what a revocation would do.
    async fn preview(
        &self,
        call: &Call,
        context: &PreviewContext,
    ) -> Result<RecordedCertificate, Fault> {
        let tx = context.database.read();
        let scope = &call.caller.accounts;
        let found = store::certificates::get(&tx, scope, self.certificate_id).await?;
        let order = store::orders::get(&tx, &found.account_id.into(), found.order_id).await?;
        let (order, now) = order.at(call.now);
        if self.request_reissue {
            operation::refuse_if_running(&tx, order.account_id, &order.id.to_string()).await?;
        }
        let (_, certificate) = plan(&order, found, self, now)?;
        Ok(RecordedCertificate {
            certificate: Some(certificate),
            view: order_view::load(&tx, order, now).await?,
        })
    }
}
