//! Drives durable operations: performs the step that is due at its peer, outside any transaction, and
//! goes on until one has no definite answer.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use licet_domain::{clock::Clock, ids::OperationId};
use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, QuerySelect, Set, Statement};

use super::{
    attempt::{StepAttempt, StepContext},
    record::{
        Ending, HEAD_START, OperationHandle, State, View, not_cancellable, real_after, row, save,
    },
    registry::{self, AnyStep, Registry},
};
use crate::{
    caller::Call,
    clock::real_now,
    database::{Database, Tx, Work},
    fault::Fault,
    schedule::DueWork,
    status::decode_refusal,
};

const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long an accepting call waits for the end before it answers with what is pending.
const PATIENCE: Duration = Duration::from_secs(5);
const RESUMED_AT_ONCE: usize = 16;

/// The driver of one service's operations, which may ask the peers `P`.
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
    /// A driver over a service's database, of the operations in `registry`.
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

    /// The database that they are kept in.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.context.database
    }

    /// Turns a running operation back, inside the transaction that accepts its cancellation: its next
    /// step sees to it that the present one comes to nothing. It then comes to its end by itself, refused
    /// or, where the step was through at its peer, done. One that is refused is left as it is: nothing of
    /// it stands.
    ///
    /// # Errors
    /// OPERATION_NOT_CANCELLABLE for one that is done, or that only goes forward.
    pub async fn cancel(&self, tx: &Tx, view: &View) -> Result<(), Fault> {
        let row = row::Entity::find_by_id(view.operation_id.to_string())
            .lock_exclusive()
            .one(tx)
            .await?
            .ok_or_else(|| Fault::internal(format!("operation {} is gone", view.operation_id)))?;
        match row.state()? {
            State::Running => {}
            State::Refused => return Ok(()),
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

    /// Drives an operation now, whatever its back-off, and waits for its end, within the call's deadline. The driving goes on
    /// when the caller leaves.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn finish(&self, begun: OperationHandle, call: &Call) -> Result<Ending, Fault> {
        let id = begun.id;
        let driver = self.clone();
        let driving = tokio::spawn(async move { driver.drive(begun).await });
        let margin = Duration::from_millis(250);
        let patience = call
            .deadline
            .saturating_duration_since(tokio::time::Instant::now())
            .saturating_sub(margin)
            .min(PATIENCE);
        match tokio::time::timeout(patience, driving).await {
            Ok(Ok(Ok(result))) => return Ok(result.ending),
            Ok(Ok(Err(fault))) => tracing::warn!(%id, ?fault, "driving an operation"),
            Ok(Err(panic)) => return Err(Fault::internal(panic)),
            Err(_) => {}
        }
        self.load(id).await?.ending()
    }

    async fn load(&self, id: OperationId) -> Result<row::Model, Fault> {
        row::Entity::find_by_id(id.to_string())
            .one(self.context.database.read_alone())
            .await?
            .ok_or_else(|| Fault::internal(format!("operation {id} is not there")))
    }

    /// Drives an operation until it ends or a step gets no definite answer.
    async fn drive(&self, begun: OperationHandle) -> Result<DriveResult, Fault> {
        let id = begun.id;
        let mut row = match begun.row {
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
            // In a task of its own: a panic postpones this operation and holds up no other.
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
                    "an internal fault; the service's log has more".to_owned()
                }
                Err(panic) => {
                    tracing::error!(%id, %panic, "a step panicked");
                    "an internal fault; the service's log has more".to_owned()
                }
            };
            tracing::info!(%id, step = row.step, error, "a step has no answer yet");
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

/// How far a driver came with an operation.
struct DriveResult {
    ending: Ending,
    /// Whether it was this driver that brought it to its end.
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
            let ids = {
                let tx = self.context.database.read();
                list_due(&tx, all).await?
            };
            let ended = stream::iter(ids)
                .map(|id| async move {
                    match self.drive(id.into()).await {
                        Ok(result) => u64::from(result.ended_here),
                        Err(fault) => {
                            tracing::warn!(%id, ?fault, "resuming an operation");
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
    let rows = DueRow::find_by_statement(statement).all(tx).await?;
    rows.into_iter()
        .map(|row| row.operation_id.parse().map_err(Fault::internal))
        .collect()
}

/// Notes an attempt without an answer, and when the next one is due.
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
        // Lost to another driver: that one has noted its own attempt.
        let columns = row::ActiveModel {
            attempts: Set(self.row.attempts.saturating_add(1)),
            last_error: Set(self.error.chars().take(500).collect()),
            due_us: Set(real_after(pause)),
            ..Default::default()
        };
        Ok(tx.later(row::Entity, save(self.row, columns)).await?)
    }
}
