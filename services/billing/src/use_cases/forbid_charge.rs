//! Forbids a charge that got no response: it will never be made, however late an attempt at
//! it arrives.

use std::collections::BTreeMap;

use licet_domain::{
    ids::{AccountId, InvoiceId, QuoteId},
    refusal::{Reason, Refusal},
};
use licet_runtime::{
    caller::Caller,
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
    replay,
};
use uuid::Uuid;

use crate::{rules::not_found, store};

/// The methods that charge quotes; the charge's request id may have been used with either.
const CHARGING: [&str; 2] = [
    "/licet.billing.v1.InvoiceService/ChargeQuote",
    "/licet.billing.v1.InvoiceService/ChargeQuotes",
];

/// Forbids a charge.
///
/// Refusals: NOT_FOUND.
#[derive(Debug, Clone)]
pub(crate) struct ForbidCharge {
    /// The account of the quotes.
    pub(crate) account_id: AccountId,
    /// The quotes of the charge.
    pub(crate) quote_ids: Vec<QuoteId>,
    /// The request id of the charge.
    pub(crate) charge_request_id: Uuid,
}

/// Whether a charge is forbidden, or came first.
#[derive(Debug)]
pub(crate) enum ForbidChargeResult {
    /// It was not made and never will be.
    Forbidden,
    /// It was made, or its quotes were charged by another request: the invoices.
    AlreadyCharged(Vec<InvoiceId>),
}

impl ForbidCharge {
    /// The invoices of those quotes that are charged, in the order of the request.
    async fn charged(&self, tx: &Tx, caller: &Caller) -> Result<Vec<InvoiceId>, Fault> {
        let account_id = Some(self.account_id);
        let found = store::quotes::list(tx, caller, account_id, &self.quote_ids).await?;
        let found = found
            .into_iter()
            .filter_map(|quote| quote.quote_id.map(|id| (id, quote.invoice_id)));
        let found: BTreeMap<QuoteId, Option<InvoiceId>> = found.collect();
        let mut charged = Vec::new();
        for id in &self.quote_ids {
            let invoice_id = found.get(id).ok_or_else(|| not_found("quote", id))?;
            charged.extend(*invoice_id);
        }
        Ok(charged)
    }
}

impl Verb for ForbidCharge {
    type Output = ForbidChargeResult;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<ForbidChargeResult, Fault> {
        let caller = &request.call.caller;
        // A charge may be so old that its request id is forgotten (BL-2); it must not be refused
        // now.
        let charged = self.charged(tx, caller).await?;
        if !charged.is_empty() {
            return Ok(ForbidChargeResult::AlreadyCharged(charged));
        }
        let id = self.charge_request_id;
        let message = format!("the charge with request_id {id} was forbidden");
        let refusal = Refusal::new(Reason::ChargeForbidden, message).with("request_id", id);
        for method in CHARGING {
            if !replay::refuse_ahead(tx, &caller.name, method, id, &refusal).await? {
                return Ok(ForbidChargeResult::AlreadyCharged(
                    self.charged(tx, caller).await?,
                ));
            }
        }
        Ok(ForbidChargeResult::Forbidden)
    }
}
