//! Calls to Billing. Every question has its own request id and decision time (T-3), so that it can be
//! repeated until Billing answers, and a late answer is the same as an early one.

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
