//! What is asked of Billing. Every question carries its own request id and its decision time (T-3), so
//! that it can be asked again until there is an answer, and a late answer is the one that an
//! early one would have been.

mod client;
mod free;
mod invoice;
mod product;
mod quote;
mod reading;
mod refund;

pub use client::Billing;
pub use free::{FreeDomains, WhyFree};
pub use invoice::{CreditNote, Invoice};
pub use product::{
    Product, ProductKind, ProductVersion, RefundCount, Supersede, WildcardReplacement,
};
pub use quote::{Item, LineKind, Quote, QuoteInput, QuoteQuestion, QuotedLine, Subject};
pub use refund::{Refund, RefundQuestion, RefundState};
