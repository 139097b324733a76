//! Types of all areas (package `licet.type`): money, periods, roles and refusal reasons.

/// Version 1.
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/licet.r#type.v1.rs"));
}
