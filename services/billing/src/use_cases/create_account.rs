//! Opens accounts.

use licet_domain::{
    ids::AccountId,
    money::{Currency, Money},
};
use licet_runtime::{
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
};

use super::event::emit;
use crate::{
    events::AccountCreated,
    rules::account::{Account, AccountView, PaymentTerms},
    store,
};

/// Opens an account with a balance of zero.
#[derive(Debug, Clone)]
pub(crate) struct CreateAccount {
    /// A name for people.
    pub(crate) display_name: String,
    /// The currency, which never changes (M-4).
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
        let data = AccountCreated {
            display_name: &account.display_name,
            currency_code: *currency,
            kind: terms.kind(),
        };
        let account_id = account.account_id;
        let outcome = format!("{}, in {}", terms.kind().as_str(), currency.code());
        emit(tx, request, account_id, account_id, "M-4", outcome, &data).await?;
        Ok(account.view(None, request.call.now))
    }
}
