//! What Orders asks of Billing. Every question carries its decision time, too (T-3), so that a late
//! answer is the one that an early one would have been.

use licet_contracts::billing::{
    v1 as billing,
    v1::{
        catalog_service_client::CatalogServiceClient, invoice_service_client::InvoiceServiceClient,
        quote_service_client::QuoteServiceClient, refund_service_client::RefundServiceClient,
    },
};
use licet_domain::{
    clock::Instant,
    ids::{InvoiceId, ProductId},
    refusal::{Reason, Refusal},
};
use licet_runtime::{
    peer::{PeerChannel, PeerFault, outcome},
    wire::encode_time,
};
use uuid::Uuid;

use crate::{
    convert::billing::{asked_before, product, said_in_full, spent_on},
    rules::order::Product,
};

/// Billing, as Orders knows it.
#[derive(Clone)]
pub(crate) struct Billing {
    channel: PeerChannel,
}

impl Billing {
    pub(crate) fn new(channel: PeerChannel) -> Self {
        Self { channel }
    }

    /// The version of a product that was in force at `as_of`.
    pub(crate) async fn get_product(
        &self,
        product_id: &ProductId,
        as_of: Instant,
    ) -> Result<Product, PeerFault> {
        let request = billing::GetProductRequest {
            product_id: product_id.to_string(),
            selection: Some(billing::get_product_request::Selection::AsOfTime(
                encode_time(as_of),
            )),
        };
        let mut client = CatalogServiceClient::new(self.channel.clone());
        let answer = outcome(client.get_product(request).await)?;
        let found = answer.product.ok_or_else(|| absent("product"))?;
        product(&found).map_err(PeerFault::Unknown)
    }

    /// A quote, computed and kept; only computed where the question says `validate_only`.
    pub(crate) async fn create_quote(
        &self,
        question: &billing::CreateQuoteRequest,
        request_id: Uuid,
    ) -> Result<billing::Quote, PeerFault> {
        let mut request = question.clone();
        request.request_id = request_id.to_string();
        let mut client = QuoteServiceClient::new(self.channel.clone());
        let answer = outcome(client.create_quote(request).await)?;
        answer.quote.ok_or_else(|| absent("quote"))
    }

    /// Charges a quote exactly. Its expiry is judged by `accept_time` (MD-6). One that Billing
    /// charged before and has forgotten the request of is answered with the invoice that it became:
    /// its pin makes it good for one change alone.
    pub(crate) async fn charge_quote(
        &self,
        quote: &billing::Quote,
        accept_time: Instant,
        request_id: Uuid,
    ) -> Result<billing::Invoice, PeerFault> {
        let request = billing::ChargeQuoteRequest {
            quote_id: quote.quote_id.clone(),
            pin: quote.pin.clone(),
            accept_time: Some(encode_time(accept_time)),
            validate_only: false,
            request_id: request_id.to_string(),
        };
        let mut client = InvoiceServiceClient::new(self.channel.clone());
        match outcome(client.charge_quote(request).await) {
            Ok(answer) => answer.invoice.ok_or_else(|| absent("invoice")),
            Err(PeerFault::Refused(refusal)) => self.find_charge(quote, refusal).await,
            Err(fault) => Err(fault),
        }
    }

    /// Charges several quotes of one account exactly, all of them or none (BL-6); answers their
    /// invoices in the same order. Those that Billing charged before and has forgotten the request of
    /// are answered with what they became, as in [`Billing::charge_quote`].
    pub(crate) async fn charge_quotes(
        &self,
        quotes: &[&billing::Quote],
        accept_time: Instant,
        request_id: Uuid,
    ) -> Result<Vec<billing::Invoice>, PeerFault> {
        let pins = quotes.iter().map(|quote| quote.pin.clone());
        let request = charge_request(quotes, pins, accept_time, request_id);
        let mut client = InvoiceServiceClient::new(self.channel.clone());
        match outcome(client.charge_quotes(request).await) {
            Ok(answer) if answer.invoices.len() == quotes.len() => Ok(answer.invoices),
            Ok(_) => Err(absent("invoice")),
            Err(PeerFault::Refused(refusal)) if refusal.reason == Reason::QuoteSpent => {
                let mut invoices = Vec::with_capacity(quotes.len());
                for quote in quotes {
                    let spent = self.find_spent(quote).await?;
                    invoices.push(spent.ok_or_else(|| PeerFault::Refused(refusal.clone()))?);
                }
                Ok(invoices)
            }
            Err(fault) => Err(fault),
        }
    }

    /// The invoice that a quote became, if it became one.
    async fn find_spent(
        &self,
        quote: &billing::Quote,
    ) -> Result<Option<billing::Invoice>, PeerFault> {
        let request = billing::GetQuoteRequest {
            quote_id: quote.quote_id.clone(),
        };
        let mut client = QuoteServiceClient::new(self.channel.clone());
        let found = outcome(client.get_quote(request).await)?.quote;
        let invoice_id = found.map(|quote| quote.invoice_id).unwrap_or_default();
        if invoice_id.is_empty() {
            return Ok(None);
        }
        let request = billing::GetInvoiceRequest { invoice_id };
        let mut client = InvoiceServiceClient::new(self.channel.clone());
        Ok(outcome(client.get_invoice(request).await)?.invoice)
    }

    /// The invoice that the refusal of a charge says the quote became; else the refusal stands.
    async fn find_charge(
        &self,
        quote: &billing::Quote,
        refusal: Box<Refusal>,
    ) -> Result<billing::Invoice, PeerFault> {
        let Some(invoice_id) = spent_on(&refusal) else {
            return Err(PeerFault::Refused(refusal));
        };
        let request = billing::GetInvoiceRequest { invoice_id };
        let mut client = InvoiceServiceClient::new(self.channel.clone());
        let found = match outcome(client.get_invoice(request).await) {
            Ok(answer) => answer.invoice,
            Err(PeerFault::Refused(_)) => None,
            Err(fault) => return Err(fault),
        };
        found
            .filter(|invoice| invoice.quote_id == quote.quote_id)
            .ok_or(PeerFault::Refused(refusal))
    }

    /// Decides a refund and makes it; only decides where the question says `validate_only`. Where
    /// the term's refund was asked for before, that one is the answer.
    pub(crate) async fn request_refund(
        &self,
        question: &billing::RequestRefundRequest,
        request_id: Uuid,
    ) -> Result<billing::Refund, PeerFault> {
        let mut request = said_in_full(question);
        request.request_id = request_id.to_string();
        let mut client = RefundServiceClient::new(self.channel.clone());
        let mut answer = outcome(client.request_refund(request.clone()).await);
        if let Err(PeerFault::Refused(refusal)) = &answer
            && refusal.reason == Reason::RequestIdReused
        {
            // A version before this one asked in other words. The term was decided then, and Billing
            // says so under any other id, or it was refused, and is asked for anew.
            request.request_id =
                Uuid::from_u128(request_id.as_u128() ^ 0xFFFF_FFFF_FFFF).to_string();
            answer = outcome(client.request_refund(request).await);
        }
        let refusal = match answer {
            Ok(answer) => return answer.refund.ok_or_else(|| absent("refund")),
            Err(PeerFault::Refused(refusal)) => refusal,
            Err(fault) => return Err(fault),
        };
        let Some(refund_id) = asked_before(&refusal) else {
            return Err(PeerFault::Refused(refusal));
        };
        let request = billing::GetRefundRequest { refund_id };
        match outcome(client.get_refund(request).await) {
            Ok(answer) => answer.refund.ok_or_else(|| absent("refund")),
            Err(PeerFault::Refused(_)) => Err(PeerFault::Refused(refusal)),
            Err(fault) => Err(fault),
        }
    }
}

impl Billing {
    /// Sees to it that a charge never comes, however late an attempt at it arrives: the request id
    /// of the charge is spent on one that Billing refuses. Answers whether it never came; a charge
    /// that was settled before, either way, is not undone by this.
    pub(crate) async fn forbid_charge(
        &self,
        quote: &billing::Quote,
        accept_time: Instant,
        request_id: Uuid,
    ) -> Result<bool, PeerFault> {
        let request = billing::ChargeQuoteRequest {
            quote_id: quote.quote_id.clone(),
            pin: format!("{} given up", quote.pin),
            accept_time: Some(encode_time(accept_time)),
            validate_only: false,
            request_id: request_id.to_string(),
        };
        let mut client = InvoiceServiceClient::new(self.channel.clone());
        forbidden(outcome(client.charge_quote(request).await))
    }

    /// As [`Billing::forbid_charge`], of a charge of several quotes.
    pub(crate) async fn forbid_charges(
        &self,
        quotes: &[&billing::Quote],
        accept_time: Instant,
        request_id: Uuid,
    ) -> Result<bool, PeerFault> {
        let pins = quotes.iter().map(|quote| format!("{} given up", quote.pin));
        let request = charge_request(quotes, pins, accept_time, request_id);
        let mut client = InvoiceServiceClient::new(self.channel.clone());
        forbidden(outcome(client.charge_quotes(request).await))
    }

    /// Credits all of an invoice that can still be credited; none where nothing was left to be.
    pub(crate) async fn credit_invoice(
        &self,
        invoice_id: InvoiceId,
        reason: &str,
        validate_only: bool,
        request_id: Uuid,
    ) -> Result<Option<billing::CreditNote>, PeerFault> {
        let request = billing::IssueCreditNoteRequest {
            invoice_id: invoice_id.to_string(),
            lines: Vec::new(),
            reason: reason.to_owned(),
            validate_only,
            request_id: request_id.to_string(),
        };
        let mut client = InvoiceServiceClient::new(self.channel.clone());
        match outcome(client.issue_credit_note(request).await) {
            Ok(answer) => answer
                .credit_note
                .map(Some)
                .ok_or_else(|| absent("credit note")),
            Err(PeerFault::Refused(refusal)) if refusal.reason == Reason::CreditExceedsInvoice => {
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// A refund as it stands.
    pub(crate) async fn get_refund(&self, refund_id: &str) -> Result<billing::Refund, PeerFault> {
        let request = billing::GetRefundRequest {
            refund_id: refund_id.to_owned(),
        };
        let mut client = RefundServiceClient::new(self.channel.clone());
        let answer = outcome(client.get_refund(request).await)?;
        answer.refund.ok_or_else(|| absent("refund"))
    }
}

/// A charge of several quotes of one account, each with the pin that comes in its place.
fn charge_request(
    quotes: &[&billing::Quote],
    pins: impl Iterator<Item = String>,
    accept_time: Instant,
    request_id: Uuid,
) -> billing::ChargeQuotesRequest {
    let account_id = quotes.first().map(|quote| quote.account_id.clone());
    let quotes = quotes.iter().zip(pins);
    let quotes = quotes.map(|(quote, pin)| billing::QuoteToCharge {
        quote_id: quote.quote_id.clone(),
        pin,
    });
    billing::ChargeQuotesRequest {
        account_id: account_id.unwrap_or_default(),
        quotes: quotes.collect(),
        accept_time: Some(encode_time(accept_time)),
        validate_only: false,
        request_id: request_id.to_string(),
    }
}

/// Whether a charge that was asked for by a wrong pin never comes: false where it was made before.
fn forbidden<T>(answer: Result<T, PeerFault>) -> Result<bool, PeerFault> {
    match answer {
        Ok(_) => Err(PeerFault::Unknown(
            "Billing charged a quote by another pin than its own".to_owned(),
        )),
        Err(PeerFault::Refused(refusal)) => Ok(!matches!(
            refusal.reason,
            Reason::RequestIdReused | Reason::QuoteSpent
        )),
        Err(fault) => Err(fault),
    }
}

fn absent(what: &str) -> PeerFault {
    super::absent("Billing", what)
}
