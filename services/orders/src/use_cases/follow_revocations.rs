//! Follows SanLicensing's events: a revocation made in a SAN licence revokes the certificate on its
//! order at once. A revocation that comes before the record of its certificate is stored
//! until then.

use std::sync::Arc;

use licet_clients::san_licensing::{Revocation, USAGE_CHANGED, revocations};
use licet_domain::{
    clock::{Clock, Instant},
    ids::CertificateId,
};
use licet_runtime::{
    caller::Origin,
    database::Tx,
    fault::Fault,
    follower::{Follow, PeerEvent},
};

use super::{revoke_certificate::RevocationEvent, turns};
use crate::{
    rules::{
        certificate::Certificate,
        order::Order,
        revocation::{ReportedRevocation, apply_revocation},
    },
    store,
};

/// Follows SanLicensing's events.
pub(crate) struct FollowRevocations {
    pub(crate) clock: Arc<dyn Clock>,
}

impl Follow for FollowRevocations {
    const SOURCE: &'static str = "san-licensing";
    const TYPES: &'static [&'static str] = &[USAGE_CHANGED];

    async fn apply(&self, tx: &Tx, event: &PeerEvent) -> Result<(), Fault> {
        let found = revocations(event).map_err(Fault::internal)?;
        // A usage event is about one licence.
        let Some(account_id) = found.first().map(|first| first.account_id) else {
            return Ok(());
        };
        let mut reported: Vec<_> = found.into_iter().map(reported).collect();
        reported.retain(|(_, origin)| !asked_here(origin));
        if reported.is_empty() {
            return Ok(());
        }
        let ids: Vec<CertificateId> = reported
            .iter()
            .map(|(reported, _)| reported.san_certificate_id)
            .collect();
        store::early_revocations::lock(tx, &ids).await?;
        let known = store::certificates::list_by_license_records(tx, account_id, &ids).await?;
        let mut early = Vec::new();
        for (reported, origin) in reported {
            let id = Some(reported.san_certificate_id);
            let is_it =
                |found: &&Certificate| found.license_record.map(|at| at.certificate_id) == id;
            match known.iter().find(is_it) {
                Some(found) => apply_to(tx, found, &reported, &origin, self.clock.now()).await?,
                None => early.push((reported, origin)),
            }
        }
        store::early_revocations::insert(tx, account_id, &early).await
    }
}

fn reported(found: Revocation) -> (ReportedRevocation, Origin) {
    let reported = ReportedRevocation {
        san_certificate_id: found.certificate_id,
        reason: found.reason,
        san_revoke_time: found.time,
    };
    (reported, found.origin)
}

/// Whether Orders requested the revocation: it was decided here, and its request notes it.
fn asked_here(origin: &Origin) -> bool {
    origin.caller == turns::origin().caller && origin.method.ends_with("/RevokeCertificates")
}

/// The certificate counts as revoked from now on (T-6), even while an operation is running. If it
/// is revoked or expired already, it stays as it is.
async fn apply_to(
    tx: &Tx,
    found: &Certificate,
    reported: &ReportedRevocation,
    origin: &Origin,
    clock: Instant,
) -> Result<(), Fault> {
    let scope = found.account_id.into();
    let before = store::orders::lock(tx, &scope, found.order_id).await?;
    let now = before.decide_at(clock);
    // Read again under the order's lock: another request may have revoked it meanwhile.
    let found = store::certificates::get(tx, &scope, found.id).await?;
    let Some(certificate) = write_revocation(tx, found, reported, now).await? else {
        return Ok(());
    };
    let after = before.clone().apply_decision(now);
    store::orders::save(tx, &before, &after).await?;
    emit_revoked(tx, &after, &certificate, reported, origin, now).await
}

/// Writes the revocation and that the certificate's SANs are free; `None` if there is nothing to
/// revoke.
async fn write_revocation(
    tx: &Tx,
    found: Certificate,
    reported: &ReportedRevocation,
    now: Instant,
) -> Result<Option<Certificate>, Fault> {
    let Ok(certificate) = apply_revocation(found, reported.reason, false, now) else {
        return Ok(None);
    };
    store::certificates::set_revoked(tx, &certificate).await?;
    store::license_revocations::mark(tx, certificate.account_id, &[certificate.id], now).await?;
    Ok(Some(certificate))
}

async fn emit_revoked(
    tx: &Tx,
    order: &Order,
    certificate: &Certificate,
    reported: &ReportedRevocation,
    origin: &Origin,
    now: Instant,
) -> Result<(), Fault> {
    let event = RevocationEvent {
        order,
        certificate,
        origin,
        time: now,
        why: "X-1",
        reissue_requested: false,
        san_revoke_time: Some(reported.san_revoke_time),
    };
    event.emit(tx).await
}

/// The origin of a revocation of which only the certificate tells.
fn unknown_origin() -> Origin {
    Origin {
        caller: "san-licensing".to_owned(),
        method: String::new(),
        request_id: String::new(),
    }
}

/// A revocation that came before the record of its certificate.
pub(super) struct EarlyRevocation {
    reported: ReportedRevocation,
    origin: Origin,
    now: Instant,
}

impl EarlyRevocation {
    /// Applies the stored revocation, if any, of a certificate that this transaction recorded at
    /// `now`; if there is none, `found`, of which SanLicensing's response to the record tells.
    pub(super) async fn apply(
        tx: &Tx,
        recorded: Certificate,
        found: Option<ReportedRevocation>,
        now: Instant,
    ) -> Result<(Certificate, Option<Self>), Fault> {
        let Some(license_record) = recorded.license_record else {
            return Ok((recorded, None));
        };
        let (account_id, id) = (recorded.account_id, license_record.certificate_id);
        let early = store::early_revocations::remove(tx, account_id, id).await?;
        let early = early.or_else(|| Some((found?, unknown_origin())));
        let Some((reported, origin)) = early else {
            return Ok((recorded, None));
        };
        Ok(
            match write_revocation(tx, recorded.clone(), &reported, now).await? {
                Some(certificate) => {
                    let early = Self {
                        reported,
                        origin,
                        now,
                    };
                    (certificate, Some(early))
                }
                None => (recorded, None),
            },
        )
    }

    /// Writes the event; last in the transaction.
    pub(super) async fn emit(
        &self,
        tx: &Tx,
        order: &Order,
        certificate: &Certificate,
    ) -> Result<(), Fault> {
        emit_revoked(
            tx,
            order,
            certificate,
            &self.reported,
            &self.origin,
            self.now,
        )
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_1_what_orders_asked_for_itself_is_not_news() {
        let asked = |caller: &str, method: &str| {
            asked_here(&Origin {
                caller: caller.to_owned(),
                method: format!("/licet.sanlicensing.v1.IssuanceService/{method}"),
                request_id: String::new(),
            })
        };
        assert!(asked("orders", "RevokeCertificates"));
        assert!(!asked("security-team", "RevokeCertificates"));
        // The CA reported it before Orders recorded the certificate (SL-15).
        assert!(!asked("orders", "RecordCertificate"));
    }
}
