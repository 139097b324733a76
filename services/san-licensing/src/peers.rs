//! What SanLicensing asks of Billing. Every question carries its own request id and decision time,
//! so that it can be asked again until there is an answer.

use licet_contracts::billing::{
    v1 as billing,
    v1::{
        catalog_service_client::CatalogServiceClient, get_product_request::Selection,
        invoice_service_client::InvoiceServiceClient, quote_service_client::QuoteServiceClient,
    },
};
use licet_domain::{
    clock::Instant,
    ids::ProductId,
    refusal::{Reason, Refusal},
};
use licet_runtime::{
    peer::{PeerChannel, PeerFault, outcome},
    wire::encode_time,
};
use uuid::Uuid;

use crate::convert::billing::{about_dearest, spent_on};

/// Billing, as SanLicensing knows it.
#[derive(Clone)]
pub(crate) struct Billing {
    channel: PeerChannel,
}

impl Billing {
    pub(crate) fn new(channel: PeerChannel) -> Self {
        Self { channel }
    }

    /// A quote, computed and kept.
    pub(crate) async fn create_quote(
        &self,
        question: &billing::CreateQuoteRequest,
        request_id: Uuid,
    ) -> Result<billing::Quote, PeerFault> {
        let request = billing::CreateQuoteRequest {
            request_id: request_id.to_string(),
            ..question.clone()
        };
        let mut client = QuoteServiceClient::new(self.channel.clone());
        let answer = outcome(client.create_quote(request).await)?;
        answer.quote.ok_or_else(|| absent("quote"))
    }

    /// A quote, computed alone: nothing of it is kept.
    pub(crate) async fn preview_quote(
        &self,
        question: &billing::CreateQuoteRequest,
    ) -> Result<billing::Quote, PeerFault> {
        let question = billing::CreateQuoteRequest {
            validate_only: true,
            ..question.clone()
        };
        self.create_quote(&question, Uuid::new_v4()).await
    }

    /// The question about the one product of several that is the dearest, which prices them all
    /// (SL-10).
    pub(crate) async fn narrow_to_dearest(
        &self,
        question: &billing::CreateQuoteRequest,
    ) -> Result<billing::CreateQuoteRequest, PeerFault> {
        if question.items.len() <= 1 {
            return Ok(question.clone());
        }
        // About one thing a quote would have to be of one product.
        let comparison = billing::CreateQuoteRequest {
            subject: None,
            ..question.clone()
        };
        let quote = self.preview_quote(&comparison).await?;
        about_dearest(question, &quote).map_err(PeerFault::Unknown)
    }

    /// A product as it was in the catalogue at a time.
    pub(crate) async fn get_product(
        &self,
        product_id: &ProductId,
        time: Instant,
    ) -> Result<billing::Product, PeerFault> {
        let request = billing::GetProductRequest {
            product_id: product_id.to_string(),
            selection: Some(Selection::AsOfTime(encode_time(time))),
        };
        let mut client = CatalogServiceClient::new(self.channel.clone());
        let answer = outcome(client.get_product(request).await)?;
        answer.product.ok_or_else(|| absent("product"))
    }

    /// Charges a quote exactly. Its expiry is judged by `accept_time`. One that Billing charged
    /// before and has forgotten the request of is answered with the invoice that it became: it was
    /// made for one change alone.
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
        match outcome(client.charge_quote(request).await) {
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
}

fn absent(what: &str) -> PeerFault {
    PeerFault::Unknown(format!("Billing answered without its {what}"))
}
