//! Books money received from a customer.

use licet_domain::{ids::AccountId, money::Money};
use licet_runtime::{
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
};

use super::event::emit;
use crate::{
    events::AccountDeposited,
    rules::{
        ledger::{BookedEntry, Entry},
        money_refusal,
    },
    store,
};

/// Money received from a customer, or to be paid out.
#[derive(Debug, Clone)]
pub(crate) struct Transfer {
    /// The account.
    pub(crate) account_id: AccountId,
    /// Above zero.
    pub(crate) amount: Money,
    /// The reference of the payment.
    pub(crate) reference: String,
}

/// Adds received money to the balance of an account (BL-5).
///
/// Refusals: NOT_FOUND, CURRENCY_MISMATCH, AMOUNT_OUT_OF_RANGE.
#[derive(Debug, Clone)]
pub(crate) struct Deposit {
    /// The received money.
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
        let account = store::accounts::lock(tx, &request.call.caller, account_id).await?;
        let balance = account.balance_with(amount)?;
        let entry = Entry::deposit(amount, reference.clone())
            .map_err(|error| money_refusal(amount.currency(), &error))?;
        let entry = store::ledger::post_one(tx, account_id, entry, request.call.now).await?;
        let data = AccountDeposited {
            entry_id: entry.entry_id,
            amount,
            balance,
            currency_code: amount.currency(),
            reference,
        };
        let outcome = format!("{amount} received; the balance is {balance}");
        emit(tx, request, account_id, account_id, "BL-5", outcome, &data).await?;
        Ok(BookedEntry { entry, balance })
    }
}
