//! The only place that knows the database: entities (private), rows to domain and back, queries.
//! Functions take a transaction, never the pool; nothing here decides anything.

pub(crate) mod accounts;
pub(crate) mod catalog;
pub(crate) mod credit_notes;
pub(crate) mod invoices;
pub(crate) mod ledger;
pub(crate) mod numbers;
pub(crate) mod quotes;
pub(crate) mod refunds;

use std::{fmt::Display, str::FromStr};

use licet_domain::{
    clock::Instant,
    money::{Currency, Money},
};
use licet_runtime::{caller::Caller, database::Migration, fault::Fault, page::Page};
use sea_orm::{ColumnTrait, Condition};
use serde::{Serialize, de::DeserializeOwned};

use crate::rules::charge::Subject;

/// The schema, oldest change first.
pub(crate) fn migrations() -> Vec<Migration> {
    vec![Migration {
        name: "0001_initial",
        sql: include_str!("migrations/m0001_initial.sql"),
    }]
}

/// Rows of the accounts that the caller sees.
fn in_scope<C: ColumnTrait>(caller: &Caller, account_id: C) -> Condition {
    match caller.account_filter() {
        None => Condition::all(),
        Some(accounts) => Condition::all().add(account_id.is_in(accounts)),
    }
}

/// Rows of a listing by time and id: those after the page's key, none later than its beginning.
fn on_page<C: ColumnTrait>(page: &Page, time_us: C, id: C) -> Result<Condition, Fault> {
    let listed = Condition::all().add(time_us.lte(page.as_of.as_micros()));
    let Some(key) = &page.after else {
        return Ok(listed);
    };
    let bad = || Fault::invalid("page_token", "is not a token of this listing");
    let [after_us, after_id] = key.as_slice() else {
        return Err(bad());
    };
    let after_us: i64 = after_us.parse().map_err(|_| bad())?;
    let later = Condition::any().add(time_us.gt(after_us)).add(
        Condition::all()
            .add(time_us.eq(after_us))
            .add(id.gt(after_id.as_str())),
    );
    Ok(listed.add(later))
}

fn parsed<T: FromStr<Err: Display>>(column: &str, text: &str) -> Result<T, Fault> {
    text.parse()
        .map_err(|error| Fault::internal(format!("{column} holds {text:?}: {error}")))
}

fn parsed_if<T: FromStr<Err: Display>>(
    column: &str,
    text: Option<&str>,
) -> Result<Option<T>, Fault> {
    text.map(|text| parsed(column, text)).transpose()
}

fn instant(column: &str, micros: i64) -> Result<Instant, Fault> {
    Instant::from_micros(micros)
        .ok_or_else(|| Fault::internal(format!("{column} holds {micros}, which is no instant")))
}

fn instant_if(column: &str, micros: Option<i64>) -> Result<Option<Instant>, Fault> {
    micros.map(|micros| instant(column, micros)).transpose()
}

fn unsigned(column: &str, number: i32) -> Result<u32, Fault> {
    u32::try_from(number).map_err(|_| Fault::internal(format!("{column} holds {number}")))
}

fn signed(column: &str, number: u32) -> Result<i32, Fault> {
    i32::try_from(number).map_err(|_| Fault::internal(format!("{column} cannot hold {number}")))
}

fn money(currency: &str, minor: i64) -> Result<Money, Fault> {
    let currency: Currency = parsed("currency", currency)?;
    Ok(Money::from_minor(currency, minor))
}

fn to_json(column: &str, value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value)
        .map_err(|error| Fault::internal(format!("{column} cannot be written: {error}")))
}

fn from_json<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text)
        .map_err(|error| Fault::internal(format!("{column} cannot be read: {error}")))
}

fn subject(resource_id: Option<String>, term_index: Option<i32>) -> Result<Option<Subject>, Fault> {
    match (resource_id, term_index) {
        (Some(resource_id), Some(term_index)) => {
            let term_index = unsigned("term_index", term_index)?;
            Ok(Some(Subject {
                resource_id,
                term_index,
            }))
        }
        (None, _) | (_, None) => Ok(None),
    }
}

/// The columns of a subject.
fn subject_columns(subject: Option<&Subject>) -> Result<(Option<String>, Option<i32>), Fault> {
    match subject {
        None => Ok((None, None)),
        Some(subject) => {
            let term_index = signed("term_index", subject.term_index)?;
            Ok((Some(subject.resource_id.clone()), Some(term_index)))
        }
    }
}
