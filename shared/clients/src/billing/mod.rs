//! What is asked of Billing. Every question carries its own request id and its decision time (T-3), so
//! that it can be asked again until there is an answer, and a late answer is the one that an
//! early one would have been.

mod client;
mod invoice;
mod product;
mod quote;
mod refund;

pub use client::Billing;
pub use invoice::{CreditNote, Invoice};
pub use product::{
    Product, ProductFacts, ProductKind, RefundCount, Supersede, WildcardReplacement,
};
pub use quote::{Inquiry, Item, LineKind, Quote, QuoteQuestion, QuotedLine, Subject};
pub use refund::{Refund, RefundQuestion, RefundState};

use std::fmt::Display;

use licet_contracts::types::v1 as types;
use licet_domain::money::Money;
use licet_runtime::{peer::PeerFault, wire::decode_money};

fn absent(what: &str) -> PeerFault {
    crate::absent("Billing", what)
}

fn broken(what: &str, error: impl Display) -> String {
    crate::broken("Billing", what, error)
}

fn amount(message: Option<&types::Money>) -> Result<Money, String> {
    let message = message.ok_or_else(|| broken("amount", "it is absent"))?;
    decode_money(message).map_err(|error| broken("amount", error))
}
