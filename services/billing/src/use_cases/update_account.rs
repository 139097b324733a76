//! Changes the name of an account, or how it pays.

use licet_domain::ids::AccountId;
use licet_runtime::{
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
};

use super::event::emit;
use crate::{
    events::{AccountTerms, AccountUpdated},
    rules::account::{AccountView, PaymentTerms},
    store,
};

/// Changes an account. The due times of open invoices stay (BL-3).
///
/// Refusals: NOT_FOUND, CURRENCY_MISMATCH, ACCOUNT_HAS_DUE.
#[derive(Debug, Clone)]
pub(crate) struct UpdateAccount {
    /// The account.
    pub(crate) account_id: AccountId,
    /// Its new name.
    pub(crate) display_name: Option<String>,
    /// How it pays from now on.
    pub(crate) terms: Option<PaymentTerms>,
}

impl Verb for UpdateAccount {
    type Output = AccountView;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<AccountView, Fault> {
        let Self {
            account_id,
            display_name,
            terms,
        } = self;
        let mut account = store::accounts::lock(tx, &request.call.caller, *account_id).await?;
        if let Some(terms) = terms {
            account.check_terms(terms)?;
            account.terms = *terms;
        }
        if let Some(name) = display_name {
            account.display_name.clone_from(name);
        }
        store::accounts::update(tx, &account).await?;
        let first_due = store::invoices::find_first_due(tx, *account_id).await?;
        let kind = account.terms.kind();
        let terms = match &account.terms {
            PaymentTerms::Prepaid => None,
            PaymentTerms::OnTerms(terms) => Some(AccountTerms {
                credit_limit: terms.credit_limit,
                net_days: terms.net_days,
                overdue_grace_days: terms.overdue_grace_days,
            }),
        };
        let data = AccountUpdated {
            display_name: &account.display_name,
            currency_code: account.currency(),
            kind,
            terms,
        };
        let outcome = kind.as_str().to_owned();
        emit(tx, request, account_id, *account_id, "BL-6", outcome, &data).await?;
        let first_due = first_due.map(|first| first.due_time);
        Ok(account.view(first_due, request.call.now))
    }
}
