//! What is under way, and what ended.

use licet_domain::ids::{LicenseId, OperationId};
use licet_runtime::{
    caller::Call,
    database::Database,
    fault::Fault,
    operation::{self, View},
    page::Page,
};

use crate::rules::not_found;

/// What a listing of operations is narrowed to.
#[derive(Debug, Clone)]
pub(crate) struct OperationFilter {
    pub(crate) license_id: Option<LicenseId>,
    /// As the runtime names the states.
    pub(crate) state: Option<&'static str>,
}

/// The operation, or NOT_FOUND.
pub(crate) async fn get(
    database: &Database,
    call: &Call,
    operation_id: OperationId,
) -> Result<View, Fault> {
    let tx = database.read();
    let found = operation::find(&tx, &call.caller, operation_id).await?;
    found.ok_or_else(|| not_found("operation", operation_id).into())
}

/// A page of operations, newest first, and the next one's token.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    filter: &OperationFilter,
    page: &Page,
) -> Result<(Vec<View>, String), Fault> {
    let license_id = filter.license_id.map(|id| id.to_string());
    let tx = database.read();
    operation::list(&tx, &call.caller, license_id.as_deref(), filter.state, page).await
}
