//! What a message of SanLicensing that cannot be read is answered with, and how its parts are read.

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
