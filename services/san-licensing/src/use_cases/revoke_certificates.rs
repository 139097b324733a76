//! Who revokes certificates only after having looked at what that gives back (SL-19). The revocation
//! itself is decided where everything is that depends on a quota.

use licet_contracts::types::v1::Role;
use licet_runtime::caller::Caller;

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
