//! Conversions between columns and values, shared by every store. A column that cannot be read is a
//! defect and becomes an internal fault.

use std::{fmt::Display, str::FromStr};

use licet_domain::{
    clock::Instant,
    money::{Currency, Money},
};
use prost::Message;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, Iterable, ModelTrait,
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error},
};

use crate::{caller::AccountScope, fault::Fault};

/// The last lines of the module that defines a table's row: no relations and no hooks. The visibility is that
/// of the module's `Model`.
#[macro_export]
macro_rules! plain_entity {
    ($visibility:vis) => {
        #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
        $visibility enum Relation {}

        impl ActiveModelBehavior for ActiveModel {}
    };
}

pub(crate) use plain_entity;

/// A condition for rows of the accounts that the caller may see.
pub fn in_scope(scope: &AccountScope, account_id: impl ColumnTrait) -> Condition {
    match scope {
        AccountScope::All => Condition::all(),
        AccountScope::Only(accounts) => {
            Condition::all().add(account_id.is_in(accounts.iter().map(ToString::to_string)))
        }
    }
}

/// The columns that differ, for an update: unchanged long columns cost nothing.
pub fn changed<E: EntityTrait>(before: &E::Model, after: &E::Model) -> E::ActiveModel
where
    E::Model: IntoActiveModel<E::ActiveModel>,
{
    let mut columns = after.clone().into_active_model();
    for column in E::Column::iter() {
        let value = after.get(column);
        if before.get(column) != value {
            columns.set(column, value);
        }
    }
    columns
}

/// Parses a text column.
///
/// # Errors
/// [`Fault::Internal`] when it cannot be parsed.
pub fn parsed<T: FromStr<Err: Display>>(column: &str, text: &str) -> Result<T, Fault> {
    text.parse()
        .map_err(|error| Fault::internal(format!("{column} holds {text:?}: {error}")))
}

/// As [`parsed`], for a nullable column.
///
/// # Errors
/// As [`parsed`].
pub fn parsed_if<T: FromStr<Err: Display>>(
    column: &str,
    text: Option<&str>,
) -> Result<Option<T>, Fault> {
    text.map(|text| parsed(column, text)).transpose()
}

/// An instant of a `…_us` column.
///
/// # Errors
/// [`Fault::Internal`] when it exceeds the supported date range.
pub fn instant(column: &str, micros: i64) -> Result<Instant, Fault> {
    Instant::from_micros(micros).ok_or_else(|| {
        Fault::internal(format!(
            "{column} holds {micros}, which exceeds the supported date range"
        ))
    })
}

/// As [`instant`], for a nullable column.
///
/// # Errors
/// As [`instant`].
pub fn instant_if(column: &str, micros: Option<i64>) -> Result<Option<Instant>, Fault> {
    micros.map(|micros| instant(column, micros)).transpose()
}

/// Reads a count from a signed column.
///
/// # Errors
/// [`Fault::Internal`] when it is negative or too large.
pub fn count(column: &str, number: impl TryInto<u32> + Display + Copy) -> Result<u32, Fault> {
    number
        .try_into()
        .map_err(|_| Fault::internal(format!("{column} holds {number}, which is not a count")))
}

/// Writes a count to a signed column.
///
/// # Errors
/// [`Fault::Internal`] when the column cannot hold it.
pub fn count_column(column: &str, number: u32) -> Result<i32, Fault> {
    i32::try_from(number).map_err(|_| Fault::internal(format!("{column} cannot hold {number}")))
}

/// An amount from a `…_minor` column and its currency.
///
/// # Errors
/// [`Fault::Internal`] for an unknown currency.
pub fn money(currency: &str, minor: i64) -> Result<Money, Fault> {
    let currency: Currency = parsed("currency", currency)?;
    Ok(Money::from_minor(currency, minor))
}

/// Writes a small structured value to a `…_json` column.
///
/// # Errors
/// [`Fault::Internal`] when it cannot be serialised.
pub fn to_json(column: &str, value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value)
        .map_err(|error| Fault::internal(format!("{column} cannot be serialised: {error}")))
}

/// The inverse of [`to_json`].
///
/// # Errors
/// [`Fault::Internal`] when the text cannot be parsed.
pub fn from_json<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text)
        .map_err(|error| Fault::internal(format!("{column} cannot be read: {error}")))
}

/// As [`to_json`], for a nullable column.
///
/// # Errors
/// As [`to_json`].
pub fn to_json_if(column: &str, value: Option<&impl Serialize>) -> Result<Option<String>, Fault> {
    value.map(|value| to_json(column, value)).transpose()
}

/// As [`from_json`], for a nullable column.
///
/// # Errors
/// As [`from_json`].
pub fn from_json_if<T: DeserializeOwned>(
    column: &str,
    text: Option<&str>,
) -> Result<Option<T>, Fault> {
    text.map(|text| from_json(column, text)).transpose()
}

/// Decodes a message of the contract that this service has stored.
///
/// # Errors
/// [`Fault::Internal`] when it cannot be decoded.
pub fn message<M: Message + Default>(bytes: &[u8]) -> Result<M, Fault> {
    M::decode(bytes)
        .map_err(|error| Fault::internal(format!("a stored message cannot be decoded: {error}")))
}

/// A message of the contract inside an operation's stored state, as hex of its encoding: a repeat to the
/// peer sends exactly the same bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredMessage<M>(pub M);

impl<M: Message> Serialize for StoredMessage<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0.encode_to_vec()))
    }
}

impl<'de, M: Message + Default> Deserialize<'de> for StoredMessage<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = hex::decode(text).map_err(D::Error::custom)?;
        M::decode(bytes.as_slice())
            .map(StoredMessage)
            .map_err(D::Error::custom)
    }
}
