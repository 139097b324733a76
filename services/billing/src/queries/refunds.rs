//! Refunds.

use licet_domain::{AccountId, RefundId};
use licet_runtime::{caller::Call, database::Database, fault::Fault, page::Page};

use super::{account_text, time_key};
use crate::{
    rules::{
        not_found,
        refund::{Refund, RefundState},
    },
    store,
};

/// The refund, or NOT_FOUND.
pub(crate) async fn get(
    database: &Database,
    call: &Call,
    refund_id: RefundId,
) -> Result<Refund, Fault> {
    let tx = database.read().await?;
    let found = store::refunds::find(&tx, &call.caller, refund_id).await?;
    Ok(found.ok_or_else(|| not_found("refund", refund_id))?)
}

/// A page of refunds, and the next one's token.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    account_id: Option<AccountId>,
    resource_id: Option<&str>,
    state: Option<RefundState>,
    page_size: i32,
    page_token: &str,
) -> Result<(Vec<Refund>, String), Fault> {
    let filter = format!(
        "refunds {} {} {}",
        account_text(account_id),
        resource_id.unwrap_or_default(),
        state.map_or("", RefundState::as_str)
    );
    let page = Page::decode(page_size, page_token, &filter, call.now)?;
    let tx = database.read().await?;
    let rows =
        store::refunds::list(&tx, &call.caller, account_id, resource_id, state, &page).await?;
    Ok(page.finish(rows, |refund| {
        let id = refund
            .refund_id
            .map_or_else(String::new, |id| id.to_string());
        time_key(refund.decided, id)
    }))
}
