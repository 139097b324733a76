//! Changing an account's name, or how it pays.

use licet_domain::ids::AccountId;
use licet_runtime::{
    database::Tx,
    door::{ChangeRequest, Verb},
    fault::Fault,
    outbox::{self, Event},
};
use serde_json::json;

use crate::{
    rules::{
        account::{AccountView, PaymentTerms},
        not_found,
    },
    store,
};

/// Changes an account. Open invoices stay due when they were (BL-3).
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
        let mut account = store::accounts::lock(tx, &request.call.caller, *account_id)
            .await?
            .ok_or_else(|| not_found("account", account_id))?;
        if let Some(terms) = terms {
            account.check_terms(terms)?;
            account.terms = *terms;
        }
        if let Some(name) = display_name {
            account.display_name.clone_from(name);
        }
        store::accounts::update(tx, &account).await?;
        let first_due = store::invoices::find_first_due(tx, *account_id).await?;
        let kind = account.terms.kind().as_str();
        let terms = match &account.terms {
            PaymentTerms::Prepaid => None,
            PaymentTerms::OnTerms(terms) => Some(json!({
                "credit_limit": terms.credit_limit.value(),
                "net_days": terms.net_days,
                "overdue_grace_days": terms.overdue_grace_days,
            })),
        };
        let event = Event {
            kind: "licet.billing.account.updated.v1",
            resource_id: account_id.to_string(),
            account_id: Some(*account_id),
            time: request.call.now,
            origin: &request.origin(),
            why: "BL-6".to_owned(),
            outcome: kind.to_owned(),
            data: json!({
                "display_name": account.display_name,
                "currency_code": account.currency().code(),
                "kind": kind,
                "terms": terms,
            }),
        };
        outbox::emit(tx, event).await?;
        let first_due = first_due.map(|first| first.due_time);
        Ok(account.view(first_due, request.call.now))
    }
}
