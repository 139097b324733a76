//! Booking money received from a customer.

use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use crate::{
    convert::account::Transfer,
    rules::{
        ledger::{Booked, Entry},
        not_found, sum_refused,
    },
    store,
};

/// Puts money on an account (BL-5).
///
/// Refusals: NOT_FOUND, CURRENCY_MISMATCH, AMOUNT_OUT_OF_RANGE.
pub(crate) struct Deposit<'a> {
    /// What was accepted.
    pub(crate) call: &'a Call,
    /// The attempt's id.
    pub(crate) request_id: &'a str,
    /// What was received.
    pub(crate) transfer: &'a Transfer,
}

impl Work for Deposit<'_> {
    type Answer = Booked;

    async fn run(&self, tx: &Tx) -> Result<Booked, Fault> {
        let Transfer {
            account_id,
            amount,
            ref reference,
        } = *self.transfer;
        let balance = store::accounts::lock(tx, &self.call.caller, account_id)
            .await?
            .ok_or_else(|| not_found("account", account_id))?
            .balance_with(amount)?;
        let entry = Entry::deposit(amount, reference.clone())
            .map_err(|error| sum_refused(amount.currency(), &error))?;
        let entry = store::ledger::post_one(tx, account_id, entry, self.call.now).await?;
        let event = Event {
            kind: "licet.billing.account.deposited.v1",
            resource_id: account_id.to_string(),
            account_id: Some(account_id),
            time: self.call.now,
            origin: &self.call.origin(self.request_id),
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
        Ok(Booked { entry, balance })
    }
}
