//! Booking money received from a customer.

use licet_domain::{ids::AccountId, money::Money};
use licet_runtime::{
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use crate::{
    rules::{
        ledger::{BookedEntry, Entry},
        money_refusal, not_found,
    },
    store,
};

/// Money that was received from a customer, or is to be paid out.
#[derive(Debug, Clone)]
pub(crate) struct Transfer {
    /// The account.
    pub(crate) account_id: AccountId,
    /// More than nothing.
    pub(crate) amount: Money,
    /// What the payment is known by.
    pub(crate) reference: String,
}

/// Puts money on an account (BL-5).
///
/// Refusals: NOT_FOUND, CURRENCY_MISMATCH, AMOUNT_OUT_OF_RANGE.
#[derive(Debug, Clone)]
pub(crate) struct Deposit {
    /// What was received.
    pub(crate) transfer: Transfer,
}

impl Verb for Deposit {
    type Output = BookedEntry;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<BookedEntry, Fault> {
        let Transfer {
            account_id,
            amount,
            ref reference,
        } = self.transfer;
        let balance = store::accounts::lock(tx, &request.call.caller, account_id)
            .await?
            .ok_or_else(|| not_found("account", account_id))?
            .balance_with(amount)?;
        let entry = Entry::deposit(amount, reference.clone())
            .map_err(|error| money_refusal(amount.currency(), &error))?;
        let entry = store::ledger::post_one(tx, account_id, entry, request.call.now).await?;
        let event = Event {
            kind: "licet.billing.account.deposited.v1",
            resource_id: account_id.to_string(),
            account_id: Some(account_id),
            time: request.call.now,
            origin: &request.origin(),
            why: "BL-5".to_owned(),
            outcome: format!("{amount} received, the balance is {balance}"),
            data: json!({
                "entry_id": entry.entry_id,
                "amount": amount.value(),
                "balance": balance.value(),
                "currency_code": amount.currency().code(),
                "reference": reference,
            }),
        };
        outbox::emit(tx, event).await?;
        Ok(BookedEntry { entry, balance })
    }
}
