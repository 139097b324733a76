//! The handle to this process's committers: takes commands, batches and chunks, and returns their replies.

use std::{collections::BTreeSet, sync::Arc};

use futures::FutureExt;
use licet_domain::ids::LicenseId;
use licet_runtime::{database::Database, fault::Fault};
use tokio::sync::{mpsc, oneshot};

use super::{
    allocation::{self, AllocatedChunk, Chunk},
    command::{Once, Placement, Record, Requester},
    committer::{self, EngineSettings, ExclusiveJob, WorkItem},
    ingest::{self, Batch, BatchLicenses, IngestResult},
    lane::Command,
    placement::UnplacedRecord,
    submission::{AnyCommand, Pending, Submission, Submit, undecided},
};
use crate::rules::quota::holdings::Licenses;

/// A handle to this process's committers.
#[derive(Clone)]
pub(crate) struct Quota {
    database: Database,
    sender: mpsc::Sender<WorkItem>,
}

/// The most attempts at a batch whose licences change before they are locked.
const ATTEMPTS: usize = 8;

impl Quota {
    /// Starts the committers. They end when the last handle is dropped.
    pub(crate) fn start(database: Database, settings: EngineSettings) -> Self {
        let sender = committer::start(database.clone(), settings);
        Self { database, sender }
    }

    /// Decides and commits a command about a licence.
    pub(crate) async fn submit<A: Submit>(
        &self,
        license_id: LicenseId,
        requester: Requester,
        command: A,
    ) -> Result<A::Reply, Fault> {
        let (sender, reply) = oneshot::channel();
        let waiting = match A::command(Pending::new(command, sender)) {
            AnyCommand::Change(command) => Command::Change(Submission {
                license_id,
                requester,
                command,
            }),
            AnyCommand::Read(command) => Command::Read(Submission {
                license_id,
                requester,
                command,
            }),
        };
        self.wait(WorkItem::Command(waiting), reply).await
    }

    /// Records a certificate in the licence that covers it; [`Placement::Uncovered`] if none does.
    pub(crate) async fn record(
        &self,
        requester: Requester,
        once: Once<Record>,
    ) -> Result<Placement, Fault> {
        let (sender, reply) = oneshot::channel();
        let unplaced = UnplacedRecord {
            requester,
            once,
            sender,
        };
        self.wait(WorkItem::Unplaced(unplaced), reply).await
    }

    /// Ingests a batch of reports, all or nothing. Returns the encoded acknowledgement.
    pub(crate) async fn ingest(&self, batch: Batch) -> Result<Vec<u8>, Fault> {
        let batch = Arc::new(batch);
        for _ in 0..ATTEMPTS {
            let batch_licenses = BatchLicenses::find(&self.database, &batch).await?;
            let licenses = batch_licenses.ids();
            let (database, batch) = (self.database.clone(), Arc::clone(&batch));
            let result = self.run_job(licenses, move |memory| async move {
                ingest::run(&database, &batch, &batch_licenses, memory).await
            });
            if let IngestResult::Acknowledged(acknowledgement) = result.await? {
                return Ok(acknowledgement);
            }
        }
        Err(undecided())
    }

    /// Allocates a chunk of certificates to a licence (SL-16, SL-20).
    pub(crate) async fn allocate_chunk(&self, chunk: Chunk) -> Result<AllocatedChunk, Fault> {
        let licenses = chunk.licenses();
        let database = self.database.clone();
        self.run_job(licenses, move |memory| async move {
            allocation::run(&database, &chunk, memory).await
        })
        .await
    }

    async fn run_job<T, F>(
        &self,
        licenses: BTreeSet<LicenseId>,
        work: impl FnOnce(Licenses) -> F + Send + 'static,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = (Licenses, Result<T, Fault>)> + Send + 'static,
    {
        let (sender, reply) = oneshot::channel();
        let run = move |memory| {
            let working = work(memory);
            let replying = async move {
                let (memory, done) = working.await;
                // The caller may be gone; the job's work stands.
                let _ = sender.send(done);
                memory
            };
            replying.boxed()
        };
        let job = ExclusiveJob {
            licenses,
            is_loaded: false,
            run: Box::new(run),
        };
        self.wait(WorkItem::Job(job), reply).await
    }

    async fn wait<T>(
        &self,
        waiting: WorkItem,
        reply: oneshot::Receiver<Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let gone = Fault::internal("the committers of the quota engine have stopped");
        self.sender.send(waiting).await.map_err(|_| gone)?;
        reply.await.map_err(|_| undecided())?
    }
}
