//! Opening an account.

use licet_domain::{
    ids::AccountId,
    money::{Currency, Money},
};
use licet_runtime::{
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use crate::{
    rules::account::{Account, AccountView, PaymentTerms},
    store,
};

/// Opens an account with nothing on it.
#[derive(Debug, Clone)]
pub(crate) struct CreateAccount {
    /// For people.
    pub(crate) display_name: String,
    /// For good (M-4).
    pub(crate) currency: Currency,
    /// How it pays.
    pub(crate) terms: PaymentTerms,
}

impl Verb for CreateAccount {
    type Output = AccountView;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<AccountView, Fault> {
        let Self {
            display_name,
            currency,
            terms,
        } = self;
        let account = Account {
            account_id: AccountId::generate(),
            display_name: display_name.clone(),
            terms: *terms,
            balance: Money::zero(*currency),
            due: Money::zero(*currency),
            created: request.call.now,
            last_entry: request.call.now,
        };
        store::accounts::insert(tx, &account).await?;
        let event = Event {
            kind: "licet.billing.account.created.v1",
            resource_id: account.account_id.to_string(),
            account_id: Some(account.account_id),
            time: request.call.now,
            origin: &request.origin(),
            why: "M-4".to_owned(),
            outcome: format!("{}, kept in {}", terms.kind().as_str(), currency.code()),
            data: json!({
                "display_name": account.display_name,
                "currency_code": currency.code(),
                "kind": terms.kind().as_str(),
            }),
        };
        outbox::emit(tx, event).await?;
        Ok(account.view(None, request.call.now))
    }
}
