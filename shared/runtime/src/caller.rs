//! Who calls, with which roles, for which accounts. On plaintext loopback that is a local operator,
//! who may narrow what he is by metadata, and never widen it.

use std::{collections::BTreeSet, str::FromStr, sync::Arc};

use http::HeaderMap;
use licet_contracts::types::v1::Role;
use licet_domain::{clock::Instant, ids::AccountId};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{area, concurrency::Permit};

/// Metadata key under which a caller names itself: replay records and the audit log keep it.
pub const CALLER_KEY: &str = "licet-caller";
/// Metadata key: comma-separated roles to be narrowed to, as `customer,finance`.
pub const ROLES_KEY: &str = "licet-roles";
/// Metadata key: comma-separated account ids to be narrowed to. A customer without it has no account.
pub const ACCOUNTS_KEY: &str = "licet-accounts";

/// Which accounts a caller may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountScope {
    /// Every account.
    All,
    /// These accounts alone; others answer NOT_FOUND.
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
}

/// Who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// A stable name; scopes `request_id` (BL-2).
    pub name: String,
    /// What the caller may do.
    pub roles: Vec<Role>,
    /// Whose data the caller may see.
    pub accounts: AccountScope,
}

impl Caller {
    /// Whether the account's data is the caller's to see.
    #[must_use]
    pub fn sees(&self, account: AccountId) -> bool {
        self.accounts.sees(account)
    }

    /// Whether the caller has one of `roles`.
    #[must_use]
    pub fn has_any(&self, roles: &[Role]) -> bool {
        self.roles.iter().any(|role| roles.contains(role))
    }

    /// Whether the caller is a machine, which follows its own rules: only a caller who is nothing but a
    /// service is one.
    #[must_use]
    pub fn is_machine(&self) -> bool {
        self.roles.iter().all(|role| *role == Role::Service)
    }

    /// Confines the caller to the accounts it names where a method for `roles` lets it in as a
    /// customer alone: a customer is bound to its accounts, and one that names none has none.
    pub(crate) fn confine(&mut self, roles: &[Role]) {
        let used = self.roles.iter().filter(|role| roles.contains(role));
        let is_customer_alone = used.copied().all(|role| role == Role::Customer);
        if is_customer_alone && self.accounts == AccountScope::All {
            self.accounts = AccountScope::Only(BTreeSet::new());
        }
    }

    /// The caller's accounts as text for a `WHERE … IN`; `None` when every account is seen.
    #[must_use]
    pub fn account_filter(&self) -> Option<Vec<String>> {
        match &self.accounts {
            AccountScope::All => None,
            AccountScope::Only(accounts) => {
                Some(accounts.iter().map(ToString::to_string).collect())
            }
        }
    }

    /// The local operator of a plaintext loopback connection, narrowed by its metadata.
    ///
    /// # Errors
    /// What is wrong with the metadata.
    pub(crate) fn local_operator(headers: &HeaderMap) -> Result<Self, String> {
        let text = |key: &str| match headers.get(key) {
            None => Ok(None),
            Some(value) => match value.to_str() {
                Ok(text) if text.len() <= 1024 => Ok(Some(text)),
                Ok(_) | Err(_) => Err(format!(
                    "metadata {key} must be ASCII of at most 1024 bytes"
                )),
            },
        };
        let name = text(CALLER_KEY)?.unwrap_or("local-operator").to_owned();
        let every = || (1..).map_while(|number| Role::try_from(number).ok());
        let roles = match text(ROLES_KEY)? {
            None => every().collect(),
            Some(list) => list
                .split(',')
                .map(|word| {
                    let wanted = format!("ROLE_{}", word.trim().to_ascii_uppercase());
                    every()
                        .find(|role| role.as_str_name() == wanted)
                        .ok_or_else(|| format!("metadata {ROLES_KEY}: no role {:?}", word.trim()))
                })
                .collect::<Result<_, _>>()?,
        };
        let accounts = match text(ACCOUNTS_KEY)? {
            None => AccountScope::All,
            Some(list) => AccountScope::Only(
                list.split(',')
                    .map(|word| {
                        AccountId::from_str(word.trim())
                            .map_err(|error| format!("metadata {ACCOUNTS_KEY}: {error}"))
                    })
                    .collect::<Result<_, _>>()?,
            ),
        };
        Ok(Self {
            name,
            roles,
            accounts,
        })
    }
}

/// What was accepted: who asked, when it was decided, and until when an answer is of use.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who asked.
    pub caller: Caller,
    /// The decision time: the clock, read once (T-3).
    pub now: Instant,
    /// The full method name, `/licet.billing.v1.AccountService/Deposit`.
    pub method: &'static str,
    /// When the client stops waiting.
    pub deadline: tokio::time::Instant,
    /// Whether the service stops: an answer that streams on ends then.
    pub stopped: watch::Receiver<bool>,
    /// Its place, taken until the call and all its clones are gone: a stop waits for that. `None`:
    /// nobody counts the call.
    pub permit: Option<Arc<Permit>>,
}

impl Call {
    /// Who asked for what, as events keep it.
    #[must_use]
    pub fn origin(&self, request_id: &str) -> Origin {
        Origin {
            caller: self.caller.name.clone(),
            method: self.method.to_owned(),
            request_id: request_id.to_owned(),
        }
    }

    /// Runs work of the call that goes on in a task of its own: an answer that streams on. Its
    /// errors name the call's service, as those of the call itself do.
    pub async fn within<F: Future>(&self, work: F) -> F::Output {
        area::within(self.method, work).await
    }
}

/// Who asked for what: kept by operations and written into every event, which is the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The caller's name.
    pub caller: String,
    /// The full method name.
    pub method: String,
    /// The request's id.
    pub request_id: String,
}

/// Takes a request apart into what was accepted and what was asked.
///
/// # Errors
/// INTERNAL when the server was built without its layers.
pub fn accept<M>(request: tonic::Request<M>) -> Result<(Call, M), tonic::Status> {
    let (_, mut extensions, message) = request.into_parts();
    match extensions.remove::<Call>() {
        Some(call) => Ok((call, message)),
        None => Err(tonic::Status::internal(
            "the call was not accepted by the server's layers",
        )),
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

        headers.insert(ROLES_KEY, "emperor".parse().unwrap());
        assert!(Caller::local_operator(&headers).is_err());
    }
}
