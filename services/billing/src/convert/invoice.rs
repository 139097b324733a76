//! Charges, payments and invoices: messages to values, and back.

use std::collections::BTreeMap;

use licet_contracts::billing::v1 as billing;
use licet_domain::{
    ids::{InvoiceId, QuoteId},
    money::Money,
};
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::{Field, Fields},
    wire::{decode_money, encode_count, encode_money, encode_time},
};

use super::{
    decode_as_of, decode_name, decode_resource_filter,
    line::{encode_lines, encode_subject},
};
use crate::{
    rules::{
        charge::{Invoice, InvoiceState},
        id_text,
        listing::InvoiceFilter,
        numbers::{DocumentNumber, Seller},
    },
    use_cases::{
        charge_quotes::{ChargeQuotes, QuoteToCharge},
        forbid_charge::{ForbidCharge, ForbidChargeResult},
        pay_invoice::PayInvoice,
    },
};

/// The most quotes of one charge.
const MAX_QUOTES: usize = 10;

/// Decodes ChargeQuote.
pub(crate) fn decode_charge(
    call: &Call,
    message: &billing::ChargeQuoteRequest,
    seller: &Seller,
) -> Result<ChargeQuotes, Fault> {
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
        let quote = QuoteToCharge {
            quote_id: quote_id?,
            pin: pin?,
        };
        Ok(ChargeQuotes {
            account_id: None,
            quotes: vec![quote],
            accepted: accepted?,
            seller: seller.clone(),
        })
    })
}

/// Decodes ChargeQuotes.
pub(crate) fn decode_charges(
    call: &Call,
    message: &billing::ChargeQuotesRequest,
    seller: &Seller,
) -> Result<ChargeQuotes, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let account_id = fields.required("account_id", &message.account_id);
    check_quote_count(&mut fields, "quotes", message.quotes.len());
    let mut seen = BTreeMap::new();
    let quotes: Vec<_> = (0..)
        .zip(message.quotes.iter().take(MAX_QUOTES))
        .map(|(index, quote)| decode_quote(&mut fields, index, quote, &mut seen))
        .collect();
    let accepted = decode_as_of(
        &mut fields,
        call,
        "accept_time",
        message.accept_time.as_ref(),
    );
    fields.build(|| {
        Ok(ChargeQuotes {
            account_id: Some(account_id?),
            quotes: quotes.into_iter().collect::<Field<_>>()?,
            accepted: accepted?,
            seller: seller.clone(),
        })
    })
}

/// Decodes one of several quotes; `seen` has the earlier ones.
fn decode_quote(
    fields: &mut Fields,
    index: usize,
    message: &billing::QuoteToCharge,
    seen: &mut BTreeMap<QuoteId, usize>,
) -> Field<QuoteToCharge> {
    let id = &message.quote_id;
    let quote_id = decode_distinct_quote(fields, "quotes", ".quote_id", index, id, seen);
    let pin = decode_name(fields, &format!("quotes[{index}].pin"), &message.pin);
    Ok(QuoteToCharge {
        quote_id: quote_id?,
        pin: pin?,
    })
}

/// Decodes ForbidCharge.
pub(crate) fn decode_forbid_charge(
    message: &billing::ForbidChargeRequest,
) -> Result<ForbidCharge, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let account_id = fields.required("account_id", &message.account_id);
    check_quote_count(&mut fields, "quote_ids", message.quote_ids.len());
    let mut seen = BTreeMap::new();
    let quote_ids: Vec<_> = (0..)
        .zip(message.quote_ids.iter().take(MAX_QUOTES))
        .map(|(index, id)| {
            decode_distinct_quote(&mut fields, "quote_ids", "", index, id, &mut seen)
        })
        .collect();
    let charge_request_id = fields.attempt_id("charge_request_id", &message.charge_request_id);
    fields.build(|| {
        Ok(ForbidCharge {
            account_id: account_id?,
            quote_ids: quote_ids.into_iter().collect::<Field<_>>()?,
            charge_request_id: charge_request_id?,
        })
    })
}

fn check_quote_count(fields: &mut Fields, path: &str, number: usize) {
    let holds = (1..=MAX_QUOTES).contains(&number);
    fields.check(path, holds, &format!("must have 1 to {MAX_QUOTES} entries"));
}

/// Decodes the id of one of several quotes, each of which may be named once; `seen` has the earlier
/// ones.
fn decode_distinct_quote(
    fields: &mut Fields,
    list: &str,
    field: &str,
    index: usize,
    quote_id: &str,
    seen: &mut BTreeMap<QuoteId, usize>,
) -> Field<QuoteId> {
    let path = format!("{list}[{index}]{field}");
    let quote_id = fields.required(&path, quote_id)?;
    let first = *seen.entry(quote_id).or_insert(index);
    if first == index {
        Ok(quote_id)
    } else {
        Err(fields.note(path, format!("repeats the quote of {list}[{first}]")))
    }
}

/// Decodes PayInvoice.
pub(crate) fn decode_payment(message: &billing::PayInvoiceRequest) -> Result<PayInvoice, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let invoice_id = fields.required("invoice_id", &message.invoice_id);
    let amount = fields.optional_message("amount", message.amount.as_ref(), decode_money);
    if let Ok(Some(amount)) = &amount {
        fields.check("amount.value", amount.minor() > 0, "must be above zero");
    }
    fields.build(|| {
        Ok(PayInvoice {
            invoice_id: invoice_id?,
            amount: amount?,
        })
    })
}

/// Whether the charge is forbidden now, or was made before.
pub(crate) fn encode_forbid_charge(result: &ForbidChargeResult) -> billing::ForbidChargeResponse {
    match result {
        ForbidChargeResult::Forbidden => billing::ForbidChargeResponse {
            forbidden: true,
            invoice_ids: Vec::new(),
        },
        ForbidChargeResult::AlreadyCharged(invoice_ids) => billing::ForbidChargeResponse {
            forbidden: false,
            invoice_ids: invoice_ids.iter().map(InvoiceId::to_string).collect(),
        },
    }
}

/// Decodes the filter of ListInvoices.
pub(crate) fn decode_list(message: &billing::ListInvoicesRequest) -> Result<InvoiceFilter, Fault> {
    let mut fields = Fields::new();
    let account_id = fields.optional("account_id", &message.account_id);
    let resource_id = decode_resource_filter(&mut fields, &message.resource_id);
    let state = match billing::InvoiceState::try_from(message.state) {
        Ok(billing::InvoiceState::Unspecified) => Ok(None),
        Ok(billing::InvoiceState::Paid) => Ok(Some(InvoiceState::Paid)),
        Ok(billing::InvoiceState::Open) => Ok(Some(InvoiceState::Open)),
        Err(_) => Err(fields.note("state", "must be PAID or OPEN")),
    };
    let number = match (
        message.number.as_str(),
        DocumentNumber::parse_invoice(&message.number),
    ) {
        ("", _) => Ok(None),
        (_, Some(number)) => Ok(Some(number)),
        (_, None) => Err(fields.note("number", "must be an invoice number such as INV-000001")),
    };
    fields.build(|| {
        Ok(InvoiceFilter {
            account_id: account_id?,
            resource_id: resource_id?,
            state: state?,
            number: number?,
        })
    })
}

/// An invoice.
pub(crate) fn encode(invoice: &Invoice) -> billing::Invoice {
    // Invariant: what is due can be computed; an invoice whose sums overflow is never stored.
    let due = invoice.due().unwrap_or(invoice.total);
    let state = if due.is_zero() {
        billing::InvoiceState::Paid
    } else {
        billing::InvoiceState::Open
    };
    let corrected = invoice.creditable_lines().into_iter();
    let line_credits = corrected
        .filter(|line| !line.credited.is_zero() || !line.held.is_zero())
        .map(|line| billing::InvoiceLineCredit {
            line_number: encode_count(line.line_number),
            credited: Some(encode_money(line.credited)),
            held: Some(encode_money(line.held)),
        });
    billing::Invoice {
        invoice_id: id_text(invoice.invoice_id),
        number: invoice
            .number
            .as_ref()
            .map_or_else(String::new, DocumentNumber::of_invoice),
        account_id: invoice.account_id.to_string(),
        subject: invoice.subject.as_ref().map(encode_subject),
        lines: encode_lines(invoice.lines.iter().map(|line| &line.line)),
        total: Some(encode_money(invoice.total)),
        credited: Some(encode_money(invoice.credited)),
        state: state.into(),
        issue_time: Some(encode_time(invoice.issued)),
        quote_id: invoice.quote_id.to_string(),
        due: Some(encode_money(due)),
        paid: Some(encode_money(invoice.paid)),
        returned: Some(encode_money(invoice.returned)),
        held: Some(encode_money(invoice.held)),
        due_time: invoice.due_time.map(encode_time),
        line_credits: line_credits.collect(),
        accept_time: Some(encode_time(invoice.accepted)),
    }
}

/// The response to a charge of one quote.
pub(crate) fn encode_charge(invoices: &[Invoice]) -> billing::ChargeQuoteResponse {
    billing::ChargeQuoteResponse {
        invoice: invoices.first().map(encode),
    }
}

/// The response to a charge of several quotes.
pub(crate) fn encode_charges(invoices: &[Invoice]) -> billing::ChargeQuotesResponse {
    billing::ChargeQuotesResponse {
        invoices: invoices.iter().map(encode).collect(),
    }
}

/// An invoice after a payment, and the account's balance.
pub(crate) fn encode_payment(invoice: &Invoice, balance: Money) -> billing::PayInvoiceResponse {
    billing::PayInvoiceResponse {
        invoice: Some(encode(invoice)),
        balance: Some(encode_money(balance)),
    }
}
