//! One order: it lists every term that was ever bought and answers each question from that list (AL-1 to
//! AL-11, MD-1 to MD-10, X-8).

pub mod certificates;
pub mod deletion;
pub mod domain_changes;
pub mod order;
pub mod policy;
pub mod servers;
pub mod terms;
