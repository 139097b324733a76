//! How a step is begun and advanced: what is saved of an operation then, against the version that was read.

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
    database::{Database, Tx, Work},
    fault::Fault,
    status::encode_refusal,
    stored::changed,
};

/// What an operation is answered with, as the encoded response that is kept for all repeats.
pub(super) type Encode<O> =
    Arc<dyn Fn(<O as Operation>::Output) -> Result<Vec<u8>, Fault> + Send + Sync>;

/// Begins an operation with its first step, inside the transaction that accepts its request. Invariant: the resource is
/// locked and [`refuse_if_running`] was asked, or the resource is new. An index holds it to that.
/// `decision_time` is what the request is decided as of, which is no earlier than what was decided about
/// the resource before (T-3, T-5).
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

/// What steps are advanced with.
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
    /// Saves the next step where nothing else is to be changed with it: one statement.
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

    /// Applies a step's answer, and saves where the operation stands then.
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

/// The row once its step is advanced and `next` is due.
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

/// How far one attempt at a step came.
pub(super) enum StepAttempt {
    /// Through the step: the operation as it was saved.
    Advanced(Box<row::Model>),
    /// Another driver was through it first.
    Overtaken,
    /// No definite answer, and why.
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
    /// Whether the step is still due, and stays so until the transaction ends.
    async fn hold(&self, tx: &Tx) -> Result<bool, Fault> {
        let held = row::Entity::find_by_id(&self.row.operation_id)
            .select_only()
            .column(row::Column::Version)
            .filter(row::Column::Version.eq(self.row.version))
            .filter(is_running())
            .lock_exclusive()
            .into_tuple::<i64>()
            .one(tx)
            .await?;
        Ok(held.is_some())
    }
}

impl<S: Step> Work for Apply<'_, S> {
    /// The operation as it was saved; `None`: another driver was first, and nothing was touched.
    type Output = Option<row::Model>;

    async fn run(&self, tx: &Tx) -> Result<Self::Output, Fault> {
        // As a rule no other driver is there, and saving the row shows it. Where one was first, whatever
        // came of applying the step again is undone, and the next run stops before it touches the store.
        let is_first_run = !self.has_run.swap(true, Ordering::Relaxed);
        if !is_first_run && !self.hold(tx).await? {
            return Ok(None);
        }
        let read = self.row;
        let ended = |state: State, result| row::Model {
            state: state.as_str().to_owned(),
            ended_us: Some(self.now.as_micros()),
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
