//! The values that two services or more decide with: money, terms, SANs, certificates, ids, time
//! and refusals. The rules they implement are in RULES.md beside this crate.
//! Never here: I/O, async, the contract, the store. Time is always a value that is passed in.

mod text;

pub mod case;
pub mod certificate;
pub mod clock;
pub mod ids;
pub mod money;
pub mod refusal;
pub mod revocation;
pub mod san;
pub mod term;
pub mod worded;

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
