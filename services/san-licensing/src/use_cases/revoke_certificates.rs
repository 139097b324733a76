//! RevokeCertificates: certificates count no longer (SL-5, SL-19). A caller who is no machine has seen a
//! preview of what returns.

use licet_contracts::types::v1::Role;
use licet_domain::ids::LicenseId;
use licet_runtime::{caller::Caller, fault::Fault};

use crate::quota::{
    Quota,
    command::{Asker, Once, Revoke},
};

/// Revokes certificates. Returns the encoded response.
pub(crate) async fn revoke(
    quota: &Quota,
    asker: Asker,
    license_id: LicenseId,
    revoke: Once<Revoke>,
) -> Result<Vec<u8>, Fault> {
    quota.submit(license_id, asker, revoke).await
}

/// Whether the caller must show a preview. A machine follows its own rules and looks at none, and
/// only a caller who is nothing but a service is a machine.
pub(crate) fn needs_preview(caller: &Caller) -> bool {
    caller.roles.iter().any(|role| *role != Role::Service)
}

#[cfg(test)]
mod tests {
    use licet_runtime::caller::AccountScope;

    use super::*;

    #[test]
    fn sl_19_only_a_service_revokes_unseen() {
        for (roles, needs) in [
            (vec![Role::Service], false),
            (vec![Role::Service, Role::Operator], true),
            (vec![Role::Customer], true),
            (vec![Role::CertificateAuthority], true),
        ] {
            let caller = Caller {
                name: "orders".to_owned(),
                roles,
                accounts: AccountScope::All,
            };
            assert_eq!(needs_preview(&caller), needs, "{:?}", caller.roles);
        }
    }
}
