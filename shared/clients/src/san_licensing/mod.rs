//! What is asked of SanLicensing, and what its events say. What is given back is given back in
//! any case: there a refusal says that nothing was held any more.

mod authorization;
mod client;
mod license;
mod usage;

pub use authorization::{Authorization, AuthorizeQuestion, RecordQuestion, Recorded, Signing};
pub use client::{SanLicensing, encode_reason};
pub use license::License;
pub use usage::{Revocation, USAGE_CHANGED, revocations};

use std::{fmt::Display, str::FromStr};

use licet_runtime::peer::PeerFault;

fn absent(what: &str) -> PeerFault {
    crate::absent("SanLicensing", what)
}

fn broken(what: &str, error: impl Display) -> String {
    crate::broken("SanLicensing", what, error)
}

fn parsed<T: FromStr<Err: Display>>(what: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|error| broken(what, error))
}
