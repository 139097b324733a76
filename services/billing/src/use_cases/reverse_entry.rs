//! Taking a deposit or a withdrawal back that was booked by mistake.

use licet_domain::money::Money;
use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use crate::{
    convert::account::ReversalWish,
    rules::{
        account::Account,
        ledger::{Booked, Entry, LedgerEntry, Movement},
        not_found, sum_refused,
    },
    store,
};

/// Books an entry's postings mirrored, once at most (BL-5).
///
/// Refusals: NOT_FOUND, ENTRY_NOT_REVERSIBLE, ENTRY_ALREADY_REVERSED, INSUFFICIENT_FUNDS,
/// AMOUNT_OUT_OF_RANGE.
pub(crate) struct ReverseEntry<'a> {
    /// What was accepted.
    pub(crate) call: &'a Call,
    /// The attempt's id.
    pub(crate) request_id: &'a str,
    /// What is to be taken back.
    pub(crate) wish: &'a ReversalWish,
}

impl ReverseEntry<'_> {
    /// The reversal as it would be booked; nothing is written.
    pub(crate) async fn preview(&self, tx: &Tx) -> Result<Booked, Fault> {
        let reversed = self.reversed(tx).await?;
        let account_id = reversed.account_id;
        let account = store::accounts::find(tx, &self.call.caller, account_id).await?;
        let (entry, balance) = self.plan(tx, account, &reversed).await?;
        let entry = entry.draft(account_id, self.call.now);
        Ok(Booked { entry, balance })
    }

    async fn reversed(&self, tx: &Tx) -> Result<LedgerEntry, Fault> {
        let entry_id = self.wish.entry_id;
        let found = store::ledger::find(tx, &self.call.caller, entry_id).await?;
        Ok(found.ok_or_else(|| not_found("entry", entry_id))?)
    }

    /// The reversal, and the balance after it.
    async fn plan(
        &self,
        tx: &Tx,
        account: Option<Account>,
        reversed: &LedgerEntry,
    ) -> Result<(Entry, Money), Fault> {
        let account = account.ok_or_else(|| not_found("account", reversed.account_id))?;
        let earlier = store::ledger::find_reversal(tx, self.wish.entry_id).await?;
        let entry = reversed.reversal(self.wish.reason.clone(), earlier)?;
        let currency = account.currency();
        let movement = Movement::of(currency, std::slice::from_ref(&entry))
            .map_err(|error| sum_refused(currency, &error))?;
        let balance = if movement.balance.minor() < 0 {
            let taken = movement.balance.checked_neg();
            account.balance_without(taken.map_err(|error| sum_refused(currency, &error))?)?
        } else {
            account.balance_with(movement.balance)?
        };
        Ok((entry, balance))
    }
}

impl Work for ReverseEntry<'_> {
    type Answer = Booked;

    async fn run(&self, tx: &Tx) -> Result<Booked, Fault> {
        let reversed = self.reversed(tx).await?;
        let account_id = reversed.account_id;
        // From here on no other reversal of the entry is made: each locks the account.
        let account = store::accounts::lock(tx, &self.call.caller, account_id).await?;
        let (entry, balance) = self.plan(tx, account, &reversed).await?;
        let entry = store::ledger::post_one(tx, account_id, entry, self.call.now).await?;
        let event = Event {
            kind: "licet.billing.account.entry_reversed.v1",
            resource_id: account_id.to_string(),
            account_id: Some(account_id),
            time: self.call.now,
            origin: &self.call.origin(self.request_id),
            why: self.wish.reason.clone(),
            outcome: format!(
                "{} {} taken back, the balance is {balance}",
                reversed.kind.as_str(),
                self.wish.entry_id
            ),
            data: json!({
                "entry_id": entry.entry_id,
                "reverses_entry_id": self.wish.entry_id,
                "balance": balance.value(),
                "currency_code": balance.currency().code(),
            }),
        };
        outbox::emit(tx, event).await?;
        Ok(Booked { entry, balance })
    }
}
