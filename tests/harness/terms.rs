//! Accounts on terms and their purchases, made through Billing.

use licet_contracts::{
    billing::v1::{
        AccountKind, CreateAccountRequest, GetInvoiceRequest, GetStatementRequest,
        GetStatementResponse, Invoice, LineKind, PayInvoiceRequest, PayInvoiceResponse,
        PaymentTerms, WithdrawRequest, WithdrawResponse,
    },
    types::v1::Period,
};
use licet_domain::clock::Instant;
use tonic::{Response, Status};

use super::{
    clock::timestamp,
    request_id,
    samples::{MULTI, usd},
    selling::item,
    world::World,
};

pub(crate) fn terms(limit: &str, net_days: i32, overdue_grace_days: i32) -> PaymentTerms {
    PaymentTerms {
        credit_limit: usd(limit),
        net_days,
        overdue_grace_days,
    }
}

/// The request for a new USD account on these terms.
pub(crate) fn on_terms_request(terms: PaymentTerms) -> CreateAccountRequest {
    CreateAccountRequest {
        display_name: "Example Ltd, on terms".to_owned(),
        currency_code: "USD".to_owned(),
        kind: AccountKind::OnTerms.into(),
        terms: Some(terms),
        request_id: request_id(),
    }
}

/// A payment of the whole amount due, or of a part.
pub(crate) fn payment_request(invoice_id: &str, amount: Option<&str>) -> PayInvoiceRequest {
    PayInvoiceRequest {
        invoice_id: invoice_id.to_owned(),
        amount: amount.and_then(usd),
        request_id: request_id(),
        ..PayInvoiceRequest::default()
    }
}

pub(crate) fn withdraw_request(account_id: &str, amount: &str) -> WithdrawRequest {
    WithdrawRequest {
        account_id: account_id.to_owned(),
        amount: usd(amount),
        reference: "paid back".to_owned(),
        request_id: request_id(),
        ..WithdrawRequest::default()
    }
}

impl World {
    /// A new USD account on terms: credit limit, days until an invoice is due, days of grace.
    pub(crate) async fn account_on_terms(&self, limit: &str, net: i32, grace: i32) -> String {
        let request = on_terms_request(terms(limit, net, grace));
        let answer = self.accounts().create_account(request).await.unwrap();
        answer.into_inner().account.unwrap().account_id
    }

    /// Charges a certificate for `months`: 12.00 for 1, 98.00 for 12, 180.00 for 24.
    pub(crate) async fn buy(&self, account_id: &str, months: i32) -> Result<Invoice, Status> {
        let mut wanted = item(LineKind::Certificate, MULTI, 1);
        wanted.term_months = months;
        let quote = self.quote(account_id, vec![wanted]).await;
        self.charge(&quote).await
    }

    pub(crate) async fn invoice(&self, invoice_id: &str) -> Invoice {
        let request = GetInvoiceRequest {
            invoice_id: invoice_id.to_owned(),
        };
        let answer = self.invoices().get_invoice(request).await.unwrap();
        answer.into_inner().invoice.unwrap()
    }

    /// Pays the whole amount due on an invoice, or a part of it.
    pub(crate) async fn pay(
        &self,
        invoice_id: &str,
        amount: Option<&str>,
    ) -> Result<PayInvoiceResponse, Status> {
        let request = payment_request(invoice_id, amount);
        let answer = self.invoices().pay_invoice(request).await;
        answer.map(Response::into_inner)
    }

    pub(crate) async fn withdraw(
        &self,
        account_id: &str,
        amount: &str,
    ) -> Result<WithdrawResponse, Status> {
        let request = withdraw_request(account_id, amount);
        let answer = self.accounts().withdraw(request).await;
        answer.map(Response::into_inner)
    }

    pub(crate) async fn statement(
        &self,
        account_id: &str,
        start: Instant,
        end: Instant,
    ) -> Result<GetStatementResponse, Status> {
        let request = GetStatementRequest {
            account_id: account_id.to_owned(),
            period: Some(period(start, end)),
        };
        let answer = self.accounts().get_statement(request).await;
        answer.map(Response::into_inner)
    }
}

pub(crate) fn period(start: Instant, end: Instant) -> Period {
    Period {
        start_time: Some(timestamp(start)),
        end_time: Some(timestamp(end)),
    }
}
