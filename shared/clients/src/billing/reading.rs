//! Reads parts of Billing's messages, and the errors of messages that violate the contract.

use std::fmt::Display;

use licet_contracts::types::v1 as types;
use licet_domain::money::Money;
use licet_runtime::{peer::PeerFault, wire::decode_money};

pub(super) fn absent(what: &str) -> PeerFault {
    crate::absent("Billing", what)
}

pub(super) fn broken(what: &str, error: impl Display) -> String {
    crate::broken("Billing", what, error)
}

pub(super) fn amount(message: Option<&types::Money>) -> Result<Money, String> {
    let message = message.ok_or_else(|| broken("amount", "it is missing"))?;
    decode_money(message).map_err(|error| broken("amount", error))
}
