//! A message of the contract as part of an operation's stored state: its encoded bytes in hex, so
//! that what was agreed with a peer is repeated to the byte.

use prost::Message;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A message that is stored with the operation it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept<M>(pub(crate) M);

impl<M: Message> Serialize for Kept<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0.encode_to_vec()))
    }
}

impl<'de, M: Message + Default> Deserialize<'de> for Kept<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = hex::decode(text).map_err(D::Error::custom)?;
        M::decode(bytes.as_slice())
            .map(Kept)
            .map_err(D::Error::custom)
    }
}
