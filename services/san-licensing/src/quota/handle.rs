//! The way to the committer of this process: commands, batches and chunks go in, replies come out.

use std::{collections::BTreeSet, sync::Arc};

use futures::FutureExt;
use licet_domain::ids::LicenseId;
use licet_runtime::{database::Database, fault::Fault};
use tokio::sync::{mpsc, oneshot};

use super::{
    allocation::{self, AllocatedChunk, Chunk},
    command::{Once, Placement, Record, Requester},
    committer::{self, ExclusiveJob, WorkItem},
    ingest::{self, Batch, BatchLicenses, IngestResult},
    placement::UnplacedRecord,
    submission::{AnyCommand, Pending, Submission, Submit, undecided},
};
use crate::rules::quota::holdings::Licenses;

/// The way to the committer of this process.
#[derive(Clone)]
pub(crate) struct Quota {
    database: Database,
    sender: mpsc::Sender<WorkItem>,
}

/// How often a batch's licences are looked for again where they have changed meanwhile.
const ATTEMPTS: usize = 8;

impl Quota {
    /// Starts a committer over a database; it ends when the last handle goes.
    pub(crate) fn start(database: Database) -> Self {
        let sender = committer::start(database.clone());
        Self { database, sender }
    }

    /// Has a command about a licence decided and committed.
    pub(crate) async fn submit<A: Submit>(
        &self,
        license_id: LicenseId,
        requester: Requester,
        command: A,
    ) -> Result<A::Reply, Fault> {
        let (sender, reply) = oneshot::channel();
        let waiting = match A::command(Pending::new(command, sender)) {
            AnyCommand::Change(command) => WorkItem::Change(Submission {
                license_id,
                requester,
                command,
            }),
            AnyCommand::Read(command) => WorkItem::Read(Submission {
                license_id,
                requester,
                command,
            }),
        };
        self.wait(waiting, reply).await
    }

    /// Has a certificate recorded in the licence that it counts in; [`Placement::Uncovered`] where
    /// there is none.
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

    /// Takes a batch of reports in, whole or not at all. Returns its acknowledgement, encoded.
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

    /// Lets a licence take a chunk of certificates over (SL-16, SL-20).
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
                // A caller that left needs no reply; what was done for it stands.
                let _ = sender.send(done);
                memory
            };
            replying.boxed()
        };
        let job = ExclusiveJob {
            licenses,
            run: Box::new(run),
        };
        self.wait(WorkItem::Job(job), reply).await
    }

    async fn wait<T>(
        &self,
        waiting: WorkItem,
        reply: oneshot::Receiver<Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let gone = Fault::internal("the committer has stopped");
        self.sender.send(waiting).await.map_err(|_| gone)?;
        reply.await.map_err(|_| undecided())?
    }
}
