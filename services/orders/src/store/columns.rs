//! Reads columns whose values were checked before they were stored.

use licet_domain::san::San;
use licet_runtime::{
    fault::Fault,
    stored::{from_json, to_json},
};
use serde::{Serialize, de::DeserializeOwned};

/// The DNS name in a column.
pub(super) fn stored_name(column: &str, text: &str) -> Result<San, Fault> {
    San::dns(text).map_err(|error| Fault::internal(format!("{column} holds {text:?}: {error}")))
}

/// The SHA-256 digest in a column.
pub(super) fn digest(column: &str, bytes: &[u8]) -> Result<[u8; 32], Fault> {
    bytes
        .try_into()
        .map_err(|_| Fault::internal(format!("{column} holds a digest that is not 32 bytes long")))
}

/// The value in a JSON column that may be empty.
pub(super) fn from_json_if<T: DeserializeOwned>(
    column: &str,
    text: Option<&str>,
) -> Result<Option<T>, Fault> {
    text.map(|text| from_json(column, text)).transpose()
}

/// The text of a JSON column that may be empty.
pub(super) fn to_json_if(
    column: &str,
    value: Option<&impl Serialize>,
) -> Result<Option<String>, Fault> {
    value.map(|value| to_json(column, value)).transpose()
}
