//! Credit notes: messages to values, and back.

use std::collections::BTreeMap;

use licet_contracts::{billing::v1 as billing, types::v1 as types};
use licet_domain::money::Money;
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::{Field, Fields},
    wire::{decode_money, encode_count, encode_money, encode_time},
};

use super::{decode_required_name, invoice};
use crate::{
    rules::{
        charge::Invoice,
        credit::{CreditNote, LineCredit},
        id_text,
        listing::CreditNoteFilter,
        numbers::{DocumentNumber, Seller},
    },
    use_cases::issue_credit_note::IssueCreditNote,
};

/// The most lines that an invoice can have.
const MAX_LINES: usize = 100;

/// Decodes IssueCreditNote.
pub(crate) fn decode_issue(
    call: &Call,
    message: &billing::IssueCreditNoteRequest,
    seller: &Seller,
) -> Result<IssueCreditNote, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let invoice_id = fields.required("invoice_id", &message.invoice_id);
    let lines = decode_lines(&mut fields, &message.lines);
    let reason = decode_required_name(&mut fields, "reason", &message.reason);
    if message.including_held {
        let may = call
            .caller
            .has_any(&[types::Role::Operator, types::Role::Service]);
        let path = "including_held";
        fields.check(path, may, "may be set by OPERATOR and SERVICE only");
        let is_whole = message.lines.is_empty();
        fields.check(path, is_whole, "must not be set together with lines");
    }
    fields.build(|| {
        Ok(IssueCreditNote {
            invoice_id: invoice_id?,
            lines: lines?,
            including_held: message.including_held,
            reason: reason?,
            seller: seller.clone(),
        })
    })
}

fn decode_lines(
    fields: &mut Fields,
    messages: &[billing::CreditNoteLine],
) -> Field<Vec<LineCredit>> {
    if messages.len() > MAX_LINES {
        return Err(fields.note("lines", format!("must have at most {MAX_LINES} entries")));
    }
    let mut seen = BTreeMap::new();
    let lines: Vec<Field<LineCredit>> = (0..)
        .zip(messages)
        .map(|(index, message)| {
            let line = decode_line(fields, index, message.line_number, message.amount.as_ref());
            note_repeated(fields, index, message.line_number, &mut seen);
            line
        })
        .collect();
    lines.into_iter().collect()
}

/// Refuses a line that `seen` has already: two amounts for one line are a mistake.
pub(crate) fn note_repeated<K: Ord>(
    fields: &mut Fields,
    index: usize,
    key: K,
    seen: &mut BTreeMap<K, usize>,
) {
    let first = *seen.entry(key).or_insert(index);
    if first != index {
        fields.note(
            format!("lines[{index}].line_number"),
            format!("repeats the line of lines[{first}]"),
        );
    }
}

/// Decodes the amount to credit on one line.
pub(crate) fn decode_line(
    fields: &mut Fields,
    index: usize,
    line_number: i32,
    amount: Option<&types::Money>,
) -> Field<LineCredit> {
    let line_number = u32::try_from(line_number)
        .ok()
        .filter(|number| *number >= 1)
        .ok_or_else(|| fields.note(format!("lines[{index}].line_number"), "must be at least 1"));
    let amount = decode_positive(fields, &format!("lines[{index}].amount"), amount);
    Ok(LineCredit {
        line_number: line_number?,
        amount: amount?,
    })
}

/// Decodes a required amount above zero.
pub(crate) fn decode_positive(
    fields: &mut Fields,
    path: &str,
    message: Option<&types::Money>,
) -> Field<Money> {
    let amount = fields.message(path, message, decode_money)?;
    if amount.minor() > 0 {
        Ok(amount)
    } else {
        Err(fields.note(format!("{path}.value"), "must be above zero"))
    }
}

/// Decodes the filter of ListCreditNotes.
pub(crate) fn decode_list(
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

/// A credit note.
pub(crate) fn encode(note: &CreditNote) -> billing::CreditNote {
    let lines = note.lines.iter().map(|line| billing::CreditNoteLine {
        line_number: encode_count(line.line_number),
        amount: Some(encode_money(line.amount)),
    });
    billing::CreditNote {
        credit_note_id: id_text(note.credit_note_id),
        number: note
            .number
            .as_ref()
            .map_or_else(String::new, DocumentNumber::of_credit_note),
        account_id: note.account_id.to_string(),
        invoice_id: note.invoice_id.to_string(),
        lines: lines.collect(),
        total: Some(encode_money(note.total)),
        reason: note.reason.clone(),
        issue_time: Some(encode_time(note.issued)),
        returned: Some(encode_money(note.returned)),
        rule_id: "BL-4".to_owned(),
        explanation: note.explanation(),
    }
}

/// An issued credit note, and its invoice afterwards.
pub(crate) fn encode_issue(
    note: &CreditNote,
    invoice: &Invoice,
) -> billing::IssueCreditNoteResponse {
    billing::IssueCreditNoteResponse {
        credit_note: Some(encode(note)),
        invoice: Some(invoice::encode(invoice)),
    }
}
