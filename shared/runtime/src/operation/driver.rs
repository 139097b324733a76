//! Drives durable operations: sends the due step's request to its peer, outside any transaction, and
//! continues until the operation ends or a peer gives no definite answer.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use licet_domain::{clock::Clock, ids::OperationId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, Set,
    Statement,
};

use super::{
    attempt::{StepAttempt, StepContext},
    record::{
        Ending, HEAD_START, ID_ALONE, OperationHandle, State, View, by_id, not_cancellable,
        not_kept, real_after, row, save,
    },
    registry::{self, AnyStep, Registry},
};
use crate::{
    all_accounts::AllAccounts,
    caller::Call,
    clock::real_now,
    database::{Database, Tx, Work},
    fault::Fault,
    schedule::DueWork,
    status::decode_refusal,
};

const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long an accepting call waits for the end before it returns the pending state.
const PATIENCE: Duration = Duration::from_secs(5);
const RESUMED_AT_ONCE: usize = 16;
/// The `last_error` that clients see instead of internal text.
const INTERNAL_ERROR: &str = "internal error; see the service's log";

/// The driver of one service's operations, whose steps call the peers `P`.
pub struct Operations<P> {
    context: StepContext<P>,
    registry: Arc<Registry<P>>,
}

impl<P> Clone for Operations<P> {
    fn clone(&self) -> Self {
        Self {
            context: self.context.clone(),
            registry: Arc::clone(&self.registry),
        }
    }
}

impl<P: Send + Sync + 'static> Operations<P> {
    /// A driver for the operations of `registry`, stored in `database`.
    pub fn new(
        database: Database,
        peers: Arc<P>,
        clock: Arc<dyn Clock>,
        registry: Registry<P>,
    ) -> Self {
        Self {
            context: StepContext {
                database,
                peers,
                clock,
            },
            registry: Arc::new(registry),
        }
    }

    /// The database that stores the operations.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.context.database
    }

    /// Cancels a running operation, inside the transaction that accepts the cancellation: the driver then
    /// undoes the due step. The operation ends refused or, if that step had already taken effect at its
    /// peer, goes on. A refused operation stays as it is.
    ///
    /// # Errors
    /// OPERATION_NOT_CANCELLABLE if it is done, or if its step cannot be undone.
    pub async fn cancel(&self, tx: &Tx, view: &View) -> Result<(), Fault> {
        let key = (view.account_id.to_string(), view.operation_id.to_string());
        let row = row::Entity::find_by_id(key)
            .lock_exclusive()
            .one(tx)
            .await?
            .ok_or_else(|| {
                Fault::internal(format!("operation {} does not exist", view.operation_id))
            })?;
        match row.state()? {
            State::Running => {}
            State::Refused => return keep_on(tx, &row).await,
            State::Done => return Err(not_cancellable(&View::try_from(row)?).into()),
        }
        let (step, due) = self.read(&row)?;
        if !step.can_be_undone(&due)? {
            return Err(not_cancellable(&View::try_from(row)?).into());
        }
        let (step, state_json) = due.cancelled()?;
        let columns = row::ActiveModel {
            step: Set(step.to_owned()),
            state_json: Set(state_json),
            attempts: Set(0),
            last_error: Set(String::new()),
            due_us: Set(real_after(HEAD_START)),
            ..Default::default()
        };
        Ok(tx.later(row::Entity, save(&row, columns)).await?)
    }

    /// Drives an operation now, whatever its back-off, and waits for its end within the call's deadline.
    /// The driver continues if the caller leaves.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn finish(&self, handle: OperationHandle, call: &Call) -> Result<Ending, Fault> {
        let id = handle.id;
        let driver = self.clone();
        let driving = tokio::spawn(async move { driver.drive(handle).await });
        let margin = Duration::from_millis(250);
        let patience = call
            .deadline
            .saturating_duration_since(tokio::time::Instant::now())
            .saturating_sub(margin)
            .min(PATIENCE);
        match tokio::time::timeout(patience, driving).await {
            Ok(Ok(Ok(result))) => return Ok(result.ending),
            Ok(Ok(Err(fault))) => tracing::warn!(%id, ?fault, "an operation could not be driven"),
            Ok(Err(panic)) => return Err(Fault::internal(panic)),
            Err(_) => {}
        }
        self.load(id).await?.ending()
    }

    async fn load(&self, id: OperationId) -> Result<row::Model, Fault> {
        let reads = AllAccounts::new(self.context.database.read_alone(), ID_ALONE);
        let found = by_id(id).one(&reads).await?;
        // It may have been deleted just after its request was repeated.
        Ok(found.ok_or_else(|| not_kept(id))?)
    }

    /// Drives an operation until it ends or a peer gives no definite answer.
    async fn drive(&self, handle: OperationHandle) -> Result<DriveResult, Fault> {
        let id = handle.id;
        let mut row = match handle.row {
            Some(row) => *row,
            None => self.load(id).await?,
        };
        loop {
            if row.state()? != State::Running {
                let ending = row.ending()?;
                return Ok(DriveResult {
                    ending,
                    ended_here: false,
                });
            }
            // In its own task: a panic postpones this operation and delays no other.
            let driver = self.clone();
            let read = row.clone();
            let error = match tokio::spawn(async move { driver.attempt_step(&read).await }).await {
                Ok(Ok(StepAttempt::Advanced(next))) if next.state()? == State::Running => {
                    row = *next;
                    continue;
                }
                Ok(Ok(StepAttempt::Advanced(last))) => {
                    let ending = last.ending()?;
                    return Ok(DriveResult {
                        ending,
                        ended_here: true,
                    });
                }
                Ok(Ok(StepAttempt::Overtaken)) => {
                    row = self.load(id).await?;
                    continue;
                }
                Ok(Ok(StepAttempt::Unanswered(error))) => error,
                Ok(Err(fault)) => {
                    tracing::error!(%id, ?fault, "a step failed");
                    INTERNAL_ERROR.to_owned()
                }
                Err(panic) => {
                    tracing::error!(%id, %panic, "a step panicked");
                    INTERNAL_ERROR.to_owned()
                }
            };
            tracing::info!(%id, step = row.step, error, "a step got no definite answer and will be tried again");
            self.context
                .database
                .transact(&Postpone {
                    row: &row,
                    error: &error,
                })
                .await?;
            return Ok(DriveResult {
                ending: Ending::Running,
                ended_here: false,
            });
        }
    }

    fn read(&self, row: &row::Model) -> Result<(&dyn AnyStep<P>, registry::DueStep), Fault> {
        self.registry.read(&row.kind, &row.step, &row.state_json)
    }

    async fn attempt_step(&self, row: &row::Model) -> Result<StepAttempt, Fault> {
        let (step, due) = self.read(row)?;
        step.attempt(&self.context, row, &due).await
    }
}

/// The replay record of a cancellation refers to a refused operation: it is kept as long as that record.
async fn keep_on(tx: &Tx, row: &row::Model) -> Result<(), Fault> {
    let columns = row::ActiveModel {
        due_us: Set(real_now().as_micros()),
        ..Default::default()
    };
    let update = row::Entity::update_many()
        .set(columns)
        .filter(row::Column::AccountId.eq(&row.account_id))
        .filter(row::Column::OperationId.eq(&row.operation_id));
    Ok(tx.later(row::Entity, update).await?)
}

/// The result of driving an operation.
struct DriveResult {
    ending: Ending,
    /// Whether this driver took the last step.
    ended_here: bool,
}

impl row::Model {
    fn ending(self) -> Result<Ending, Fault> {
        Ok(match (self.state()?, self.result) {
            (State::Running, _) => Ending::Running,
            (State::Done, result) => Ending::Done(result.unwrap_or_default()),
            (State::Refused, result) => {
                Ending::Refused(decode_refusal(&result.unwrap_or_default())?)
            }
        })
    }
}

impl<P: Send + Sync + 'static> DueWork for Operations<P> {
    fn name(&self) -> &'static str {
        "resume operations"
    }

    fn run_due(&self, all: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            let ids = list_due(&self.context.database.read(), all).await?;
            let ended = stream::iter(ids)
                .map(|id| async move {
                    match self.drive(id.into()).await {
                        Ok(result) => u64::from(result.ended_here),
                        Err(fault) => {
                            tracing::warn!(%id, ?fault, "an operation could not be resumed");
                            0
                        }
                    }
                })
                .buffer_unordered(RESUMED_AT_ONCE)
                .fold(0, |sum, ended| async move { sum + ended })
                .await;
            Ok(ended)
        })
    }
}

#[derive(FromQueryResult)]
struct DueRow {
    operation_id: String,
}

async fn list_due(tx: &Tx, all: bool) -> Result<Vec<OperationId>, Fault> {
    let horizon = if all {
        i64::MAX
    } else {
        real_now().as_micros()
    };
    let statement = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "SELECT operation_id FROM operation WHERE state = 'RUNNING' AND due_us <= $1 \
         ORDER BY due_us LIMIT 256",
        [horizon.into()],
    );
    let everyone = AllAccounts::new(tx, "operations of any account may be due");
    let rows = DueRow::find_by_statement(statement).all(&everyone).await?;
    rows.into_iter()
        .map(|row| row.operation_id.parse().map_err(Fault::internal))
        .collect()
}

/// Records an attempt without a definite answer, and when the next one is due.
struct Postpone<'a> {
    row: &'a row::Model,
    error: &'a str,
}

impl Work for Postpone<'_> {
    type Output = ();

    async fn run(&self, tx: &Tx) -> Result<(), Fault> {
        let exponent = u32::try_from(self.row.attempts).unwrap_or(0).min(10);
        let pause = Duration::from_millis(250)
            .saturating_mul(1 << exponent)
            .min(LONGEST_PAUSE);
        // If another driver saved the row meanwhile, this changes nothing: that one recorded its own attempt.
        let columns = row::ActiveModel {
            attempts: Set(self.row.attempts.saturating_add(1)),
            last_error: Set(self.error.chars().take(500).collect()),
            due_us: Set(real_after(pause)),
            ..Default::default()
        };
        Ok(tx.later(row::Entity, save(self.row, columns)).await?)
    }
}
