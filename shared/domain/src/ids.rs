//! Typed ids: a prefix for the kind of resource, and a UUIDv7 in base 32 (the TypeID format).
//! An id grants no access: every lookup also restricts the account.

use std::{fmt, str::FromStr};

use type_safe_id::{StaticType, TypeSafeId};
use uuid::Uuid;

use crate::{
    clock::Instant,
    text::{serde_as_text, shortened},
};

/// The text is not an id of the expected kind. The message follows a field's path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a prefixed id of the expected kind.
    #[error("must be `{prefix}_` followed by 26 characters, not `{found}`")]
    NotAnId {
        /// The prefix that was expected, `acc` for an account.
        prefix: &'static str,
        /// The text found, shortened.
        found: String,
    },
    /// Not a product id.
    #[error(
        "must be a product id: a lower-case letter, then up to 62 lower-case letters, digits or \
         hyphens, not `{found}`"
    )]
    NotAProductId {
        /// The text found, shortened.
        found: String,
    },
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident($tag:ident) = $prefix:literal,)+) => {$(
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        struct $tag;

        impl StaticType for $tag {
            const TYPE: &'static str = $prefix;
        }

        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(TypeSafeId<$tag>);

        impl $name {
            /// Prefix of every id of this kind, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id, which sorts after the ids that this process generated before.
            pub fn generate() -> Self {
                Self::from_uuid(Uuid::now_v7())
            }

            /// The id for a given UUID of any version; derived ids use UUIDv5.
            pub fn from_uuid(uuid: Uuid) -> Self {
                Self(TypeSafeId::from_uuid(uuid))
            }

            /// The least of the ids that [`Self::generate`] returns from an instant of real time on, to the
            /// millisecond.
            pub fn least_from(instant: Instant) -> Self {
                let millis = u64::try_from(instant.as_micros() / 1000).unwrap_or(0);
                Self::from_uuid(Uuid::from_u128(u128::from(millis) << 80))
            }

            /// The UUID without its prefix.
            pub fn uuid(&self) -> Uuid {
                self.0.uuid()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(to)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(to)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.parse().map(Self).map_err(|_| IdError::NotAnId {
                    prefix: $prefix,
                    found: shortened(text),
                })
            }
        }

        serde_as_text!($name);
    )+};
}

typed_ids! {
    /// A customer's account, `acc_…`.
    AccountId(Account) = "acc",
    /// A certificate order, `ord_…`.
    OrderId(Order) = "ord",
    /// A recorded certificate, `crt_…`.
    CertificateId(Certificate) = "crt",
    /// A server registered on an order, `srv_…`.
    ServerId(Server) = "srv",
    /// A SAN licence, `lic_…`.
    LicenseId(License) = "lic",
    /// A reservation of SANs, `rsv_…`.
    ReservationId(Reservation) = "rsv",
    /// A quote, `qte_…`.
    QuoteId(Quote) = "qte",
    /// An invoice, `inv_…`.
    InvoiceId(Invoice) = "inv",
    /// A credit note, `cdn_…`.
    CreditNoteId(CreditNote) = "cdn",
    /// A refund, `rfd_…`.
    RefundId(Refund) = "rfd",
    /// A durable operation, `op_…`.
    OperationId(Operation) = "op",
    /// A ledger entry, `ent_…`.
    EntryId(Entry) = "ent",
}

/// A product's readable id, chosen by its creator: `multi-domain-dv`. A lower-case ASCII letter, then
/// up to 62 lower-case letters, digits or hyphens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProductId(String);

impl ProductId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProductId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl FromStr for ProductId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let inner = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
        if text.len() <= 63
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(inner)
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::NotAProductId {
                found: shortened(text),
            })
        }
    }
}

serde_as_text!(ProductId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_survives_its_text_and_json() {
        let id = AccountId::generate();
        let text = id.to_string();
        assert!(text.starts_with("acc_") && text.len() == 30, "{text}");
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(AccountId::from_uuid(id.uuid()), id);
        assert_eq!(id.uuid().get_version_num(), 7);
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
        assert_eq!(
            serde_json::from_str::<AccountId>(&format!("\"{text}\"")).unwrap(),
            id
        );
    }

    #[test]
    fn ids_sort_by_when_they_were_made() {
        let at = |text: &str| -> Instant { text.parse().unwrap() };
        let before = QuoteId::least_from(at("2020-01-01T00:00:00Z"));
        let after = QuoteId::least_from(at("2999-01-01T00:00:00Z"));
        let made = QuoteId::generate();
        assert!(before < made && made < after);
        // The database compares their texts.
        assert!(before.to_string() < made.to_string() && made.to_string() < after.to_string());
        let uuid =
            uuid::Builder::from_unix_timestamp_millis(1_600_000_000_000, &[0; 10]).into_uuid();
        let first = QuoteId::from_uuid(uuid);
        let instant = Instant::from_micros(1_600_000_000_000_000).unwrap();
        let next = Instant::from_micros(1_600_000_000_001_000).unwrap();
        assert!(QuoteId::least_from(instant) <= first && first < QuoteId::least_from(next));
    }

    #[test]
    fn ids_ascend_as_they_are_made() {
        let ids: Vec<_> = (0..1000).map(|_| OrderId::generate()).collect();
        assert!(ids.is_sorted());
        assert!(
            ids.iter().map(OrderId::to_string).is_sorted(),
            "ids and their texts must sort alike"
        );
    }

    #[test]
    fn an_id_of_another_kind_is_refused_with_the_expected_prefix() {
        let order = OrderId::generate().to_string();
        for text in [
            order.as_str(),
            "",
            "acc",
            "acc_",
            "acc_0",
            "ACC_01h455vb4pex5vsknk084sn02q",
        ] {
            let error = text.parse::<AccountId>().unwrap_err();
            assert!(error.to_string().contains("`acc_`"), "{error}");
        }
        let long = "x".repeat(10_000).parse::<AccountId>().unwrap_err();
        assert!(long.to_string().len() < 300);
    }

    #[test]
    fn product_ids_are_readable() {
        for text in ["a", "multi-domain-dv", "p1", &"a".repeat(63)] {
            assert_eq!(text.parse::<ProductId>().unwrap().as_str(), text);
        }
        for text in ["", "-a", "1a", "Multi", "a_b", "a b", "ä", &"a".repeat(64)] {
            assert!(text.parse::<ProductId>().is_err(), "{text}");
        }
        assert!(serde_json::from_str::<ProductId>("\"A\"").is_err());
    }
}
