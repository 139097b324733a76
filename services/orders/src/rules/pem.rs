//! DER documents as PEM.

use pem::{EncodeConfig, LineEnding, Pem};

/// Documents as PEM text, one block each, with the line ends of server configuration files.
pub(crate) fn to_pem<'a>(label: &str, documents: impl Iterator<Item = &'a [u8]>) -> String {
    let blocks: Vec<Pem> = documents.map(|der| Pem::new(label, der)).collect();
    pem::encode_many_config(&blocks, EncodeConfig::new().set_line_ending(LineEnding::LF))
}
