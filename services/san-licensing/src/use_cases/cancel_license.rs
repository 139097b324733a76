//! CancelLicense: a charged licence is over from now on, without a refund (SL-7). What it held is free
//! for another (SL-20), and the fence that moves tells every instance (SL-11).

use licet_contracts::sanlicensing::v1 as sanlicensing;
use licet_domain::clock::Instant;
use licet_runtime::{
    caller::{Call, Origin},
    database::{Database, Tx, Work},
    fault::Fault,
    operation, outbox,
};

use super::event::{LicenseEvent, emit};
use crate::{
    convert::{
        self,
        license::{Cancellation, LicenseView},
    },
    queries::license_view,
    quota::Alert,
    rules::{alert::Ratio, counting::InstantCount, license::License},
    store,
};

/// Ends a licence before its time.
pub(crate) struct CancelLicense<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) cancellation: &'a Cancellation,
}

impl Work for CancelLicense<'_> {
    type Answer = sanlicensing::CancelLicenseResponse;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let scope = &self.call.caller.accounts;
        let Cancellation { license_id, reason } = self.cancellation;
        let (before, now) = store::licenses::lock(tx, scope, *license_id, self.call.now).await?;
        let license = cancelled(tx, before.clone(), now).await?;
        store::licenses::release_products(tx, &license).await?;
        store::licenses::save(tx, &license).await?;
        let origin = self.call.origin(self.request_id);
        let alerts = alerts(tx, &before, now, &origin).await?;
        let view = LicenseView {
            license,
            now,
            running: None,
        };
        emit(
            tx,
            LicenseEvent {
                kind: "license.cancelled",
                license: &view.license,
                origin: &origin,
                time: now,
                why: "SL-7",
                outcome: "CANCELLED",
                data: serde_json::json!({
                    "reason": reason,
                    "products": view.license.products,
                    // When it would have ended.
                    "end_time": view.license.end(),
                }),
            },
        )
        .await?;
        let alerts: Vec<_> = alerts.iter().map(Alert::event).collect();
        outbox::emit_all(tx, &alerts).await?;
        encode(&view)
    }
}

/// Without a quota, what stands reaches every part of it (SL-17).
async fn alerts(
    tx: &Tx,
    before: &License,
    now: Instant,
    origin: &Origin,
) -> Result<Vec<Alert>, Fault> {
    let count = store::usage::count_active(tx, before.id, now, InstantCount::new(0)).await?;
    let used = count.finish().0.weight(before.multiplier_at(now));
    let ratio = |quota| Ratio { quota, used };
    let moved = (ratio(before.quota_at(now)), ratio(0));
    Ok(Alert::each(before.id, before.account_id, origin, now, moved).collect())
}

/// The licence as it is cancelled at `now`.
async fn cancelled(tx: &Tx, before: License, now: Instant) -> Result<License, Fault> {
    operation::refuse_if_running(tx, &before.id.to_string()).await?;
    before.permit_cancellation(now)?;
    Ok(before.apply_cancellation(now))
}

fn encode(view: &LicenseView) -> Result<sanlicensing::CancelLicenseResponse, Fault> {
    Ok(sanlicensing::CancelLicenseResponse {
        license: Some(convert::license::encode(view)?),
    })
}

/// Checks a cancellation without making it.
pub(crate) async fn preview(
    database: &Database,
    call: &Call,
    cancellation: &Cancellation,
) -> Result<sanlicensing::CancelLicenseResponse, Fault> {
    let tx = database.read();
    let scope = &call.caller.accounts;
    let before = store::licenses::get(&tx, scope, cancellation.license_id).await?;
    let view = license_view::load(&tx, before, call.now).await?;
    let license = cancelled(&tx, view.license.clone(), view.now).await?;
    encode(&LicenseView { license, ..view })
}
