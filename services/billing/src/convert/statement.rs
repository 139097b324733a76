//! Statements and their periods: messages to values, and back.

use licet_contracts::{billing::v1 as billing, types::v1 as types};
use licet_domain::{ids::AccountId, term::Period};
use licet_runtime::{
    fault::Fault,
    field::Fields,
    wire::{encode_money, encode_period, encode_time},
};

use super::account::encode_entry_kind;
use crate::rules::statement::Statement;

/// Decodes ListEntries: the account and the period; `None`: all time.
pub(crate) fn decode_list_entries(
    message: &billing::ListEntriesRequest,
) -> Result<(AccountId, Option<Period>), Fault> {
    let mut fields = Fields::new();
    let account_id = fields.required("account_id", &message.account_id);
    let period = match &message.period {
        None => Ok(None),
        Some(period) => fields.period("period", period).map(Some),
    };
    fields.build(|| Ok((account_id?, period?)))
}

/// Decodes GetStatement: the account and the period.
pub(crate) fn decode_get(
    message: &billing::GetStatementRequest,
) -> Result<(AccountId, Period), Fault> {
    decode_account_period(&message.account_id, message.period.as_ref())
}

/// Decodes RenderStatement, as [`decode_get`].
pub(crate) fn decode_render(
    message: &billing::RenderStatementRequest,
) -> Result<(AccountId, Period), Fault> {
    decode_account_period(&message.account_id, message.period.as_ref())
}

fn decode_account_period(
    account_id: &str,
    period: Option<&types::Period>,
) -> Result<(AccountId, Period), Fault> {
    let mut fields = Fields::new();
    let account_id = fields.required("account_id", account_id);
    let period = match period {
        None => Err(fields.note("period", "is required")),
        Some(period) => fields.period("period", period),
    };
    fields.build(|| Ok((account_id?, period?)))
}

/// A statement.
pub(crate) fn encode(statement: &Statement) -> billing::GetStatementResponse {
    let totals = statement.totals.iter().map(|total| billing::EntryTotal {
        kind: encode_entry_kind(total.kind).into(),
        entry_count: total.entry_count,
        balance_change: Some(encode_money(total.balance_change)),
        due_change: Some(encode_money(total.due_change)),
    });
    billing::GetStatementResponse {
        account_id: statement.account_id.to_string(),
        period: Some(encode_period(statement.period)),
        as_of_time: Some(encode_time(statement.as_of)),
        opening_balance: Some(encode_money(statement.opening.balance)),
        closing_balance: Some(encode_money(statement.closing.balance)),
        opening_due: Some(encode_money(statement.opening.due)),
        closing_due: Some(encode_money(statement.closing.due)),
        totals: totals.collect(),
        entry_count: statement.entry_count,
    }
}
