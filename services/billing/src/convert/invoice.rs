//! Invoices and credit notes between the contract and the rules.

use licet_contracts::billing::v1 as billing;
use licet_domain::{
    clock::Instant,
    ids::{InvoiceId, QuoteId},
};
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::Fields,
    wire::{encode_count, encode_money, encode_time},
};

use super::{
    decode_as_of, decode_name, decode_resource_filter,
    line::{encode_lines, encode_subject},
};
use crate::rules::{
    charge::{Invoice, InvoiceState},
    credit::CreditNote,
    listing::{CreditNoteFilter, InvoiceFilter},
};

/// A quote that is to be charged.
#[derive(Debug, Clone)]
pub(crate) struct Charge {
    /// The quote.
    pub(crate) quote_id: QuoteId,
    /// The quote's pin, repeated.
    pub(crate) pin: String,
    /// What the quote's expiry is judged by (MD-6).
    pub(crate) accepted: Instant,
}

/// Reads the request to charge a quote.
pub(crate) fn decode_charge(
    call: &Call,
    message: &billing::ChargeQuoteRequest,
) -> Result<Charge, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let quote_id = fields.required("quote_id", &message.quote_id);
    let pin = decode_name(&mut fields, "pin", &message.pin);
    let accepted = decode_as_of(
        &mut fields,
        call,
        "accept_time",
        message.accept_time.as_ref(),
    );
    fields.build(|| {
        Ok(Charge {
            quote_id: quote_id?,
            pin: pin?,
            accepted: accepted?,
        })
    })
}

/// Reads an invoice's id that must be there.
pub(crate) fn decode_invoice_id(invoice_id: &str) -> Result<InvoiceId, Fault> {
    let mut fields = Fields::new();
    let id = fields.required("invoice_id", invoice_id);
    fields.build(|| id)
}

/// Reads what a listing of invoices is narrowed to.
pub(crate) fn decode_list(message: &billing::ListInvoicesRequest) -> Result<InvoiceFilter, Fault> {
    let mut fields = Fields::new();
    let account_id = fields.optional("account_id", &message.account_id);
    let resource_id = decode_resource_filter(&mut fields, &message.resource_id);
    fields.build(|| {
        Ok(InvoiceFilter {
            account_id: account_id?,
            resource_id: resource_id?,
        })
    })
}

/// Reads what a listing of credit notes is narrowed to.
pub(crate) fn decode_credit_note_list(
    message: &billing::ListCreditNotesRequest,
) -> Result<CreditNoteFilter, Fault> {
    let mut fields = Fields::new();
    let account_id = fields.optional("account_id", &message.account_id);
    let invoice_id = fields.optional("invoice_id", &message.invoice_id);
    fields.build(|| {
        Ok(CreditNoteFilter {
            account_id: account_id?,
            invoice_id: invoice_id?,
        })
    })
}

/// An invoice.
pub(crate) fn encode(invoice: &Invoice) -> billing::Invoice {
    let state = match invoice.state {
        InvoiceState::Paid => billing::InvoiceState::Paid,
        InvoiceState::Open => billing::InvoiceState::Open,
    };
    billing::Invoice {
        invoice_id: invoice
            .invoice_id
            .map_or_else(String::new, |id| id.to_string()),
        number: invoice
            .number
            .map_or_else(String::new, |number| format!("INV-{number:06}")),
        account_id: invoice.account_id.to_string(),
        subject: invoice.subject.as_ref().map(encode_subject),
        lines: encode_lines(invoice.lines.iter().map(|line| &line.line)),
        total: Some(encode_money(invoice.total)),
        credited: Some(encode_money(invoice.credited)),
        state: state.into(),
        issue_time: Some(encode_time(invoice.issued)),
        quote_id: invoice.quote_id.to_string(),
    }
}

/// The invoice of a charge.
pub(crate) fn encode_charge(invoice: &Invoice) -> billing::ChargeQuoteResponse {
    billing::ChargeQuoteResponse {
        invoice: Some(encode(invoice)),
    }
}

/// A credit note.
pub(crate) fn encode_credit_note(note: &CreditNote) -> billing::CreditNote {
    let lines = note.lines.iter().map(|line| billing::CreditNoteLine {
        line_number: encode_count(line.line_number),
        amount: Some(encode_money(line.amount)),
    });
    billing::CreditNote {
        credit_note_id: note.credit_note_id.to_string(),
        number: format!("CDN-{:06}", note.number),
        account_id: note.account_id.to_string(),
        invoice_id: note.invoice_id.to_string(),
        lines: lines.collect(),
        total: Some(encode_money(note.total)),
        reason: note.reason.clone(),
        issue_time: Some(encode_time(note.issued)),
    }
}
