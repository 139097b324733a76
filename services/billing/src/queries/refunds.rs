//! Refunds.

use licet_domain::ids::RefundId;
use licet_runtime::{
    caller::Call,
    database::Database,
    fault::Fault,
    page::{Page, time_key},
};

use crate::{
    rules::{id_text, listing::RefundFilter, refund::Refund},
    store,
};

/// The bytes of a credit note's id in a response.
const CREDIT_NOTE_ID_BYTES: usize = 32;

/// The refund, or NOT_FOUND.
pub(crate) async fn get(
    database: &Database,
    call: &Call,
    refund_id: RefundId,
) -> Result<Refund, Fault> {
    let tx = database.read();
    store::refunds::get(&tx, &call.caller, refund_id).await
}

/// A page of refunds, and the token of the next page.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    filter: &RefundFilter,
    page: &Page,
) -> Result<(Vec<Refund>, String), Fault> {
    let tx = database.read();
    let rows = store::refunds::list(&tx, &call.caller, filter, page).await?;
    let bytes = |refund: &Refund| {
        let review = refund.review.as_ref();
        refund.decision.explanation.len()
            + refund.credit_note_ids.len() * CREDIT_NOTE_ID_BYTES
            + review.map_or(0, |review| review.reviewer.len() + review.reason.len())
    };
    Ok(page.finish_sized(rows, bytes, |refund| {
        let id = id_text(refund.refund_id);
        time_key(refund.decided, id)
    }))
}
