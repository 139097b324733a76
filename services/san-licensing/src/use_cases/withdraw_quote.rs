//! WithdrawQuote: a draft is taken back before it is accepted (SL-7). It had nothing held or charged.

use licet_contracts::sanlicensing::v1 as sanlicensing;
use licet_domain::{clock::Instant, ids::LicenseId};
use licet_runtime::{
    caller::Call,
    database::{Database, Tx, Work},
    fault::Fault,
    operation,
};

use super::event::{LicenseEvent, emit};
use crate::{
    convert::{self, license::LicenseView},
    queries::license_view,
    rules::license::License,
    store,
};

/// Takes a draft back.
pub(crate) struct WithdrawQuote<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) license_id: LicenseId,
}

impl Work for WithdrawQuote<'_> {
    type Answer = sanlicensing::WithdrawQuoteResponse;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let scope = &self.call.caller.accounts;
        let (draft, now) = store::licenses::lock(tx, scope, self.license_id, self.call.now).await?;
        let license = withdrawn(tx, draft, now).await?;
        store::licenses::save(tx, &license).await?;
        let view = LicenseView {
            license,
            now,
            running: None,
        };
        emit(
            tx,
            LicenseEvent {
                kind: "license.withdrawn",
                license: &view.license,
                origin: &self.call.origin(self.request_id),
                time: now,
                why: "SL-7",
                outcome: "CANCELLED",
                data: serde_json::json!({ "valid_until_time": view.license.valid_until }),
            },
        )
        .await?;
        encode(&view)
    }
}

/// The licence as it is withdrawn at `now`.
async fn withdrawn(tx: &Tx, draft: License, now: Instant) -> Result<License, Fault> {
    operation::refuse_if_running(tx, &draft.id.to_string()).await?;
    draft.permit_withdrawal(now)?;
    Ok(draft.apply_cancellation(now))
}

fn encode(view: &LicenseView) -> Result<sanlicensing::WithdrawQuoteResponse, Fault> {
    Ok(sanlicensing::WithdrawQuoteResponse {
        license: Some(convert::license::encode(view)?),
    })
}

/// Checks a withdrawal without making it.
pub(crate) async fn preview(
    database: &Database,
    call: &Call,
    license_id: LicenseId,
) -> Result<sanlicensing::WithdrawQuoteResponse, Fault> {
    let tx = database.read();
    let draft = store::licenses::get(&tx, &call.caller.accounts, license_id).await?;
    let view = license_view::load(&tx, draft, call.now).await?;
    let license = withdrawn(&tx, view.license.clone(), view.now).await?;
    encode(&LicenseView { license, ..view })
}
