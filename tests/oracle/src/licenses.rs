//! One SAN licence: lists of everything that happened under it, recounted from scratch for each question
//! (SL-1 to SL-13, SL-17).

pub mod authorization;
pub mod license;
pub mod usage;
