//! Reads columns whose values were checked before they were stored.

use licet_domain::san::San;
use licet_runtime::fault::Fault;

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
