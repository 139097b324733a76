//! A peer's messages as opaque values.

/// Declares an opaque value around a peer's message. It is stored as the encoded message, so that a repeat to
/// the peer sends exactly the same bytes.
macro_rules! opaque {
    ($(#[$about:meta])* $name:ident, $message:ty) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(licet_runtime::stored::StoredMessage<$message>);

        impl $name {
            /// The message, to show it to clients.
            #[must_use]
            pub fn message(&self) -> &$message {
                &self.0.0
            }

            /// The message, to show it to clients.
            #[must_use]
            pub fn into_message(self) -> $message {
                self.0.0
            }

            /// Encodes the value for a column.
            #[must_use]
            pub fn encode(&self) -> Vec<u8> {
                prost::Message::encode_to_vec(self.message())
            }

            /// The inverse of [`Self::encode`].
            ///
            /// # Errors
            /// When the bytes are not such a message.
            pub fn decode(bytes: &[u8]) -> Result<Self, licet_runtime::fault::Fault> {
                licet_runtime::stored::message::<$message>(bytes).map(Self::from)
            }
        }

        impl From<$message> for $name {
            fn from(message: $message) -> Self {
                Self(licet_runtime::stored::StoredMessage(message))
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::from(<$message>::default())
            }
        }
    };
}

pub(crate) use opaque;
