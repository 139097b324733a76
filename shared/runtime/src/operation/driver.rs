//! Drives durable operations: performs the step that is due at its peer, outside any transaction, and
//! saves what came of it against the version that was read. What is kept is the parent's.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream};
use licet_domain::{clock::Instant, ids::OperationId, refusal::Refusal};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QuerySelect,
    Set, Statement,
};

use super::{
    Begun, Ending, HEAD_START, Operation, Progress, is_running, real_after, row, save,
    step_request_id,
};
use crate::{
    caller::Call,
    clock::real_now,
    database::{Database, Tx, Work},
    fault::{Fault, decode_refusal, encode_refusal},
    peer::PeerFault,
    schedule::Due,
    stored::changed,
};

const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long an accepting call waits for the end before it answers with what is pending.
const PATIENCE: Duration = Duration::from_secs(5);
const RESUMED_AT_ONCE: usize = 16;

/// The driver of one service's operations.
pub struct Operations<O: Operation> {
    database: Database,
    peers: Arc<O::Peers>,
    clock: Arc<dyn licet_domain::clock::Clock>,
    encode: Encode<O>,
}

/// What an operation is answered with, as the encoded response that is kept for all repeats.
type Encode<O> = fn(<O as Operation>::Answer) -> Result<Vec<u8>, Fault>;

impl<O: Operation> Clone for Operations<O> {
    fn clone(&self) -> Self {
        Self {
            database: self.database.clone(),
            peers: Arc::clone(&self.peers),
            clock: Arc::clone(&self.clock),
            encode: self.encode,
        }
    }
}

impl<O: Operation> Operations<O> {
    /// A driver over a service's database. `encode` makes the response of what an operation is
    /// answered with.
    pub fn new(
        database: Database,
        peers: Arc<O::Peers>,
        clock: Arc<dyn licet_domain::clock::Clock>,
        encode: fn(O::Answer) -> Result<Vec<u8>, Fault>,
    ) -> Self {
        Self {
            database,
            peers,
            clock,
            encode,
        }
    }

    /// The database that they are kept in.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Drives an operation now, whatever its back-off, and waits for its end, within the call's deadline. The driving goes on
    /// when the caller leaves.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn finish(&self, begun: Begun, call: &Call) -> Result<Ending, Fault> {
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
            Ok(Ok(Ok(driven))) => return Ok(driven.ending),
            Ok(Ok(Err(fault))) => tracing::warn!(%id, ?fault, "driving an operation"),
            Ok(Err(panic)) => return Err(Fault::internal(panic)),
            Err(_) => {}
        }
        self.load(id).await?.ending()
    }

    async fn load(&self, id: OperationId) -> Result<row::Model, Fault> {
        row::Entity::find_by_id(id.to_string())
            .one(self.database.read_alone())
            .await?
            .ok_or_else(|| Fault::internal(format!("operation {id} is not there")))
    }

    /// Drives an operation until it ends or a step gets no definite answer.
    async fn drive(&self, begun: Begun) -> Result<Driven, Fault> {
        let id = begun.id;
        let mut row = match begun.row {
            Some(row) => *row,
            None => self.load(id).await?,
        };
        loop {
            if row.state != "RUNNING" {
                let ending = row.ending()?;
                return Ok(Driven {
                    ending,
                    is_here: false,
                });
            }
            // In a task of its own: a panic postpones this operation and holds up no other.
            let driver = self.clone();
            let read = row.clone();
            let error = match tokio::spawn(async move { driver.pass_step(id, read).await }).await {
                Ok(Ok(Passed::Step(next))) if next.state == "RUNNING" => {
                    row = *next;
                    continue;
                }
                Ok(Ok(Passed::Step(last))) => {
                    let ending = last.ending()?;
                    return Ok(Driven {
                        ending,
                        is_here: true,
                    });
                }
                Ok(Ok(Passed::ByAnother)) => {
                    row = self.load(id).await?;
                    continue;
                }
                Ok(Ok(Passed::Not(error))) => error,
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
            self.database
                .transact(&Postpone {
                    row: &row,
                    error: &error,
                })
                .await?;
            return Ok(Driven {
                ending: Ending::Running,
                is_here: false,
            });
        }
    }

    async fn pass_step(&self, id: OperationId, row: row::Model) -> Result<Passed, Fault> {
        let state: O = serde_json::from_str(&row.state_json).map_err(Fault::internal)?;
        let request_id = step_request_id(id, state.step());
        let outcome = match state.perform(&self.peers, request_id).await {
            Ok(answer) => match state.next(&answer)? {
                Some(next) => return self.step_on(&row, &next).await,
                None => Ok(answer),
            },
            Err(PeerFault::Refused(refusal)) => Err(*refusal),
            Err(PeerFault::Unknown(error)) => return Ok(Passed::Not(error)),
            Err(PeerFault::StoreChanged(changed)) => return Ok(Passed::Not(changed.message)),
        };
        let apply = Apply {
            row: &row,
            state: &state,
            now: self.clock.now(),
            encode: self.encode,
            outcome: &outcome,
            has_run: AtomicBool::new(false),
        };
        let saved = self.database.transact(&apply).await?;
        Ok(saved.map_or(Passed::ByAnother, |saved| Passed::Step(Box::new(saved))))
    }

    /// Saves the next step where nothing else is to be changed with it: one statement.
    async fn step_on(&self, row: &row::Model, next: &O) -> Result<Passed, Fault> {
        let passed = passed(row, next)?;
        let save = save(row, changed::<row::Entity>(row, &passed));
        let saved = save.exec(self.database.write_alone()).await?;
        Ok(match saved.rows_affected {
            1 => Passed::Step(Box::new(passed)),
            _ => Passed::ByAnother,
        })
    }
}

/// The row once its step is passed and `next` is due.
fn passed<O: Operation>(row: &row::Model, next: &O) -> Result<row::Model, Fault> {
    Ok(row::Model {
        step: next.step().to_owned(),
        state_json: serde_json::to_string(next).map_err(Fault::internal)?,
        due_us: real_after(HEAD_START),
        version: row.version + 1,
        attempts: 0,
        last_error: String::new(),
        ..row.clone()
    })
}

/// How far a driver came with an operation.
struct Driven {
    ending: Ending,
    /// Whether it was this driver that brought it to its end.
    is_here: bool,
}

/// How far one attempt at a step came.
enum Passed {
    /// Through the step: the operation as it was saved.
    Step(Box<row::Model>),
    /// Another driver was through it first.
    ByAnother,
    /// No definite answer, and why.
    Not(String),
}

impl row::Model {
    fn ending(self) -> Result<Ending, Fault> {
        Ok(match (self.state.as_str(), self.result) {
            ("DONE", result) => Ending::Done(result.unwrap_or_default()),
            ("REFUSED", Some(refusal)) => Ending::Refused(decode_refusal(&refusal)?),
            (_, _) => Ending::Running,
        })
    }
}

impl<O: Operation> Due for Operations<O> {
    fn name(&self) -> &'static str {
        "resume operations"
    }

    fn run_due(&self, all: bool) -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send + '_>> {
        Box::pin(async move {
            let ids = {
                let tx = self.database.read();
                list_due(&tx, all).await?
            };
            let ended = stream::iter(ids)
                .map(|id| async move {
                    match self.drive(id.into()).await {
                        Ok(driven) => u64::from(driven.is_here),
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
    type Answer = ();

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

struct Apply<'a, O: Operation> {
    row: &'a row::Model,
    state: &'a O,
    now: Instant,
    encode: Encode<O>,
    outcome: &'a Result<O::Outcome, Refusal>,
    has_run: AtomicBool,
}

impl<O: Operation> Apply<'_, O> {
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

impl<O: Operation> Work for Apply<'_, O> {
    /// The operation as it was saved; `None`: another driver was first, and nothing was touched.
    type Answer = Option<row::Model>;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        // As a rule no other driver is there, and saving the row shows it. Where one was first, whatever
        // came of applying the step again is undone, and the next run stops before it touches the store.
        let is_first_run = !self.has_run.swap(true, Ordering::Relaxed);
        if !is_first_run && !self.hold(tx).await? {
            return Ok(None);
        }
        let read = self.row;
        let ended = |state: &str, result| row::Model {
            state: state.to_owned(),
            ended_us: Some(self.now.as_micros()),
            result: Some(result),
            version: read.version + 1,
            attempts: 0,
            last_error: String::new(),
            ..read.clone()
        };
        let progress = match self.state.apply(tx, self.now, self.outcome).await {
            Err(_) if is_first_run => return Err(Fault::Contention(DbErr::RecordNotUpdated)),
            progress => progress?,
        };
        let passed = match progress {
            Progress::Next(next) => passed(read, &next)?,
            Progress::Done(answer) => ended("DONE", (self.encode)(answer)?),
            Progress::Refused(refusal) => ended("REFUSED", encode_refusal(&refusal)),
        };
        let save = save(read, changed::<row::Entity>(read, &passed));
        tx.later_if_unchanged(row::Entity, save).await?;
        Ok(Some(passed))
    }
}
