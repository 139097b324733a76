//! Opening an account.

use licet_domain::{AccountId, Currency, Money};
use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use crate::{rules::account::Account, store};

/// Opens a prepaid account with nothing on it.
pub(crate) struct CreateAccount<'a> {
    /// What was accepted.
    pub(crate) call: &'a Call,
    /// The attempt's id.
    pub(crate) request_id: &'a str,
    /// For people.
    pub(crate) display_name: String,
    /// For good (M-4).
    pub(crate) currency: Currency,
}

impl Work for CreateAccount<'_> {
    type Answer = Account;

    async fn run(&self, tx: &Tx) -> Result<Account, Fault> {
        let account = Account {
            account_id: AccountId::generate(),
            display_name: self.display_name.clone(),
            balance: Money::zero(self.currency),
            created: self.call.now,
        };
        store::accounts::insert(tx, &account).await?;
        let event = Event {
            kind: "licet.billing.account.created.v1",
            resource_id: account.account_id.to_string(),
            account_id: Some(account.account_id),
            time: self.call.now,
            origin: &self.call.origin(self.request_id),
            why: "M-4".to_owned(),
            outcome: format!("kept in {}", self.currency.code()),
            data: json!({
                "display_name": account.display_name,
                "currency_code": self.currency.code(),
            }),
        };
        outbox::emit(tx, event).await?;
        Ok(account)
    }
}
