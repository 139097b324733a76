//! The values that at least two services use in decisions: money, terms, SANs, certificates, ids, time
//! and refusals. RULES.md in this crate has the rules they implement.
//! No I/O, no async, no contract, no store. The current time is always passed in as a value.

mod text;

pub mod case;
pub mod certificate;
pub mod clock;
pub mod deceptive;
pub mod ids;
pub mod money;
pub mod private_key;
pub mod refusal;
pub mod revocation;
pub mod san;
pub mod term;
pub mod worded;

#[cfg(test)]
mod fuzz;

pub use certificate::{
    CertificateError, KeyKind, ParsedCertificate, ParsedRequest, PublicKey, parse_chain,
    parse_request,
};
pub use clock::{Clock, Instant, InstantError};
pub use ids::{
    AccountId, CertificateId, CreditNoteId, EntryId, IdError, InvoiceId, LicenseId, OperationId,
    OrderId, ProductId, QuoteId, RefundId, ReservationId, ServerId,
};
pub use money::{Currency, Fraction, Money, MoneyError, Price, split};
pub use refusal::{Class, Reason, Refusal, UnknownReason, Violation};
pub use revocation::RevocationReason;
pub use san::{San, SanError, SanType};
pub use term::{Period, Term, TermError};
