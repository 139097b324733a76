//! The decisions of Billing: plain values in, a decision or a refusal out, time a parameter.
//! Nothing here may know of the store, the contract or the runtime.

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

/// By how much another instance's clock may be ahead of ours (T-5).
const MAX_CLOCK_LEAD: TimeDelta = TimeDelta::minutes(5);

/// The latest instant that another instance may take for no later than `now` (T-5).
pub(crate) fn with_clock_lead(now: Instant) -> Instant {
    now.checked_add(MAX_CLOCK_LEAD).unwrap_or(Instant::MAX)
}

/// What an impossible sum means to a client (M-4): CURRENCY_MISMATCH where two currencies met,
/// AMOUNT_OUT_OF_RANGE for everything that does not fit.
pub(crate) fn money_refusal(currency: Currency, error: &MoneyError) -> Refusal {
    if let MoneyError::CurrencyMismatch { left, right } = error {
        return currency_mismatch(*left, *right);
    }
    Refusal::new(
        Reason::AmountOutOfRange,
        format!(
            "an amount in {} passes the largest that is kept",
            currency.code()
        ),
    )
    .with("currency", currency.code())
}

/// CURRENCY_MISMATCH (M-4): `given` came where the account's `expected` was needed.
pub(crate) fn currency_mismatch(expected: Currency, given: Currency) -> Refusal {
    Refusal::new(
        Reason::CurrencyMismatch,
        format!(
            "the account is kept in {}, and {} was given",
            expected.code(),
            given.code()
        ),
    )
    .with("expected", expected.code())
    .with("given", given.code())
}

/// TERM_ENDED (P-1): nothing changes in a term that is over.
pub(crate) fn term_ended(end: Instant, change_time: Instant) -> Refusal {
    Refusal::new(
        Reason::TermEnded,
        format!("the term ended at {end}, and the change is of {change_time}"),
    )
    .with("end_time", end)
    .with("change_time", change_time)
}

/// ALREADY_EXISTS: the id that the caller chose is taken.
pub(crate) fn already_exists(resource: &str, id: impl std::fmt::Display) -> Refusal {
    Refusal::new(
        Reason::AlreadyExists,
        format!("there is a {resource} {id} already"),
    )
    .with("resource", resource)
    .with("id", id)
}
