//! The quota: a licence's holdings in memory, and decisions about them. Pure: time is a parameter, and
//! nothing here reads or writes a store.

pub(crate) mod authorize;
pub(crate) mod fence_version;
#[cfg(test)]
mod histories;
pub(crate) mod holdings;
pub(crate) mod preview_token;
pub(crate) mod revocation_preview;
pub(crate) mod usage;
