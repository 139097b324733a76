//! The keys of orders whose rows are read together, as a condition.

use std::collections::BTreeSet;

use licet_domain::ids::{AccountId, OrderId};
use licet_runtime::{all_accounts::AllAccounts, database::Tx, fault::Fault, stored::to_json};
use sea_orm::{ConnectionTrait, DbBackend, Value, sea_query::Expr};

use crate::rules::order::Order;

/// Why the rows of a page are read from the parts of several accounts.
const PAGE: &str = "a page of orders of several accounts";

/// The keys of orders.
#[derive(Debug, Default)]
pub(crate) struct OrderKeys(BTreeSet<(AccountId, OrderId)>);

impl OrderKeys {
    /// The keys of these orders.
    pub(crate) fn of<'a>(orders: impl IntoIterator<Item = &'a Order>) -> Self {
        let keys = orders.into_iter().map(|order| (order.account_id, order.id));
        keys.collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The account, if all orders have the same.
    fn account(&self) -> Option<AccountId> {
        let (first, _) = self.0.first()?;
        let (last, _) = self.0.last()?;
        (first == last).then_some(*first)
    }

    /// The connection for the reads with [`OrderKeys::condition`].
    pub(super) fn reads<'a>(&self, tx: &'a Tx) -> AllAccounts<'a, Tx> {
        AllAccounts::unless_of(self.account(), tx, PAGE)
    }

    /// Selects the rows of these orders from one table.
    pub(super) fn condition(&self, tx: &Tx) -> Result<Expr, Fault> {
        let backend = tx.get_database_backend();
        let (text, values) = self.sql(backend)?;
        if backend == DbBackend::Postgres {
            return Ok(Expr::cust_with_values(text, values));
        }
        Ok(Expr::cust_with_values(text.replace("$1", "?"), values))
    }

    /// As [`OrderKeys::condition`], as text with numbered parameters.
    pub(super) fn sql(&self, backend: DbBackend) -> Result<(&'static str, Vec<Value>), Fault> {
        if backend != DbBackend::Postgres {
            let text =
                "(account_id, order_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))";
            return Ok((text, vec![to_json("order_keys", &self.0)?.into()]));
        }
        let accounts: Vec<_> = self.0.iter().map(|(id, _)| id.to_string()).collect();
        let orders: Vec<_> = self.0.iter().map(|(_, id)| id.to_string()).collect();
        Ok(match self.account() {
            Some(account) => (
                "account_id = $1 AND order_id = ANY ($2::TEXT[])",
                vec![account.to_string().into(), orders.into()],
            ),
            None => (
                "(account_id, order_id) IN (SELECT wanted.account_id, wanted.order_id \
                 FROM unnest($1::TEXT[], $2::TEXT[]) AS wanted (account_id, order_id))",
                vec![accounts.into(), orders.into()],
            ),
        })
    }
}

impl FromIterator<(AccountId, OrderId)> for OrderKeys {
    fn from_iter<I: IntoIterator<Item = (AccountId, OrderId)>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}
