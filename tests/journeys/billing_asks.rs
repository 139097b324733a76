//! Billing's mutations that random histories call: how to preview each (`validate_only`), if it can be
//! previewed, and which fields a preview cannot predict.

use std::fmt::Debug;

use licet_contracts::billing::v1::{
    ApproveRefundRequest, ApproveRefundResponse, ChargeQuoteRequest, ChargeQuoteResponse,
    CreateQuoteRequest, CreateQuoteResponse, DepositRequest, DepositResponse,
    IssueCreditNoteRequest, IssueCreditNoteResponse, LedgerEntry, PayInvoiceRequest,
    PayInvoiceResponse, Refund, RejectRefundRequest, RejectRefundResponse, RequestRefundRequest,
    RequestRefundResponse, ReverseEntryRequest, ReverseEntryResponse, SetPricesRequest,
    SetPricesResponse, UpdateAccountRequest, UpdateAccountResponse, WithdrawRequest,
    WithdrawResponse, account_service_client::AccountServiceClient,
    catalog_service_client::CatalogServiceClient, invoice_service_client::InvoiceServiceClient,
    quote_service_client::QuoteServiceClient, refund_service_client::RefundServiceClient,
};
use tonic::Response;

use crate::harness::{
    channel::Channel,
    errors::{Refused, take_apart},
};

/// A mutation.
pub(super) trait Ask: Clone + Debug + Send + 'static {
    type Answer: Clone + Debug + PartialEq + Send + 'static;

    fn send(self, way: Channel) -> impl Future<Output = Result<Self::Answer, Refused>> + Send;

    /// The request's preview; `None` if it cannot be previewed.
    fn trial(self) -> Option<Self>;

    /// The response without the fields that a preview cannot predict.
    fn foreseeable(answer: Self::Answer) -> Self::Answer;
}

macro_rules! asks {
    ($($client:ident.$method:ident: $request:ident => $answer:ident $(, but $hide:expr)?;)+) => {
        $(
            impl Ask for $request {
                type Answer = $answer;

                async fn send(self, way: Channel) -> Result<$answer, Refused> {
                    let answer = $client::new(way).$method(self).await;
                    answer.map(Response::into_inner).map_err(|status| take_apart(&status))
                }

                fn trial(self) -> Option<Self> {
                    asks!(@trial self $(, $hide)?)
                }

                fn foreseeable(answer: $answer) -> $answer {
                    asks!(@foreseeable answer $(, $hide)?)
                }
            }
        )+
    };
    (@trial $request:expr) => { None };
    (@trial $request:expr, $hide:expr) => {{
        let mut tried = $request;
        tried.validate_only = true;
        tried.request_id.clear();
        Some(tried)
    }};
    (@foreseeable $answer:expr) => { $answer };
    (@foreseeable $answer:expr, $hide:expr) => {{
        let mut answer = $answer;
        let hide: fn(&mut Self::Answer) = $hide;
        hide(&mut answer);
        answer
    }};
}
pub(super) use asks;

asks! {
    CatalogServiceClient.set_prices: SetPricesRequest => SetPricesResponse;
    AccountServiceClient.update_account: UpdateAccountRequest => UpdateAccountResponse;
    AccountServiceClient.deposit: DepositRequest => DepositResponse;
    AccountServiceClient.withdraw: WithdrawRequest => WithdrawResponse,
        but |answer| hide_entry(answer.entry.as_mut());
    AccountServiceClient.reverse_entry: ReverseEntryRequest => ReverseEntryResponse,
        but |answer| hide_entry(answer.entry.as_mut());
    QuoteServiceClient.create_quote: CreateQuoteRequest => CreateQuoteResponse,
        but |answer| answer.quote.iter_mut().for_each(|it| it.quote_id.clear());
    InvoiceServiceClient.charge_quote: ChargeQuoteRequest => ChargeQuoteResponse,
        but |answer| if let Some(invoice) = &mut answer.invoice {
            invoice.invoice_id.clear();
            invoice.number.clear();
        };
    InvoiceServiceClient.pay_invoice: PayInvoiceRequest => PayInvoiceResponse, but |_| ();
    InvoiceServiceClient.issue_credit_note: IssueCreditNoteRequest => IssueCreditNoteResponse,
        but |answer| if let Some(note) = &mut answer.credit_note {
            note.credit_note_id.clear();
            note.number.clear();
        };
    RefundServiceClient.request_refund: RequestRefundRequest => RequestRefundResponse,
        but |answer| {
            hide_notes(answer.refund.as_mut());
            answer.refund.iter_mut().for_each(|it| it.refund_id.clear());
        };
    RefundServiceClient.approve_refund: ApproveRefundRequest => ApproveRefundResponse,
        but |answer| {
            hide_notes(answer.refund.as_mut());
            for note in &mut answer.credit_notes {
                note.credit_note_id.clear();
                note.number.clear();
            }
        };
    RefundServiceClient.reject_refund: RejectRefundRequest => RejectRefundResponse, but |_| ();
}

fn hide_entry(entry: Option<&mut LedgerEntry>) {
    entry.into_iter().for_each(|it| it.entry_id.clear());
}

fn hide_notes(refund: Option<&mut Refund>) {
    refund.into_iter().for_each(|it| it.credit_note_ids.clear());
}
