//! WithdrawQuote ends a draft before it is accepted (SL-7). Nothing was held or charged for it.

use licet_domain::{clock::Instant, ids::LicenseId};
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    door::{ChangeRequest, Preview, Verb},
    fault::Fault,
    operation,
};

use super::event::LicenseEvent;
use crate::{
    events::LicenseWithdrawn,
    queries::license_view::{self, LicenseView},
    rules::license::License,
    store,
};

/// Request to withdraw a draft.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WithdrawQuote {
    pub(crate) license_id: LicenseId,
}

impl Verb for WithdrawQuote {
    type Output = LicenseView;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<LicenseView, Fault> {
        let call = &request.call;
        let scope = &call.caller.accounts;
        let (draft, now) = store::licenses::lock(tx, scope, self.license_id, call.now).await?;
        let license = withdrawn(tx, draft, now).await?;
        store::licenses::save(tx, &license).await?;
        let event = LicenseEvent {
            resource: &license,
            origin: &request.origin(),
            time: now,
            why: "SL-7",
            outcome: "CANCELLED",
            data: LicenseWithdrawn {
                valid_until_time: license.valid_until,
            },
        };
        event.emit(tx).await?;
        Ok(LicenseView::bare(license, now))
    }
}

impl Preview for WithdrawQuote {
    type Output = LicenseView;
    type Context = Database;

    async fn preview(&self, call: &Call, database: &Database) -> Result<LicenseView, Fault> {
        let tx = database.read();
        let view = license_view::get(&tx, call, self.license_id).await?;
        let license = withdrawn(&tx, view.license.clone(), view.now).await?;
        Ok(LicenseView { license, ..view })
    }
}

/// The licence withdrawn at `now`.
async fn withdrawn(tx: &Tx, draft: License, now: Instant) -> Result<License, Fault> {
    operation::refuse_if_running(tx, draft.account_id, &draft.id.to_string()).await?;
    draft.permit_withdrawal(now)?;
    Ok(draft.apply_cancellation(now))
}
