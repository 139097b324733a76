//! The client of Billing.

use licet_contracts::{
    billing::{
        v1 as billing,
        v1::{
            catalog_service_client::CatalogServiceClient, get_product_request::Selection,
            invoice_service_client::InvoiceServiceClient, quote_service_client::QuoteServiceClient,
            refund_service_client::RefundServiceClient,
        },
    },
    types::v1 as types,
};
use licet_domain::{
    clock::Instant,
    ids::{InvoiceId, ProductId},
    money::Money,
    refusal::{Reason, Refusal},
};
use licet_runtime::{
    peer::{PeerChannel, PeerFault, outcome},
    wire::encode_time,
};
use uuid::Uuid;

use super::{
    invoice::{CreditNote, Invoice},
    product::Product,
    quote::{Quote, QuoteQuestion},
    reading::{absent, amount},
    refund::{Refund, RefundQuestion},
};

/// Makes a second request id from the first, for a request that an earlier version sent in another form.
const OTHER_ID: u128 = 0xFFFF_FFFF_FFFF;

/// The client of Billing.
#[derive(Clone)]
pub struct Billing {
    channel: PeerChannel,
}

impl AsRef<Self> for Billing {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Billing {
    /// A client for Billing behind `channel`.
    #[must_use]
    pub fn new(channel: PeerChannel) -> Self {
        Self { channel }
    }

    fn invoices(&self) -> InvoiceServiceClient<PeerChannel> {
        InvoiceServiceClient::new(self.channel.clone())
    }

    fn quotes(&self) -> QuoteServiceClient<PeerChannel> {
        QuoteServiceClient::new(self.channel.clone())
    }

    fn refunds(&self) -> RefundServiceClient<PeerChannel> {
        RefundServiceClient::new(self.channel.clone())
    }

    /// The version of a product that was in force at `as_of`.
    ///
    /// # Errors
    /// NOT_FOUND, or no definite answer.
    pub async fn get_product(
        &self,
        product_id: &ProductId,
        as_of: Instant,
    ) -> Result<Product, PeerFault> {
        let request = billing::GetProductRequest {
            product_id: product_id.to_string(),
            selection: Some(Selection::AsOfTime(encode_time(as_of))),
        };
        let mut client = CatalogServiceClient::new(self.channel.clone());
        let answer = outcome(client.get_product(request).await)?;
        let found = answer.product.ok_or_else(|| absent("product"))?;
        Ok(found.into())
    }

    /// Creates a quote; with the question's `validate_only`, Billing only computes it.
    ///
    /// # Errors
    /// The refusal, or no definite answer.
    pub async fn create_quote(
        &self,
        question: &QuoteQuestion,
        request_id: Uuid,
    ) -> Result<Quote, PeerFault> {
        let mut request = question.message().clone();
        request.request_id = request_id.to_string();
        let answer = outcome(self.quotes().create_quote(request).await)?;
        let quote = answer.quote.ok_or_else(|| absent("quote"))?;
        Ok(quote.into())
    }

    /// Charges exactly the quote's total. The quote must not have expired at `accept_time` (MD-6). If the
    /// quote was already charged and the replay record is pruned, returns its invoice: because of the pin,
    /// only this change can have charged it.
    ///
    /// # Errors
    /// The refusal, or no definite answer.
    pub async fn charge_quote(
        &self,
        quote: &Quote,
        accept_time: Instant,
        request_id: Uuid,
    ) -> Result<Invoice, PeerFault> {
        let request = charge_one(quote, accept_time, request_id);
        match outcome(self.invoices().charge_quote(request).await) {
            Ok(answer) => Ok(answer.invoice.ok_or_else(|| absent("invoice"))?.into()),
            Err(PeerFault::Refused(refusal)) => self.find_charge(quote, refusal).await,
            Err(fault) => Err(fault),
        }
    }

    /// Charges several quotes of one account, all or none (BL-6), and returns their invoices in the same
    /// order. Quotes that were already charged are handled as in [`Billing::charge_quote`].
    ///
    /// # Errors
    /// The refusal, or no definite answer.
    pub async fn charge_quotes<const N: usize>(
        &self,
        quotes: [&Quote; N],
        accept_time: Instant,
        request_id: Uuid,
    ) -> Result<[Invoice; N], PeerFault> {
        let request = charge_several(&quotes, accept_time, request_id);
        let invoices: Vec<Invoice> = match outcome(self.invoices().charge_quotes(request).await) {
            Ok(answer) => answer.invoices.into_iter().map(Invoice::from).collect(),
            Err(PeerFault::Refused(refusal)) if refusal.reason == Reason::QuoteSpent => {
                let mut invoices = Vec::with_capacity(N);
                for quote in quotes {
                    let spent = self.find_spent(quote).await?;
                    invoices.push(spent.ok_or_else(|| PeerFault::Refused(refusal.clone()))?);
                }
                invoices
            }
            Err(fault) => return Err(fault),
        };
        invoices.try_into().map_err(|_| absent("invoice"))
    }

    /// The invoice of a charged quote, if nothing of the invoice is credited or held.
    async fn find_spent(&self, quote: &Quote) -> Result<Option<Invoice>, PeerFault> {
        let request = billing::GetQuoteRequest {
            quote_id: quote.message().quote_id.clone(),
        };
        let found = outcome(self.quotes().get_quote(request).await)?.quote;
        let invoice_id = found.map(|quote| quote.invoice_id).unwrap_or_default();
        if invoice_id.is_empty() {
            return Ok(None);
        }
        let request = billing::GetInvoiceRequest { invoice_id };
        let answer = outcome(self.invoices().get_invoice(request).await)?;
        Ok(answer.invoice.filter(is_untouched).map(Invoice::from))
    }

    /// The invoice of an already charged quote, which the refusal of its charge names; else the refusal.
    async fn find_charge(
        &self,
        quote: &Quote,
        refusal: Box<Refusal>,
    ) -> Result<Invoice, PeerFault> {
        let Some(invoice_id) = named_by(&refusal, Reason::QuoteSpent, "invoice_id") else {
            return Err(PeerFault::Refused(refusal));
        };
        let request = billing::GetInvoiceRequest { invoice_id };
        let found = match outcome(self.invoices().get_invoice(request).await) {
            Ok(answer) => answer.invoice,
            Err(PeerFault::Refused(_)) => None,
            Err(fault) => return Err(fault),
        };
        let quote_id = &quote.message().quote_id;
        let found = found.filter(|invoice| invoice.quote_id == *quote_id && is_untouched(invoice));
        found.map(Invoice::from).ok_or(PeerFault::Refused(refusal))
    }

    /// Finds an invoice by its number, such as `INV-000001`.
    ///
    /// # Errors
    /// No definite answer.
    pub async fn find_invoice(&self, number: &str) -> Result<Option<Invoice>, PeerFault> {
        let request = billing::ListInvoicesRequest {
            number: number.to_owned(),
            ..billing::ListInvoicesRequest::default()
        };
        let mut found = outcome(self.invoices().list_invoices(request).await)?.invoices;
        Ok(found.pop().map(Invoice::from))
    }

    /// Forbids a charge of quotes of one account, so that a late attempt at it fails. Returns false if the
    /// charge was already made; it stays.
    ///
    /// # Errors
    /// No definite answer.
    pub async fn forbid_charge(
        &self,
        quotes: &[&Quote],
        charge_request_id: Uuid,
    ) -> Result<bool, PeerFault> {
        let request = billing::ForbidChargeRequest {
            account_id: account_of(quotes),
            quote_ids: quotes
                .iter()
                .map(|quote| quote.message().quote_id.clone())
                .collect(),
            charge_request_id: charge_request_id.to_string(),
            request_id: Uuid::new_v5(&charge_request_id, b"forbid").to_string(),
        };
        match outcome(self.invoices().forbid_charge(request).await) {
            Ok(answer) => Ok(answer.forbidden),
            // Billing deletes quotes long after they expired uncharged: such a quote never will be charged.
            Err(PeerFault::Refused(refusal)) if refusal.reason == Reason::NotFound => Ok(true),
            Err(fault) => Err(fault),
        }
    }

    /// Credits everything of an invoice that is not yet credited, including amounts that a refund in review
    /// holds. Returns `None` if nothing was left to credit.
    ///
    /// # Errors
    /// The refusal, or no definite answer.
    pub async fn credit_invoice(
        &self,
        invoice_id: InvoiceId,
        reason: &str,
        validate_only: bool,
        request_id: Uuid,
    ) -> Result<Option<CreditNote>, PeerFault> {
        let mut request = billing::IssueCreditNoteRequest {
            invoice_id: invoice_id.to_string(),
            lines: Vec::new(),
            reason: reason.to_owned(),
            validate_only,
            request_id: request_id.to_string(),
            including_held: true,
        };
        let mut answer = outcome(self.invoices().issue_credit_note(request.clone()).await);
        if is_refused(&answer, Reason::RequestIdReused) {
            // An earlier version sent this request without amounts in review. Repeat that first, then credit
            // the amounts in review under another id.
            request.including_held = false;
            answer = outcome(self.invoices().issue_credit_note(request.clone()).await);
            if is_refused(&answer, Reason::CreditExceedsInvoice) {
                request.including_held = true;
                request.request_id = Uuid::from_u128(request_id.as_u128() ^ OTHER_ID).to_string();
                answer = outcome(self.invoices().issue_credit_note(request).await);
            }
        }
        match answer {
            Ok(answer) => {
                let note = answer.credit_note.ok_or_else(|| absent("credit note"))?;
                Ok(Some(note.into()))
            }
            Err(PeerFault::Refused(refusal)) if refusal.reason == Reason::CreditExceedsInvoice => {
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Decides and makes a refund; with the question's `validate_only`, Billing only decides it. If the term's
    /// refund was already requested, returns that one.
    ///
    /// # Errors
    /// The refusal, or no definite answer.
    pub async fn request_refund(
        &self,
        question: &RefundQuestion,
        request_id: Uuid,
    ) -> Result<Refund, PeerFault> {
        let mut request = question.with_explicit_use();
        request.request_id = request_id.to_string();
        let mut answer = outcome(self.refunds().request_refund(request.clone()).await);
        if is_refused(&answer, Reason::RequestIdReused) {
            // An earlier version sent this request in another form. If the refund was decided then, Billing
            // refuses any other id and names that refund; if it was refused, this is a new attempt.
            request.request_id = Uuid::from_u128(request_id.as_u128() ^ OTHER_ID).to_string();
            answer = outcome(self.refunds().request_refund(request).await);
        }
        let refusal = match answer {
            Ok(answer) => return Ok(answer.refund.ok_or_else(|| absent("refund"))?.into()),
            Err(PeerFault::Refused(refusal)) => refusal,
            Err(fault) => return Err(fault),
        };
        let Some(refund_id) = named_by(&refusal, Reason::RefundAlreadyRequested, "refund_id")
        else {
            return Err(PeerFault::Refused(refusal));
        };
        match self.get_refund(&refund_id).await {
            Err(PeerFault::Refused(_)) => Err(PeerFault::Refused(refusal)),
            result => result,
        }
    }

    /// The current state of a refund.
    ///
    /// # Errors
    /// NOT_FOUND, or no definite answer.
    pub async fn get_refund(&self, refund_id: &str) -> Result<Refund, PeerFault> {
        let request = billing::GetRefundRequest {
            refund_id: refund_id.to_owned(),
        };
        let answer = outcome(self.refunds().get_refund(request).await)?;
        Ok(answer.refund.ok_or_else(|| absent("refund"))?.into())
    }
}

/// Whether nothing of an invoice is credited or held; a credited invoice does not pay for a change.
fn is_untouched(invoice: &billing::Invoice) -> bool {
    let is_nothing =
        |money: &Option<types::Money>| amount(money.as_ref()).is_ok_and(Money::is_zero);
    is_nothing(&invoice.credited) && is_nothing(&invoice.held)
}

fn charge_one(
    quote: &Quote,
    accept_time: Instant,
    request_id: Uuid,
) -> billing::ChargeQuoteRequest {
    billing::ChargeQuoteRequest {
        quote_id: quote.message().quote_id.clone(),
        pin: quote.pin().to_owned(),
        accept_time: Some(encode_time(accept_time)),
        validate_only: false,
        request_id: request_id.to_string(),
    }
}

/// The common account of the quotes.
fn account_of(quotes: &[&Quote]) -> String {
    let first = quotes.first();
    let account_id = first.map(|quote| quote.message().account_id.clone());
    account_id.unwrap_or_default()
}

fn charge_several(
    quotes: &[&Quote],
    accept_time: Instant,
    request_id: Uuid,
) -> billing::ChargeQuotesRequest {
    let account_id = account_of(quotes);
    let quotes = quotes.iter().map(|quote| billing::QuoteToCharge {
        quote_id: quote.message().quote_id.clone(),
        pin: quote.pin().to_owned(),
    });
    billing::ChargeQuotesRequest {
        account_id,
        quotes: quotes.collect(),
        accept_time: Some(encode_time(accept_time)),
        validate_only: false,
        request_id: request_id.to_string(),
    }
}

fn is_refused<T>(answer: &Result<T, PeerFault>, reason: Reason) -> bool {
    matches!(answer, Err(PeerFault::Refused(refusal)) if refusal.reason == reason)
}

/// The id of an earlier result that a refusal names in its metadata.
fn named_by(refusal: &Refusal, reason: Reason, key: &str) -> Option<String> {
    let value = refusal.metadata.get(key);
    let value = value.filter(|value| refusal.reason == reason && !value.is_empty());
    value.cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_2_a_refusal_names_what_was_done_before() {
        let spent_on = |refusal: &Refusal| named_by(refusal, Reason::QuoteSpent, "invoice_id");
        let asked =
            |refusal: &Refusal| named_by(refusal, Reason::RefundAlreadyRequested, "refund_id");
        let spent = Refusal::new(Reason::QuoteSpent, "charged already").with("invoice_id", "inv_1");
        assert_eq!(spent_on(&spent).as_deref(), Some("inv_1"));
        assert_eq!(asked(&spent), None);
        let before =
            Refusal::new(Reason::RefundAlreadyRequested, "asked for").with("refund_id", "rfd_1");
        assert_eq!(asked(&before).as_deref(), Some("rfd_1"));
        let stale = Refusal::new(Reason::QuoteStale, "not this").with("invoice_id", "inv_1");
        assert_eq!(spent_on(&stale), None);
    }
}
