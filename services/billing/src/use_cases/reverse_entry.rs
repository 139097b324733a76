//! Reverses a deposit or a withdrawal that was booked by mistake.

use licet_domain::{ids::EntryId, money::Money};
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    door::{ChangeRequest, Preview, Verb},
    fault::Fault,
};

use super::event::emit;
use crate::{
    events::AccountEntryReversed,
    rules::{
        account::Account,
        ledger::{BookedEntry, Entry, LedgerEntry, Movement},
        money_refusal,
    },
    store,
};

/// Books the postings of an entry negated, at most once (BL-5).
///
/// Refusals: NOT_FOUND, ENTRY_NOT_REVERSIBLE, ENTRY_ALREADY_REVERSED, INSUFFICIENT_FUNDS,
/// AMOUNT_OUT_OF_RANGE.
#[derive(Debug, Clone)]
pub(crate) struct ReverseEntry {
    /// The entry.
    pub(crate) entry_id: EntryId,
    /// Why, in words.
    pub(crate) reason: String,
}

impl Preview for ReverseEntry {
    type Output = BookedEntry;
    type Context = Database;

    async fn preview(&self, call: &Call, database: &Database) -> Result<BookedEntry, Fault> {
        let tx = &database.read();
        let reversed = store::ledger::get(tx, &call.caller, self.entry_id).await?;
        let account_id = reversed.account_id;
        let account = store::accounts::get(tx, &call.caller, account_id).await?;
        let (entry, balance) = self.plan(tx, &account, &reversed).await?;
        let entry = entry.draft(account_id, call.now);
        Ok(BookedEntry { entry, balance })
    }
}

impl ReverseEntry {
    /// The reversal, and the balance after it.
    async fn plan(
        &self,
        tx: &Tx,
        account: &Account,
        reversed: &LedgerEntry,
    ) -> Result<(Entry, Money), Fault> {
        let earlier = store::ledger::find_reversal(tx, account.account_id, self.entry_id).await?;
        let entry = reversed.reversal(self.reason.clone(), earlier)?;
        let currency = account.currency();
        let movement = Movement::of(currency, std::slice::from_ref(&entry))
            .map_err(|error| money_refusal(currency, &error))?;
        let balance = if movement.balance.minor() < 0 {
            let taken = movement.balance.checked_neg();
            account.balance_without(taken.map_err(|error| money_refusal(currency, &error))?)?
        } else {
            account.balance_with(movement.balance)?
        };
        Ok((entry, balance))
    }
}

impl Verb for ReverseEntry {
    type Output = BookedEntry;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<BookedEntry, Fault> {
        let caller = &request.call.caller;
        // An entry never changes, so the transaction need not read it.
        let reversed = store::ledger::get(tx.before()?, caller, self.entry_id).await?;
        let account_id = reversed.account_id;
        // From here on nobody else can reverse the entry: every reversal locks the account.
        let account = store::accounts::lock(tx, caller, account_id).await?;
        let (entry, balance) = self.plan(tx, &account, &reversed).await?;
        let entry = store::ledger::post_one(tx, account_id, entry, request.call.now).await?;
        let data = AccountEntryReversed {
            entry_id: entry.entry_id,
            reverses_entry_id: self.entry_id,
            balance,
            currency_code: balance.currency(),
        };
        let (kind, reversed_id, why) = (reversed.kind.as_str(), self.entry_id, &self.reason);
        let outcome = format!("{kind} {reversed_id} reversed; the balance is {balance}");
        emit(tx, request, account_id, account_id, why, outcome, &data).await?;
        Ok(BookedEntry { entry, balance })
    }
}
