//! Messages of a peer as values that nobody takes apart.

/// Declares a value around a peer's message. In an operation's stored state and in a column it is the
/// encoded message, so that what was agreed with the peer is repeated to the byte.
macro_rules! opaque {
    ($(#[$about:meta])* $name:ident, $message:ty) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(licet_runtime::stored::StoredMessage<$message>);

        impl $name {
            /// The message, to be shown on.
            #[must_use]
            pub fn message(&self) -> &$message {
                &self.0.0
            }

            /// The message, to be shown on.
            #[must_use]
            pub fn into_message(self) -> $message {
                self.0.0
            }

            /// As a column keeps it.
            #[must_use]
            pub fn encode(&self) -> Vec<u8> {
                prost::Message::encode_to_vec(self.message())
            }

            /// The inverse of [`Self::encode`].
            ///
            /// # Errors
            /// When the bytes are no such message.
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
