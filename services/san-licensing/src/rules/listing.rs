//! What a listing of licences may be narrowed to. States here are those of an instant, never a
//! stored column.

use licet_domain::ids::AccountId;

use super::license::LicenseState;

/// What a listing of licences is narrowed to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LicenseFilter {
    pub(crate) account_id: Option<AccountId>,
    pub(crate) state: Option<LicenseState>,
}
