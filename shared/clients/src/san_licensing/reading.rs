//! Reads parts of SanLicensing's messages, and the errors of messages that violate the contract.

use std::{fmt::Display, str::FromStr};

use licet_runtime::peer::PeerFault;

pub(super) fn absent(what: &str) -> PeerFault {
    crate::absent("SanLicensing", what)
}

pub(super) fn broken(what: &str, error: impl Display) -> String {
    crate::broken("SanLicensing", what, error)
}

pub(super) fn parsed<T: FromStr<Err: Display>>(what: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|error| broken(what, error))
}
