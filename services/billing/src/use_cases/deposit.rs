//! Booking money received from a customer.

use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use crate::{
    convert::account::Receipt,
    rules::{
        ledger::{Cause, Deposited, Entry, LedgerEntry},
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
    pub(crate) receipt: &'a Receipt,
}

impl Work for Deposit<'_> {
    type Answer = Deposited;

    async fn run(&self, tx: &Tx) -> Result<Deposited, Fault> {
        let Receipt {
            account_id,
            amount,
            ref reference,
        } = *self.receipt;
        let balance = store::accounts::lock(tx, &self.call.caller, account_id)
            .await?
            .ok_or_else(|| not_found("account", account_id))?
            .balance_with(amount)?;
        if !store::accounts::credit(tx, account_id, amount).await? {
            return Err(Fault::internal("a deposit that fits was not credited"));
        }
        let entry =
            Entry::deposit(amount).map_err(|error| sum_refused(amount.currency(), &error))?;
        let cause = Cause::Deposit(reference.clone());
        let entry = LedgerEntry::book(account_id, &entry, cause, self.call.now);
        let entries = std::slice::from_ref(&entry);
        store::ledger::insert(tx, amount.currency(), entries).await?;
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
        Ok(Deposited { entry, balance })
    }
}
