//! What a message of Billing that cannot be read is answered with, and how its parts are read.

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
    let message = message.ok_or_else(|| broken("amount", "it is absent"))?;
    decode_money(message).map_err(|error| broken("amount", error))
}
