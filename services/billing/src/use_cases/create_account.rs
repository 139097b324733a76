//! Opening an account.

use licet_domain::{ids::AccountId, money::Money};
use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use crate::{convert::account::Opening, rules::account::Account, store};

/// Opens an account with nothing on it.
pub(crate) struct CreateAccount<'a> {
    /// What was accepted.
    pub(crate) call: &'a Call,
    /// The attempt's id.
    pub(crate) request_id: &'a str,
    /// The account as it is wanted.
    pub(crate) opening: &'a Opening,
}

impl Work for CreateAccount<'_> {
    type Answer = Account;

    async fn run(&self, tx: &Tx) -> Result<Account, Fault> {
        let Opening {
            display_name,
            currency,
            terms,
        } = self.opening;
        let account = Account {
            account_id: AccountId::generate(),
            display_name: display_name.clone(),
            terms: *terms,
            balance: Money::zero(*currency),
            due: Money::zero(*currency),
            created: self.call.now,
            last_entry: self.call.now,
        };
        store::accounts::insert(tx, &account).await?;
        let event = Event {
            kind: "licet.billing.account.created.v1",
            resource_id: account.account_id.to_string(),
            account_id: Some(account.account_id),
            time: self.call.now,
            origin: &self.call.origin(self.request_id),
            why: "M-4".to_owned(),
            outcome: format!("{}, kept in {}", terms.kind().as_str(), currency.code()),
            data: json!({
                "display_name": account.display_name,
                "currency_code": currency.code(),
                "kind": terms.kind().as_str(),
            }),
        };
        outbox::emit(tx, event).await?;
        Ok(account)
    }
}
