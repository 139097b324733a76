//! CancelLicense ends a charged licence at once and without a refund (SL-7). Other licences may hold its
//! products from then on (SL-20), and its moved fence tells every instance (SL-11).

use licet_domain::{clock::Instant, ids::LicenseId};
use licet_runtime::{
    caller::{Call, Origin},
    database::{Database, Tx},
    door::{ChangeRequest, Preview, Verb},
    fault::Fault,
    operation, outbox,
};

use super::event::LicenseEvent;
use crate::{
    events::LicenseCancelled,
    queries::license_view::{self, LicenseView},
    quota::Alert,
    rules::{alert::Ratio, counting::InstantCount, license::License},
    store,
};

/// Request to cancel a licence.
#[derive(Clone, Debug)]
pub(crate) struct CancelLicense {
    pub(crate) license_id: LicenseId,
    pub(crate) reason: String,
}

impl Verb for CancelLicense {
    type Output = LicenseView;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<LicenseView, Fault> {
        let call = &request.call;
        let scope = &call.caller.accounts;
        let (before, now) = store::licenses::lock(tx, scope, self.license_id, call.now).await?;
        let license = cancelled(tx, before.clone(), now).await?;
        store::licenses::release_products(tx, &license).await?;
        store::licenses::save(tx, &license).await?;
        let origin = request.origin();
        let alerts = alerts(tx, &before, now, &origin).await?;
        let event = LicenseEvent {
            resource: &license,
            origin: &origin,
            time: now,
            why: "SL-7",
            outcome: "CANCELLED",
            data: LicenseCancelled {
                reason: &self.reason,
                products: &license.products,
                end_time: license.end(),
            },
        };
        event.emit(tx).await?;
        let alerts: Vec<_> = alerts.iter().map(Alert::event).collect::<Result<_, _>>()?;
        outbox::emit_all(tx, &alerts).await?;
        Ok(LicenseView::bare(license, now))
    }
}

impl Preview for CancelLicense {
    type Output = LicenseView;
    type Context = Database;

    async fn preview(&self, call: &Call, database: &Database) -> Result<LicenseView, Fault> {
        let tx = database.read();
        let view = license_view::get(&tx, call, self.license_id).await?;
        let license = cancelled(&tx, view.license.clone(), view.now).await?;
        Ok(LicenseView { license, ..view })
    }
}

/// The alerts of a quota that falls to zero: any usage reaches every share of it (SL-17).
async fn alerts(
    tx: &Tx,
    before: &License,
    now: Instant,
    origin: &Origin,
) -> Result<Vec<Alert>, Fault> {
    let count = store::usage::count_active(tx, before.key(), now, InstantCount::new(0)).await?;
    let used = count.finish().0.weight(before.multiplier_at(now));
    let ratio = |quota| Ratio { quota, used };
    let moved = (ratio(before.quota_at(now)), ratio(0));
    Ok(Alert::each(before.id, before.account_id, origin, now, moved).collect())
}

/// The licence cancelled at `now`.
async fn cancelled(tx: &Tx, before: License, now: Instant) -> Result<License, Fault> {
    operation::refuse_if_running(tx, before.account_id, &before.id.to_string()).await?;
    before.permit_cancellation(now)?;
    Ok(before.apply_cancellation(now))
}
