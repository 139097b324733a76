//! Columns to values and back: what every store is made of. A column that does not hold what was
//! written into it is a defect, and answers as one.

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

/// Rows of the accounts that the caller sees.
pub fn in_scope(scope: &AccountScope, account_id: impl ColumnTrait) -> Condition {
    match scope {
        AccountScope::All => Condition::all(),
        AccountScope::Only(accounts) => {
            Condition::all().add(account_id.is_in(accounts.iter().map(ToString::to_string)))
        }
    }
}

/// What a row's update is to set: the columns that differ. A long one that stays as it is costs nothing.
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

/// A text that was written from a value of its type.
///
/// # Errors
/// [`Fault::Internal`] when it does not read.
pub fn parsed<T: FromStr<Err: Display>>(column: &str, text: &str) -> Result<T, Fault> {
    text.parse()
        .map_err(|error| Fault::internal(format!("{column} holds {text:?}: {error}")))
}

/// As [`parsed`], where the column may be empty.
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
/// [`Fault::Internal`] when it is beyond the calendar.
pub fn instant(column: &str, micros: i64) -> Result<Instant, Fault> {
    Instant::from_micros(micros)
        .ok_or_else(|| Fault::internal(format!("{column} holds {micros}, which is no instant")))
}

/// As [`instant`], where the column may be empty.
///
/// # Errors
/// As [`instant`].
pub fn instant_if(column: &str, micros: Option<i64>) -> Result<Option<Instant>, Fault> {
    micros.map(|micros| instant(column, micros)).transpose()
}

/// A count of a signed column.
///
/// # Errors
/// [`Fault::Internal`] when it is negative or too large.
pub fn count(column: &str, number: impl TryInto<u32> + Display + Copy) -> Result<u32, Fault> {
    number
        .try_into()
        .map_err(|_| Fault::internal(format!("{column} holds {number}, which is no count")))
}

/// A count for a signed column.
///
/// # Errors
/// [`Fault::Internal`] when the column cannot hold it.
pub fn count_column(column: &str, number: u32) -> Result<i32, Fault> {
    i32::try_from(number).map_err(|_| Fault::internal(format!("{column} cannot hold {number}")))
}

/// An amount of a `…_minor` column and its currency.
///
/// # Errors
/// [`Fault::Internal`] when the currency is none.
pub fn money(currency: &str, minor: i64) -> Result<Money, Fault> {
    let currency: Currency = parsed("currency", currency)?;
    Ok(Money::from_minor(currency, minor))
}

/// A small structured value as the text of a `…_json` column.
///
/// # Errors
/// [`Fault::Internal`] when it cannot be written.
pub fn to_json(column: &str, value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value)
        .map_err(|error| Fault::internal(format!("{column} cannot be written: {error}")))
}

/// The inverse of [`to_json`].
///
/// # Errors
/// [`Fault::Internal`] when the text does not read.
pub fn from_json<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text)
        .map_err(|error| Fault::internal(format!("{column} cannot be read: {error}")))
}

/// An encoded message of the contract that was written by this service.
///
/// # Errors
/// [`Fault::Internal`] when it does not read.
pub fn message<M: Message + Default>(bytes: &[u8]) -> Result<M, Fault> {
    M::decode(bytes).map_err(|error| Fault::internal(format!("stored message: {error}")))
}

/// A message of the contract as part of an operation's stored state: its encoded bytes in hex, so
/// that what was agreed with a peer is repeated to the byte.
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
