//! Orders' own tables: rows to domain values and back. The only place that knows the database;
//! it decides nothing, and every function takes the transaction it works in.

pub(crate) mod certificates;
pub(crate) mod invoices;
mod order_rows;
pub(crate) mod orders;
pub(crate) mod quotes;
pub(crate) mod servers;
mod words;

use licet_domain::{clock::Instant, ids::AccountId, san::San};
use licet_runtime::{caller::AccountScope, database::Migration, fault::Fault};
use sea_orm::{ColumnTrait, Condition};

/// The schema, in the order of its changes.
pub(crate) fn migrations() -> Vec<Migration> {
    vec![Migration {
        name: "0001_initial",
        sql: include_str!("migrations/m0001_initial.sql"),
    }]
}

/// The accounts of one resource alone: what an operation sees once it was accepted.
pub(crate) fn only(account_id: AccountId) -> AccountScope {
    AccountScope::Only([account_id].into())
}

/// The condition that keeps a query within a caller's accounts.
fn in_scope(scope: &AccountScope, column: impl ColumnTrait) -> Condition {
    match scope {
        AccountScope::All => Condition::all(),
        AccountScope::Only(accounts) => {
            Condition::all().add(column.is_in(accounts.iter().map(ToString::to_string)))
        }
    }
}

fn instant(micros: i64) -> Result<Instant, Fault> {
    Instant::from_micros(micros)
        .ok_or_else(|| Fault::internal(format!("stored instant {micros} is beyond the calendar")))
}

fn optional_instant(micros: Option<i64>) -> Result<Option<Instant>, Fault> {
    micros.map(instant).transpose()
}

/// A stored text that was written from a value of its type.
fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Fault> {
    text.parse()
        .map_err(|error| Fault::internal(format!("stored {text:?}: {error}")))
}

fn stored_name(text: &str) -> Result<San, Fault> {
    San::dns(text).map_err(|error| Fault::internal(format!("stored name {text:?}: {error}")))
}

fn to_json(value: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(Fault::internal)
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::internal(format!("stored JSON: {error}")))
}

fn digest(bytes: &[u8]) -> Result<[u8; 32], Fault> {
    bytes
        .try_into()
        .map_err(|_| Fault::internal("a stored digest is not of 32 bytes"))
}

fn small(number: i64) -> Result<u32, Fault> {
    u32::try_from(number).map_err(|_| Fault::internal(format!("stored count {number}")))
}

/// The key of a page's last row: an instant, then an id.
fn after_instant(after: Option<&[String]>) -> Result<Option<(i64, String)>, Fault> {
    match after {
        None => Ok(None),
        Some([micros, id]) => match micros.parse() {
            Ok(micros) => Ok(Some((micros, id.clone()))),
            Err(_) => Err(Fault::invalid(
                "page_token",
                "is not a token of this listing",
            )),
        },
        Some(_) => Err(Fault::invalid(
            "page_token",
            "is not a token of this listing",
        )),
    }
}
