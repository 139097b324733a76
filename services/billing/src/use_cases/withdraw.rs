//! Pays money out to a customer.

use licet_domain::money::Money;
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    door::{ChangeRequest, Preview, Verb},
    fault::Fault,
};

use super::{deposit::Transfer, event::emit};
use crate::{
    events::{AccountDeposited, AccountWithdrawn},
    rules::{
        account::Account,
        ledger::{BookedEntry, Entry},
        money_refusal,
    },
    store,
};

/// Takes money from the balance of an account (BL-5).
///
/// Refusals: NOT_FOUND, CURRENCY_MISMATCH, INSUFFICIENT_FUNDS.
#[derive(Debug, Clone)]
pub(crate) struct Withdraw {
    /// The money to pay out.
    pub(crate) transfer: Transfer,
}

impl Preview for Withdraw {
    type Output = BookedEntry;
    type Context = Database;

    async fn preview(&self, call: &Call, database: &Database) -> Result<BookedEntry, Fault> {
        let tx = &database.read();
        let account_id = self.transfer.account_id;
        let account = store::accounts::get(tx, &call.caller, account_id).await?;
        let (entry, balance) = self.plan(&account)?;
        let entry = entry.draft(account_id, call.now);
        Ok(BookedEntry { entry, balance })
    }
}

impl Withdraw {
    /// The entry, and the balance after it.
    fn plan(&self, account: &Account) -> Result<(Entry, Money), Fault> {
        let amount = self.transfer.amount;
        let balance = account.balance_without(amount)?;
        let entry = Entry::withdrawal(amount, self.transfer.reference.clone())
            .map_err(|error| money_refusal(amount.currency(), &error))?;
        Ok((entry, balance))
    }
}

impl Verb for Withdraw {
    type Output = BookedEntry;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<BookedEntry, Fault> {
        let Transfer {
            account_id,
            amount,
            ref reference,
        } = self.transfer;
        let account = store::accounts::lock(tx, &request.call.caller, account_id).await?;
        let (entry, balance) = self.plan(&account)?;
        let entry = store::ledger::post_one(tx, account_id, entry, request.call.now).await?;
        let data = AccountWithdrawn(AccountDeposited {
            entry_id: entry.entry_id,
            amount,
            balance,
            currency_code: amount.currency(),
            reference,
        });
        let outcome = format!("{amount} paid out; the balance is {balance}");
        emit(tx, request, account_id, account_id, "BL-5", outcome, &data).await?;
        Ok(BookedEntry { entry, balance })
    }
}
