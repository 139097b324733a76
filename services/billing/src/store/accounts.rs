//! Accounts, their balances and what is due. One atomic statement changes both sums, in the
//! transaction that books the postings for it (BL-5).

use licet_domain::{clock::Instant, ids::AccountId, money::Money};
use licet_runtime::{
    caller::Caller,
    database::Tx,
    fault::Fault,
    page::Page,
    seal::Seal,
    stored::{count, count_column, in_scope, instant, instant_if, money, parsed},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{CaseStatement, Expr, ExprTrait, LockType},
};
use serde_json::json;

use super::{
    owner::listing,
    parts::RowKey,
    seal_page::{SealPage, all_accounts, rows_after_id, single},
};
use crate::rules::{
    account::{Account, AccountKind, CreditTerms, PaymentTerms},
    ledger::Movement,
    not_found,
};

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
        pub(super) kind: String,
        pub(super) credit_limit_minor: Option<i64>,
        pub(super) net_days: Option<i32>,
        pub(super) overdue_grace_days: Option<i32>,
        pub(super) receivable_minor: i64,
        pub(super) last_entry_us: i64,
    }

    licet_runtime::plain_entity!(pub(super));
}

/// Stores a new account.
pub(crate) async fn insert(tx: &Tx, account: &Account) -> Result<(), Fault> {
    let row = encode(account)?;
    tx.seal(seal(&row));
    row.into_active_model().insert(tx).await?;
    Ok(())
}

fn encode(account: &Account) -> Result<row::Model, Fault> {
    let terms = TermsColumns::of(&account.terms)?;
    Ok(row::Model {
        account_id: account.account_id.to_string(),
        display_name: account.display_name.clone(),
        currency: account.currency().code().to_owned(),
        balance_minor: account.balance.minor(),
        created_us: account.created.as_micros(),
        kind: terms.kind.to_owned(),
        credit_limit_minor: terms.credit_limit_minor,
        net_days: terms.net_days,
        overdue_grace_days: terms.overdue_grace_days,
        receivable_minor: account.due.minor(),
        last_entry_us: account.last_entry.as_micros(),
    })
}

/// Covers everything but the sums, which follow from the ledger.
fn seal(row: &row::Model) -> Seal {
    let columns = json!([
        row.account_id,
        row.display_name,
        row.currency,
        row.created_us,
        row.kind,
        row.credit_limit_minor,
        row.net_days,
        row.overdue_grace_days,
    ]);
    Seal::new("account", &row.account_id, &columns)
}

/// A page of the seals of accounts.
pub(super) async fn list_seals(
    connection: &impl ConnectionTrait,
    after: &RowKey,
) -> Result<SealPage, DbErr> {
    let reads = all_accounts(connection);
    let rows = rows_after_id::<row::Entity>(&reads, row::Column::AccountId, after).await?;
    Ok(SealPage {
        seals: rows.iter().map(seal).collect(),
        last: rows.last().map(|row| single(&row.account_id)),
    })
}

fn visible(caller: &Caller, account_id: AccountId) -> Select<row::Entity> {
    row::Entity::find_by_id(account_id.to_string())
        .filter(in_scope(&caller.accounts, row::Column::AccountId))
}

/// The account; NOT_FOUND if the caller does not see it.
pub(crate) async fn get(tx: &Tx, caller: &Caller, account_id: AccountId) -> Result<Account, Fault> {
    let found = visible(caller, account_id).one(tx).await?;
    decode(found.ok_or_else(|| not_found("account", account_id))?)
}

/// As [`get`], locked until the transaction ends. Lock the account before its invoices.
pub(crate) async fn lock(
    tx: &Tx,
    caller: &Caller,
    account_id: AccountId,
) -> Result<Account, Fault> {
    // Rows that only refer to the account need not wait.
    let query = visible(caller, account_id).lock(LockType::NoKeyUpdate);
    let found = query.one(tx).await?;
    decode(found.ok_or_else(|| not_found("account", account_id))?)
}

/// A page of the accounts that the caller sees, by id.
pub(crate) async fn list(tx: &Tx, caller: &Caller, page: &Page) -> Result<Vec<Account>, Fault> {
    let after = page.after_key();
    let filter = in_scope(&caller.accounts, row::Column::AccountId)
        .add_option(after.map(|after| row::Column::AccountId.gt(after)));
    let rows = row::Entity::find()
        .filter(filter)
        .order_by_asc(row::Column::AccountId)
        .limit(page.limit())
        .all(&listing(tx, caller, None))
        .await?;
    rows.into_iter().map(decode).collect()
}

/// Changes the balance and what is due, if both stay within bounds and the account is of kind
/// `only`. Returns the time of the entry that this is for: `now`, or the last entry's time if
/// another instance's clock was ahead (T-5); `None`: nothing changed.
pub(super) async fn apply(
    tx: &Tx,
    account_id: AccountId,
    movement: Movement,
    only: Option<AccountKind>,
    now: Instant,
) -> Result<Option<Instant>, Fault> {
    let Movement { balance, due } = movement;
    let holds = Condition::all()
        .add(row::Column::AccountId.eq(account_id.to_string()))
        .add(row::Column::Currency.eq(balance.currency().code()))
        .add(within_bounds(row::Column::BalanceMinor, balance.minor()))
        .add(within_bounds(row::Column::ReceivableMinor, due.minor()))
        .add_option(only.map(|kind| row::Column::Kind.eq(kind.as_str())));
    let now = now.as_micros();
    let time = CaseStatement::new()
        .case(
            row::Column::LastEntryUs.gt(now),
            Expr::col(row::Column::LastEntryUs),
        )
        .finally(now);
    let moved = row::Entity::update_many()
        .col_expr(
            row::Column::BalanceMinor,
            Expr::col(row::Column::BalanceMinor).add(balance.minor()),
        )
        .col_expr(
            row::Column::ReceivableMinor,
            Expr::col(row::Column::ReceivableMinor).add(due.minor()),
        )
        .col_expr(row::Column::LastEntryUs, time.into())
        .filter(holds)
        .exec_with_returning(tx)
        .await?;
    let last = moved.first().map(|row| row.last_entry_us);
    instant_if("last_entry_us", last)
}

/// The condition that a non-negative sum stays non-negative and in range after `change`.
fn within_bounds(sum_minor: row::Column, change: i64) -> Condition {
    // Neither comparison can overflow: the sum is never below zero.
    if change < 0 {
        Condition::all().add(sum_minor.gte(change.saturating_neg()))
    } else {
        Condition::all().add(sum_minor.lte(i64::MAX - change))
    }
}

/// Stores the name and the payment terms of the locked account.
pub(crate) async fn update(tx: &Tx, account: &Account) -> Result<(), Fault> {
    tx.seal(seal(&encode(account)?));
    let terms = TermsColumns::of(&account.terms)?;
    row::Entity::update_many()
        .col_expr(
            row::Column::DisplayName,
            Expr::value(account.display_name.clone()),
        )
        .col_expr(row::Column::Kind, Expr::value(terms.kind))
        .col_expr(
            row::Column::CreditLimitMinor,
            Expr::value(terms.credit_limit_minor),
        )
        .col_expr(row::Column::NetDays, Expr::value(terms.net_days))
        .col_expr(
            row::Column::OverdueGraceDays,
            Expr::value(terms.overdue_grace_days),
        )
        .filter(row::Column::AccountId.eq(account.account_id.to_string()))
        .exec(tx)
        .await?;
    Ok(())
}

/// The columns of payment terms.
struct TermsColumns {
    kind: &'static str,
    credit_limit_minor: Option<i64>,
    net_days: Option<i32>,
    overdue_grace_days: Option<i32>,
}

impl TermsColumns {
    fn of(terms: &PaymentTerms) -> Result<Self, Fault> {
        let kind = terms.kind().as_str();
        match terms {
            PaymentTerms::Prepaid => Ok(Self {
                kind,
                credit_limit_minor: None,
                net_days: None,
                overdue_grace_days: None,
            }),
            PaymentTerms::OnTerms(terms) => Ok(Self {
                kind,
                credit_limit_minor: Some(terms.credit_limit.minor()),
                net_days: Some(count_column("net_days", terms.net_days)?),
                overdue_grace_days: Some(count_column(
                    "overdue_grace_days",
                    terms.overdue_grace_days,
                )?),
            }),
        }
    }
}

fn decode(row: row::Model) -> Result<Account, Fault> {
    let balance = money(&row.currency, row.balance_minor)?;
    let currency = balance.currency();
    let terms = match (parsed("kind", &row.kind)?, row.credit_limit_minor) {
        (AccountKind::Prepaid, _) => PaymentTerms::Prepaid,
        (AccountKind::OnTerms, None) => {
            return Err(Fault::internal("an account on terms has no credit limit"));
        }
        (AccountKind::OnTerms, Some(limit)) => PaymentTerms::OnTerms(CreditTerms {
            credit_limit: Money::from_minor(currency, limit),
            net_days: count("net_days", row.net_days.unwrap_or_default())?,
            overdue_grace_days: count(
                "overdue_grace_days",
                row.overdue_grace_days.unwrap_or_default(),
            )?,
        }),
    };
    Ok(Account {
        account_id: parsed("account_id", &row.account_id)?,
        display_name: row.display_name,
        terms,
        balance,
        due: Money::from_minor(currency, row.receivable_minor),
        created: instant("created_us", row.created_us)?,
        last_entry: instant("last_entry_us", row.last_entry_us)?,
    })
}
