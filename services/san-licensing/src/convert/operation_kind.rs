//! The kinds of operations.

use licet_contracts::sanlicensing::v1 as sanlicensing;
use licet_runtime::fault::Fault;

/// The contract's value for the kind that an operation was stored with.
pub(super) fn encode_kind(kind: &str) -> Result<sanlicensing::OperationKind, Fault> {
    sanlicensing::OperationKind::from_str_name(&format!("OPERATION_KIND_{kind}"))
        .ok_or_else(|| Fault::internal(format!("stored operation kind {kind:?}")))
}
