//! Decisions of Billing: plain values in, a decision or a refusal out; time is a parameter. Imports
//! neither the store nor the contract nor the runtime.

pub(crate) mod account;
pub(crate) mod catalog;
pub(crate) mod charge;
pub(crate) mod credit;
pub(crate) mod document;
#[cfg(test)]
mod histories;
pub(crate) mod item;
pub(crate) mod ledger;
pub(crate) mod listing;
pub(crate) mod numbers;
pub(crate) mod prices;
pub(crate) mod proration;
pub(crate) mod quote;
pub(crate) mod refund;
pub(crate) mod refund_policy;
pub(crate) mod statement;
pub(crate) mod volume;

use chrono::TimeDelta;
pub(crate) use licet_domain::refusal::not_found;
use licet_domain::{
    clock::Instant,
    money::{Currency, MoneyError},
    refusal::{Reason, Refusal},
};

/// How far another instance's clock may be ahead of ours (T-5).
const MAX_CLOCK_LEAD: TimeDelta = TimeDelta::minutes(5);

/// The latest instant that another instance's clock may show at `now` (T-5).
pub(crate) fn with_clock_lead(now: Instant) -> Instant {
    now.checked_add(MAX_CLOCK_LEAD).unwrap_or(Instant::MAX)
}

/// The refusal of a failed sum (M-4): CURRENCY_MISMATCH for two currencies, AMOUNT_OUT_OF_RANGE
/// otherwise.
pub(crate) fn money_refusal(currency: Currency, error: &MoneyError) -> Refusal {
    if let MoneyError::CurrencyMismatch { left, right } = error {
        return currency_mismatch(*left, *right);
    }
    Refusal::new(
        Reason::AmountOutOfRange,
        format!(
            "an amount in {} exceeds the largest that can be stored",
            currency.code()
        ),
    )
    .with("currency", currency.code())
}

/// CURRENCY_MISMATCH (M-4): `given` came where `expected` is required.
pub(crate) fn currency_mismatch(expected: Currency, given: Currency) -> Refusal {
    Refusal::new(
        Reason::CurrencyMismatch,
        format!(
            "the currency must be {}; {} was given",
            expected.code(),
            given.code()
        ),
    )
    .with("expected", expected.code())
    .with("given", given.code())
}

/// TERM_ENDED (P-1): a term that is over cannot be changed.
pub(crate) fn term_ended(end: Instant, change_time: Instant) -> Refusal {
    Refusal::new(
        Reason::TermEnded,
        format!("the term ended at {end}; the change is at {change_time}"),
    )
    .with("end_time", end)
    .with("change_time", change_time)
}

/// An id as text; empty for a preview, which has none.
pub(crate) fn id_text(id: Option<impl std::fmt::Display>) -> String {
    id.map_or_else(String::new, |id| id.to_string())
}

/// ALREADY_EXISTS: the id that the caller chose is taken.
pub(crate) fn already_exists(resource: &str, id: impl std::fmt::Display) -> Refusal {
    Refusal::new(
        Reason::AlreadyExists,
        format!("{resource} {id} already exists"),
    )
    .with("resource", resource)
    .with("id", id)
}
