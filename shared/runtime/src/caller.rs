//! The caller, its roles and its accounts. On plaintext loopback, the caller is a local operator, whose
//! metadata may restrict its roles and accounts. With TLS, `access.rs` finds the caller.

use std::{collections::BTreeSet, str::FromStr, sync::Arc};

use http::HeaderMap;
use licet_contracts::types::v1::Role;
use licet_domain::{clock::Instant, ids::AccountId};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{area, concurrency::Permit};

/// Metadata key of the caller's name, which replay records and the audit log store.
pub const CALLER_KEY: &str = "licet-caller";
/// Metadata key of the roles to restrict the call to, comma-separated: `customer,finance`.
pub const ROLES_KEY: &str = "licet-roles";
/// Metadata key of the account ids to restrict the call to, comma-separated. A customer without it sees none.
pub const ACCOUNTS_KEY: &str = "licet-accounts";

/// The accounts that a caller may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountScope {
    /// Every account.
    All,
    /// Only these; others get NOT_FOUND.
    Only(BTreeSet<AccountId>),
}

impl AccountScope {
    /// Whether the account's data may be seen.
    #[must_use]
    pub fn sees(&self, account: AccountId) -> bool {
        match self {
            Self::All => true,
            Self::Only(accounts) => accounts.contains(&account),
        }
    }

    /// The account, if the scope is exactly one.
    #[must_use]
    pub fn only_account(&self) -> Option<AccountId> {
        match self {
            Self::Only(accounts) if accounts.len() == 1 => accounts.first().copied(),
            Self::All | Self::Only(_) => None,
        }
    }
}

/// The scope of one account, for an accepted operation of it.
impl From<AccountId> for AccountScope {
    fn from(account: AccountId) -> Self {
        Self::Only([account].into())
    }
}

/// The caller of a method.
#[derive(Clone, Debug)]
pub struct Caller {
    /// A stable name; a `request_id` belongs to it (BL-2).
    pub name: String,
    /// The identity that speaks for the caller, such as a console; events name both.
    pub front: Option<String>,
    /// What the caller may do.
    pub roles: Vec<Role>,
    /// The accounts that the caller may see.
    pub accounts: AccountScope,
}

impl Caller {
    /// Whether the caller may see the account's data.
    #[must_use]
    pub fn sees(&self, account: AccountId) -> bool {
        self.accounts.sees(account)
    }

    /// Whether the caller has one of `roles`.
    #[must_use]
    pub fn has_any(&self, roles: &[Role]) -> bool {
        self.roles.iter().any(|role| roles.contains(role))
    }

    /// Whether the caller is a service, which acts by its own rules: one with no other role.
    #[must_use]
    pub fn is_machine(&self) -> bool {
        self.roles.iter().all(|role| *role == Role::Service)
    }

    /// Removes the roles and accounts that the metadata leaves out. Metadata never adds any.
    pub(crate) fn narrow(&mut self, narrowing: Narrowing) {
        if let Some(roles) = narrowing.roles {
            self.roles.retain(|role| roles.contains(role));
        }
        self.accounts = match (
            std::mem::replace(&mut self.accounts, AccountScope::All),
            narrowing.accounts,
        ) {
            (accounts, None) => accounts,
            (AccountScope::All, Some(named)) => AccountScope::Only(named),
            (AccountScope::Only(own), Some(named)) => {
                AccountScope::Only(own.intersection(&named).copied().collect())
            }
        };
    }

    /// Restricts a caller that may call a method for `roles` only as a customer: if it names no accounts, it
    /// sees none.
    pub(crate) fn confine(&mut self, roles: &[Role]) {
        let used = self.roles.iter().filter(|role| roles.contains(role));
        let is_customer_alone = used.copied().all(|role| role == Role::Customer);
        if is_customer_alone && self.accounts == AccountScope::All {
            self.accounts = AccountScope::Only(BTreeSet::new());
        }
    }

    /// The local operator of a plaintext loopback connection, restricted by its metadata.
    ///
    /// # Errors
    /// A description of the invalid metadata.
    pub(crate) fn local_operator(headers: &HeaderMap) -> Result<Self, String> {
        let narrowing = Narrowing::of(headers)?;
        let mut caller = Self {
            name: narrowing
                .name
                .clone()
                .unwrap_or_else(|| "local-operator".to_owned()),
            front: None,
            roles: every_role().collect(),
            accounts: AccountScope::All,
        };
        caller.narrow(narrowing);
        Ok(caller)
    }
}

/// The roles of the contract.
pub(crate) fn every_role() -> impl Iterator<Item = Role> {
    (1..).map_while(|number| Role::try_from(number).ok())
}

/// The role of a word such as `customer`, for `ROLE_CUSTOMER`.
pub(crate) fn role_named(word: &str) -> Option<Role> {
    let wanted = format!("ROLE_{}", word.to_ascii_uppercase());
    every_role().find(|role| role.as_str_name() == wanted)
}

/// What a call's metadata says about its caller.
#[derive(Debug, Default)]
pub(crate) struct Narrowing {
    /// The caller's name.
    pub(crate) name: Option<String>,
    pub(crate) roles: Option<Vec<Role>>,
    pub(crate) accounts: Option<BTreeSet<AccountId>>,
}

impl Narrowing {
    /// Reads the metadata.
    ///
    /// # Errors
    /// A description of the invalid metadata.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, String> {
        let roles = text(headers, ROLES_KEY)?.map(|list| {
            let words = list.split(',').map(str::trim);
            let roles = words.map(|word| {
                role_named(word)
                    .ok_or_else(|| format!("metadata {ROLES_KEY}: unknown role {word:?}"))
            });
            roles.collect::<Result<_, _>>()
        });
        let accounts = text(headers, ACCOUNTS_KEY)?.map(|list| {
            let ids = list.split(',').map(|word| {
                AccountId::from_str(word.trim())
                    .map_err(|error| format!("metadata {ACCOUNTS_KEY}: {error}"))
            });
            ids.collect::<Result<_, _>>()
        });
        Ok(Self {
            name: text(headers, CALLER_KEY)?.map(str::to_owned),
            roles: roles.transpose()?,
            accounts: accounts.transpose()?,
        })
    }

    /// Whether the metadata says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.name.is_none() && self.roles.is_none() && self.accounts.is_none()
    }
}

/// The only value of a header, if any.
fn text<'a>(headers: &'a HeaderMap, key: &str) -> Result<Option<&'a str>, String> {
    let mut values = headers.get_all(key).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(format!("metadata {key} must be given once")),
        (Some(value), None) => match value.to_str() {
            Ok(text) if text.len() <= 1024 => Ok(Some(text)),
            Ok(_) | Err(_) => Err(format!(
                "metadata {key} must be ASCII of at most 1024 bytes"
            )),
        },
    }
}

/// An accepted call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The caller.
    pub caller: Caller,
    /// The decision time: the clock, read once (T-3).
    pub now: Instant,
    /// The full method name, `/licet.billing.v1.AccountService/Deposit`.
    pub method: &'static str,
    /// When the client stops waiting.
    pub deadline: tokio::time::Instant,
    /// Becomes true when the service stops: a response stream must then end.
    pub stopped: watch::Receiver<bool>,
    /// The call's permit, held until the call and all its clones are dropped; a stop waits for that. `None`
    /// for a call without a limit.
    pub permit: Option<Arc<Permit>>,
}

impl Call {
    /// The origin that events record.
    #[must_use]
    pub fn origin(&self, request_id: &str) -> Origin {
        Origin {
            caller: match &self.caller.front {
                Some(front) => format!("{} through {front}", self.caller.name),
                None => self.caller.name.clone(),
            },
            method: self.method.to_owned(),
            request_id: request_id.to_owned(),
        }
    }

    /// Runs another task's work for the call, such as a response stream, in the call's area: its errors
    /// report the same domain.
    pub async fn within<F: Future>(&self, work: F) -> F::Output {
        area::within(self.method, work).await
    }
}

/// Who asked for a change, and by which request. Operations store it, and every event records it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The caller's name.
    pub caller: String,
    /// The full method name.
    pub method: String,
    /// The request's id.
    pub request_id: String,
}

/// Splits a request into the accepted call and its message.
///
/// # Errors
/// INTERNAL when the server was built without its layers.
pub fn accept<M>(request: tonic::Request<M>) -> Result<(Call, M), tonic::Status> {
    let (_, mut extensions, message) = request.into_parts();
    match extensions.remove::<Call>() {
        Some(call) => Ok((call, message)),
        None => Err(tonic::Status::internal("the server has no guard layer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sl_19_only_a_service_is_a_machine() {
        for (roles, is_machine) in [
            (vec![Role::Service], true),
            (vec![Role::Service, Role::Operator], false),
            (vec![Role::Customer], false),
            (vec![Role::CertificateAuthority], false),
        ] {
            let caller = Caller {
                name: "orders".to_owned(),
                front: None,
                roles,
                accounts: AccountScope::All,
            };
            assert_eq!(caller.is_machine(), is_machine, "{:?}", caller.roles);
        }
    }

    #[test]
    fn metadata_narrows_the_local_operator() {
        let mut headers = HeaderMap::new();
        let whole = Caller::local_operator(&headers).unwrap();
        assert!(whole.has_any(&[Role::Operator]) && whole.has_any(&[Role::Finance]));
        assert_eq!(whole.accounts, AccountScope::All);

        let account = AccountId::generate();
        headers.insert(ROLES_KEY, "customer".parse().unwrap());
        headers.insert(ACCOUNTS_KEY, account.to_string().parse().unwrap());
        let narrow = Caller::local_operator(&headers).unwrap();
        assert!(narrow.has_any(&[Role::Customer]) && !narrow.has_any(&[Role::Operator]));
        assert!(narrow.sees(account) && !narrow.sees(AccountId::generate()));

        headers.remove(ACCOUNTS_KEY);
        let mut none = Caller::local_operator(&headers).unwrap();
        none.confine(&[Role::Operator, Role::Customer]);
        assert!(!none.sees(account));
        headers.insert(ROLES_KEY, "customer,finance".parse().unwrap());
        let mut both = Caller::local_operator(&headers).unwrap();
        both.confine(&[Role::Finance, Role::Customer]);
        assert!(both.sees(account));
        both.confine(&[Role::Operator, Role::Customer]);
        assert!(!both.sees(account));

        headers.append(ROLES_KEY, "operator".parse().unwrap());
        let twice = Caller::local_operator(&headers).unwrap_err();
        assert!(twice.contains("once"), "{twice}");
        headers.insert(ROLES_KEY, "emperor".parse().unwrap());
        assert!(Caller::local_operator(&headers).is_err());
    }
}
