//! Accounts and their balances. A balance is changed only by the atomic statements below, in the
//! transaction that books the postings for it (BL-5).

use licet_domain::{ids::AccountId, money::Money};
use licet_runtime::{
    caller::Caller,
    database::Tx,
    fault::Fault,
    page::Page,
    stored::{in_scope, instant, money, parsed},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Set,
    sea_query::{Expr, ExprTrait, LockType},
};

use crate::rules::account::Account;

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "account")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        pub(super) display_name: String,
        pub(super) currency: String,
        pub(super) balance_minor: i64,
        pub(super) created_us: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Writes a new account down.
pub(crate) async fn insert(tx: &Tx, account: &Account) -> Result<(), Fault> {
    row::ActiveModel {
        account_id: Set(account.account_id.to_string()),
        display_name: Set(account.display_name.clone()),
        currency: Set(account.currency().code().to_owned()),
        balance_minor: Set(account.balance.minor()),
        created_us: Set(account.created.as_micros()),
    }
    .insert(tx)
    .await?;
    Ok(())
}

/// The account, if the caller sees it.
pub(crate) async fn find(
    tx: &Tx,
    caller: &Caller,
    account_id: AccountId,
) -> Result<Option<Account>, Fault> {
    let found = row::Entity::find_by_id(account_id.to_string())
        .filter(in_scope(&caller.accounts, row::Column::AccountId))
        .one(tx)
        .await?;
    found.map(decode).transpose()
}

/// As [`find`], its balance locked until the transaction ends.
pub(crate) async fn lock(
    tx: &Tx,
    caller: &Caller,
    account_id: AccountId,
) -> Result<Option<Account>, Fault> {
    let found = row::Entity::find_by_id(account_id.to_string())
        .filter(in_scope(&caller.accounts, row::Column::AccountId))
        // Whatever else refers to the account need not wait.
        .lock(LockType::NoKeyUpdate)
        .one(tx)
        .await?;
    found.map(decode).transpose()
}

/// A page of the accounts that the caller sees, by id.
pub(crate) async fn list(tx: &Tx, caller: &Caller, page: &Page) -> Result<Vec<Account>, Fault> {
    let mut filter = in_scope(&caller.accounts, row::Column::AccountId)
        .add(row::Column::CreatedUs.lte(page.as_of.as_micros()));
    if let Some(after) = page.after_key() {
        filter = filter.add(row::Column::AccountId.gt(after));
    }
    let rows = row::Entity::find()
        .filter(filter)
        .order_by_asc(row::Column::AccountId)
        .limit(page.limit())
        .all(tx)
        .await?;
    rows.into_iter().map(decode).collect()
}

/// Takes `amount` off the balance if it is there; answers whether it was.
pub(crate) async fn debit(tx: &Tx, account_id: AccountId, amount: Money) -> Result<bool, Fault> {
    let covered = row::Column::BalanceMinor.gte(amount.minor());
    let left = Expr::col(row::Column::BalanceMinor).sub(amount.minor());
    move_balance(tx, account_id, amount, covered.into(), left).await
}

/// Adds `amount` to the balance if the sum can be kept; answers whether it could.
pub(crate) async fn credit(tx: &Tx, account_id: AccountId, amount: Money) -> Result<bool, Fault> {
    let fits = row::Column::BalanceMinor.lte(i64::MAX - amount.minor());
    let sum = Expr::col(row::Column::BalanceMinor).add(amount.minor());
    move_balance(tx, account_id, amount, fits.into(), sum).await
}

async fn move_balance(
    tx: &Tx,
    account_id: AccountId,
    amount: Money,
    holds: Condition,
    balance: sea_orm::sea_query::SimpleExpr,
) -> Result<bool, Fault> {
    let moved = row::Entity::update_many()
        .col_expr(row::Column::BalanceMinor, balance)
        .filter(row::Column::AccountId.eq(account_id.to_string()))
        .filter(row::Column::Currency.eq(amount.currency().code()))
        .filter(holds)
        .exec(tx)
        .await?;
    Ok(moved.rows_affected == 1)
}

fn decode(row: row::Model) -> Result<Account, Fault> {
    Ok(Account {
        account_id: parsed("account_id", &row.account_id)?,
        display_name: row.display_name,
        balance: money(&row.currency, row.balance_minor)?,
        created: instant("created_us", row.created_us)?,
    })
}
