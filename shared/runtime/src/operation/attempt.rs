//! Begins an operation, and saves each step's result against the version that was read.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use licet_domain::{
    clock::{Clock, Instant},
    ids::{AccountId, OperationId},
    refusal::Refusal,
};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect};

use super::{
    record::{HEAD_START, OperationHandle, State, is_running, real_after, row, save},
    step::{Next, NextStep, Operation, Step, StoredStep},
};
use crate::{
    clock::real_now,
    database::{Database, Tx, Work},
    fault::Fault,
    status::encode_refusal,
    stored::changed,
};

/// Encodes an operation's output as the response that is stored for every repeat.
pub(super) type Encode<O> =
    Arc<dyn Fn(<O as Operation>::Output) -> Result<Vec<u8>, Fault> + Send + Sync>;

/// Begins an operation with its first step, inside the transaction that accepts its request.
/// `decision_time` must not be earlier than an earlier decision about the resource (T-3, T-5). Invariant:
/// the resource is new, or it is locked and `refuse_if_running` has passed; a unique index enforces one
/// running operation for each resource.
///
/// # Errors
/// When the database does not answer.
pub async fn begin<O: Operation>(
    tx: &Tx,
    decision_time: Instant,
    resource_id: &str,
    account_id: AccountId,
    first: NextStep<O>,
) -> Result<OperationHandle, Fault> {
    let id = OperationId::generate();
    let row = row::Model {
        operation_id: id.to_string(),
        kind: O::KIND.to_owned(),
        resource_id: resource_id.to_owned(),
        account_id: account_id.to_string(),
        state: State::Running.as_str().to_owned(),
        step: first.stored.name.to_owned(),
        state_json: first.stored.state.map_err(Fault::internal)?,
        version: 0,
        accepted_us: decision_time.as_micros(),
        ended_us: None,
        due_us: real_after(HEAD_START),
        attempts: 0,
        last_error: String::new(),
        result: None,
    };
    let insert = row::Entity::insert(row.clone().into_active_model());
    tx.later(row::Entity, insert).await?;
    Ok(OperationHandle {
        id,
        row: Some(Box::new(row)),
    })
}

/// The context of an attempt at a step.
pub(super) struct StepContext<P> {
    pub(super) database: Database,
    pub(super) peers: Arc<P>,
    pub(super) clock: Arc<dyn Clock>,
}

impl<P> Clone for StepContext<P> {
    fn clone(&self) -> Self {
        Self {
            database: self.database.clone(),
            peers: Arc::clone(&self.peers),
            clock: Arc::clone(&self.clock),
        }
    }
}

impl<P: Send + Sync + 'static> StepContext<P> {
    /// Saves the next step alone, in one statement.
    pub(super) async fn advance(
        &self,
        row: &row::Model,
        next: StoredStep,
    ) -> Result<StepAttempt, Fault> {
        let advanced = advanced(row, next)?;
        let save = save(row, changed::<row::Entity>(row, &advanced));
        let saved = save.exec(self.database.write_alone()).await?;
        Ok(match saved.rows_affected {
            1 => StepAttempt::Advanced(Box::new(advanced)),
            _ => StepAttempt::Overtaken,
        })
    }

    /// Applies a step's answer and saves what follows, in one transaction.
    pub(super) async fn apply<S: Step>(
        &self,
        row: &row::Model,
        step: &S,
        encode: &Encode<S::Operation>,
        answer: &Result<S::Answer, Refusal>,
    ) -> Result<StepAttempt, Fault> {
        let apply = Apply {
            row,
            step,
            now: self.clock.now(),
            encode,
            answer,
            has_run: AtomicBool::new(false),
        };
        let saved = self.database.transact(&apply).await?;
        Ok(saved.map_or(StepAttempt::Overtaken, |saved| {
            StepAttempt::Advanced(Box::new(saved))
        }))
    }
}

/// The row with `next` as its due step.
fn advanced(row: &row::Model, next: StoredStep) -> Result<row::Model, Fault> {
    Ok(row::Model {
        step: next.name.to_owned(),
        state_json: next.state.map_err(Fault::internal)?,
        due_us: real_after(HEAD_START),
        version: row.version + 1,
        attempts: 0,
        last_error: String::new(),
        ..row.clone()
    })
}

/// The result of one attempt at a step.
pub(super) enum StepAttempt {
    /// The step is done: the operation as it was saved.
    Advanced(Box<row::Model>),
    /// Another driver saved the step first.
    Overtaken,
    /// The peer gave no definite answer, for this reason.
    Unanswered(String),
}

struct Apply<'a, S: Step> {
    row: &'a row::Model,
    step: &'a S,
    now: Instant,
    encode: &'a Encode<S::Operation>,
    answer: &'a Result<S::Answer, Refusal>,
    has_run: AtomicBool,
}

impl<S: Step> Apply<'_, S> {
    /// Locks the operation if the step is still due.
    async fn lock(&self, tx: &Tx) -> Result<bool, Fault> {
        let locked =
            row::Entity::find_by_id((self.row.account_id.clone(), self.row.operation_id.clone()))
                .select_only()
                .column(row::Column::Version)
                .filter(row::Column::Version.eq(self.row.version))
                .filter(is_running())
                .lock_exclusive()
                .into_tuple::<i64>()
                .one(tx)
                .await?;
        Ok(locked.is_some())
    }
}

impl<S: Step> Work for Apply<'_, S> {
    /// The operation as it was saved; `None` if another driver was first, and nothing changed.
    type Output = Option<row::Model>;

    async fn run(&self, tx: &Tx) -> Result<Self::Output, Fault> {
        // The first run takes no lock, since another driver is rare. If saving the row detects one,
        // everything rolls back, including a fault from applying the step twice, and the next run locks
        // first.
        let is_first_run = !self.has_run.swap(true, Ordering::Relaxed);
        if !is_first_run && !self.lock(tx).await? {
            return Ok(None);
        }
        let read = self.row;
        let ended = |state: State, result| row::Model {
            state: state.as_str().to_owned(),
            ended_us: Some(self.now.as_micros()),
            due_us: real_now().as_micros(),
            result: Some(result),
            version: read.version + 1,
            attempts: 0,
            last_error: String::new(),
            ..read.clone()
        };
        let next = match self.step.apply(tx, self.now, self.answer).await {
            Err(_) if is_first_run => return Err(Fault::Contention(DbErr::RecordNotUpdated)),
            next => next?,
        };
        let advanced = match next {
            Next::Step(next) => advanced(read, next.into())?,
            Next::Done(answer) => ended(State::Done, (self.encode)(answer)?),
            Next::Refused(refusal) => ended(State::Refused, encode_refusal(&refusal)),
        };
        let save = save(read, changed::<row::Entity>(read, &advanced));
        tx.later_if_unchanged(row::Entity, save).await?;
        Ok(Some(advanced))
    }
}
