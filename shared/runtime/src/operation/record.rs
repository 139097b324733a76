//! The stored row of an operation and the view that clients see. A row is saved only if it is still at
//! the version that was read.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::TimeDelta;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, OperationId},
    refusal::{Reason, Refusal, not_found},
    worded,
};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select, Set, UpdateMany,
    sea_query::Expr,
};
use uuid::Uuid;

use crate::{
    all_accounts::AllAccounts,
    caller::Caller,
    clock::real_now,
    database::Tx,
    fault::Fault,
    page::Page,
    retention::{REPLAY_DAYS, horizon},
    status::decode_refusal,
    stored::in_scope,
};

pub(super) mod row {
    //! The `operation` table.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "operation")]
    pub(in crate::operation) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub operation_id: String,
        pub kind: String,
        pub resource_id: String,
        pub state: String,
        pub step: String,
        pub state_json: String,
        pub version: i64,
        pub accepted_us: i64,
        pub ended_us: Option<i64>,
        /// Real time: when the next attempt is due; once it has ended, from when it is kept
        /// [`crate::retention::REPLAY_DAYS`] longer.
        pub due_us: i64,
        pub attempts: i32,
        pub last_error: String,
        pub result: Option<Vec<u8>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(in crate::operation) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The request field that names an operation, and the table that stores it.
pub(crate) const SUBJECT: (&str, &str) = ("operation_id", "operation");

worded! {
    /// The state of an operation.
    pub enum State {
        /// In progress, or waiting for its next attempt.
        Running = "RUNNING",
        /// Everything is done.
        Done = "DONE",
        /// Refused: nothing of it remains.
        Refused = "REFUSED",
    }
}

impl row::Model {
    pub(super) fn state(&self) -> Result<State, Fault> {
        self.state.parse().map_err(Fault::internal)
    }
}

/// Whether an operation still runs, and how it ended.
#[derive(Debug)]
pub enum Ending {
    /// It still runs and needs no further call.
    Running,
    /// The encoded response.
    Done(Vec<u8>),
    /// The refusal.
    Refused(Refusal),
}

/// An operation as clients see it.
#[derive(Clone, Debug)]
pub struct View {
    /// Its id.
    pub operation_id: OperationId,
    /// Its kind.
    pub kind: String,
    /// The resource that it changes; at most one operation runs on a resource.
    pub resource_id: String,
    /// The account that owns the resource.
    pub account_id: AccountId,
    /// Its state.
    pub state: State,
    /// The step that is due, or the last one.
    pub step: String,
    /// Attempts at this step that got no definite answer.
    pub attempts: i32,
    /// The error of the last such attempt.
    pub last_error: String,
    /// The decision time of the request.
    pub accepted: Instant,
    /// When it ended (business time).
    pub ended: Option<Instant>,
    /// When it will be tried again (real time), while it runs.
    pub next_attempt: Option<Instant>,
    /// The refusal that ended it.
    pub refusal: Option<Refusal>,
}

/// The id by which an accepted operation is waited for.
#[derive(Clone, Debug)]
pub struct OperationHandle {
    /// Its id.
    pub id: OperationId,
    /// Its row, if this process has just written it.
    pub(super) row: Option<Box<row::Model>>,
}

impl From<OperationId> for OperationHandle {
    fn from(id: OperationId) -> Self {
        Self { id, row: None }
    }
}

/// The accepting call makes the first attempt; after this time the schedule takes over.
pub(super) const HEAD_START: Duration = Duration::from_secs(2);

/// Rejects a change of a resource while an operation runs on it.
///
/// # Errors
/// OPERATION_IN_PROGRESS with the running operation's id.
pub async fn refuse_if_running(
    tx: &Tx,
    account_id: AccountId,
    resource_id: &str,
) -> Result<(), Fault> {
    match find_running(tx, account_id, resource_id).await? {
        Some(view) => Err(Fault::operation_in_progress(
            resource_id,
            &view.operation_id.to_string(),
        )),
        None => Ok(()),
    }
}

/// OPERATION_NOT_CANCELLABLE, with the step that cannot be undone.
#[must_use]
pub fn not_cancellable(view: &View) -> Refusal {
    let (id, kind, step) = (view.operation_id, &view.kind, &view.step);
    let message = if view.state == State::Running {
        format!(
            "operation {id} ({kind}) can no longer be cancelled: its step {step} cannot be undone"
        )
    } else {
        format!("operation {id} ({kind}) is already done; its last step was {step}")
    };
    Refusal::new(Reason::OperationNotCancellable, message)
        .with("operation_id", id)
        .with("state", view.state.as_str())
        .with("step", step)
}

/// The request id of a step at its peer.
pub(super) fn step_request_id(id: OperationId, step: &str) -> Uuid {
    Uuid::new_v5(&id.uuid(), step.as_bytes())
}

/// A literal, not a parameter: a generic plan can then use the partial indexes.
pub(super) fn is_running() -> Expr {
    Expr::cust("state = 'RUNNING'")
}

/// The operation that runs on a resource of the account, if any.
///
/// # Errors
/// When the database does not answer.
pub async fn find_running(
    tx: &Tx,
    account_id: AccountId,
    resource_id: &str,
) -> Result<Option<View>, Fault> {
    row::Entity::find()
        .filter(row::Column::AccountId.eq(account_id.to_string()))
        .filter(row::Column::ResourceId.eq(resource_id))
        .filter(is_running())
        .one(tx)
        .await?
        .map(View::try_from)
        .transpose()
}

/// The operations that run on these resources, each with its account, by resource id, in one query.
///
/// # Errors
/// When the database does not answer.
pub async fn list_running(
    tx: &Tx,
    resources: &[(AccountId, String)],
) -> Result<BTreeMap<String, View>, Fault> {
    if resources.is_empty() {
        return Ok(BTreeMap::new());
    }
    let accounts: BTreeSet<_> = resources
        .iter()
        .map(|(account, _)| account.to_string())
        .collect();
    let rows = row::Entity::find()
        .filter(row::Column::AccountId.is_in(accounts))
        .filter(row::Column::ResourceId.is_in(resources.iter().map(|(_, id)| id)))
        .filter(is_running())
        .all(tx)
        .await?;
    rows.into_iter()
        .map(|row| Ok((row.resource_id.clone(), View::try_from(row)?)))
        .collect()
}

/// An operation that the caller may see.
///
/// # Errors
/// NOT_FOUND.
pub async fn get(tx: &Tx, caller: &Caller, id: OperationId) -> Result<View, Fault> {
    let found = by_id(id).filter(in_scope(&caller.accounts, row::Column::AccountId));
    let row = found.one(&AllAccounts::new(tx, ID_ALONE)).await?;
    row.ok_or_else(|| not_kept(id))?.try_into()
}

/// NOT_FOUND, with the real time since when operations are kept that have ended.
pub(super) fn not_kept(id: OperationId) -> Refusal {
    let refusal = not_found("operation", id);
    match horizon(REPLAY_DAYS, TimeDelta::zero()) {
        Some(since) => refusal.with("kept_since", since),
        None => refusal,
    }
}

/// As [`get`]; `None` once it has ended.
///
/// # Errors
/// NOT_FOUND.
pub async fn find_under_way(
    tx: &Tx,
    caller: &Caller,
    id: OperationId,
) -> Result<Option<View>, Fault> {
    let found = get(tx, caller, id).await?;
    Ok(Some(found).filter(|found| found.state == State::Running))
}

/// Operations that the caller may see, newest first, optionally of one resource or one state.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    tx: &Tx,
    caller: &Caller,
    resource_id: Option<&str>,
    state: Option<State>,
    page: &Page,
) -> Result<(Vec<View>, String), Fault> {
    let wanted = in_scope(&caller.accounts, row::Column::AccountId)
        .add_option(resource_id.map(|id| row::Column::ResourceId.eq(id)))
        .add_option(state.map(|state| row::Column::State.eq(state.as_str())))
        .add_option(page.after_key().map(|id| row::Column::OperationId.lt(id)));
    let rows = row::Entity::find()
        .filter(wanted)
        .order_by_desc(row::Column::OperationId)
        .limit(page.limit())
        .all(&AllAccounts::new(tx, "operators list operations"))
        .await?;
    let (rows, next) = page.finish(rows, |row| vec![row.operation_id.clone()]);
    Ok((
        rows.into_iter()
            .map(View::try_from)
            .collect::<Result<_, _>>()?,
        next,
    ))
}

/// Why an operation is looked up over all accounts.
pub(super) const ID_ALONE: &str = "an operation's id without its account";

/// The operation whose account is not known.
pub(super) fn by_id(id: OperationId) -> Select<row::Entity> {
    row::Entity::find().filter(row::Column::OperationId.eq(id.to_string()))
}

pub(super) fn real_after(pause: Duration) -> i64 {
    let pause_us = i64::try_from(pause.as_micros()).unwrap_or(i64::MAX);
    real_now().as_micros().saturating_add(pause_us)
}

/// Updates `columns` if the operation still runs at the version that was read.
pub(super) fn save(read: &row::Model, columns: row::ActiveModel) -> UpdateMany<row::Entity> {
    row::Entity::update_many()
        .set(row::ActiveModel {
            version: Set(read.version + 1),
            ..columns
        })
        .filter(row::Column::AccountId.eq(&read.account_id))
        .filter(row::Column::OperationId.eq(&read.operation_id))
        .filter(row::Column::Version.eq(read.version))
        .filter(is_running())
}

impl TryFrom<row::Model> for View {
    type Error = Fault;

    fn try_from(row: row::Model) -> Result<Self, Fault> {
        let instant = |micros| {
            Instant::from_micros(micros).ok_or_else(|| {
                Fault::internal("an instant of a stored operation exceeds the supported date range")
            })
        };
        let state = row.state()?;
        let refusal = match (state, &row.result) {
            (State::Refused, Some(bytes)) => Some(decode_refusal(bytes)?),
            (State::Refused, None) | (State::Running | State::Done, _) => None,
        };
        Ok(Self {
            operation_id: row.operation_id.parse().map_err(Fault::internal)?,
            kind: row.kind,
            resource_id: row.resource_id,
            account_id: row.account_id.parse().map_err(Fault::internal)?,
            state,
            step: row.step,
            attempts: row.attempts,
            last_error: row.last_error,
            accepted: instant(row.accepted_us)?,
            ended: row.ended_us.map(instant).transpose()?,
            next_attempt: if state == State::Running {
                Some(instant(row.due_us)?)
            } else {
                None
            },
            refusal,
        })
    }
}
