//! Invoices and credit notes between the contract and the rules.

use licet_contracts::billing::v1 as pb;
use licet_runtime::{caller::Call, fault::Fault, field::Fields};

use licet_runtime::wire::{encode_count, encode_money, encode_time};

use super::{
    decode_as_of, decode_name,
    line::{encode_lines, encode_subject},
};
use crate::{
    rules::{
        charge::{Invoice, InvoiceState},
        credit::CreditNote,
    },
    use_cases::charge_quote::ChargeQuote,
};

pub(crate) fn decode_charge<'a>(
    call: &'a Call,
    message: &'a pb::ChargeQuoteRequest,
) -> Result<ChargeQuote<'a>, Fault> {
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
        Ok(ChargeQuote {
            call,
            request_id: &message.request_id,
            quote_id: quote_id?,
            pin: pin?,
            accepted: accepted?,
        })
    })
}

pub(crate) fn encode(invoice: &Invoice) -> pb::Invoice {
    let state = match invoice.state {
        InvoiceState::Paid => pb::InvoiceState::Paid,
        InvoiceState::Open => pb::InvoiceState::Open,
    };
    pb::Invoice {
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

pub(crate) fn encode_charge(invoice: &Invoice) -> pb::ChargeQuoteResponse {
    pb::ChargeQuoteResponse {
        invoice: Some(encode(invoice)),
    }
}

pub(crate) fn encode_credit_note(note: &CreditNote) -> pb::CreditNote {
    let lines = note.lines.iter().map(|line| pb::CreditNoteLine {
        line_number: encode_count(line.line_number),
        amount: Some(encode_money(line.amount)),
    });
    pb::CreditNote {
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
