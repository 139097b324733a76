//! `licet.sanlicensing.v1.IngestService`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use licet_contracts::{
    Mutation as _,
    sanlicensing::{v1 as sanlicensing, v1::ingest_service_server::IngestService},
};
use licet_domain::clock::Clock;
use licet_runtime::{
    caller::{Call, accept},
    database::Database,
    fault::{Fault, PassingReason, with_metadata},
    replay,
    server::MAX_MESSAGE_BYTES,
    stored,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming, codegen::BoxStream};

use crate::{
    convert, queries,
    quota::{Answer, Batch, Command, Once, Quota},
};

/// How many feeds are taken in at once: with two batches of each at most, what bounds the memory.
const STREAMS: usize = 16;
/// How many of them of one caller: one that leaves its streams open does not keep others out.
const STREAMS_PER_CALLER: usize = 8;

/// Ingest.
#[derive(Clone)]
pub(crate) struct IngestRpc {
    /// The service's schema.
    pub(crate) database: Database,
    /// Where everything that depends on a quota is decided.
    pub(crate) quota: Quota,
    /// Each batch of a stream has a decision time of its own.
    pub(crate) clock: Arc<dyn Clock>,
    streams: Arc<Semaphore>,
    /// The places of each caller that has streams open.
    callers: Arc<Mutex<HashMap<String, Weak<Semaphore>>>>,
}

/// What an open stream holds.
type Permits = [OwnedSemaphorePermit; 2];

type Batches = Streaming<sanlicensing::IngestCertificatesRequest>;
type Acknowledged = sanlicensing::IngestCertificatesResponse;
type Acknowledgement = Result<Acknowledged, Status>;

impl IngestRpc {
    pub(crate) fn new(database: Database, quota: Quota, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            quota,
            clock,
            streams: Arc::new(Semaphore::new(STREAMS)),
            callers: Arc::default(),
        }
    }

    fn permits(&self, caller: &str) -> Result<Permits, Fault> {
        let own = self.places_of(caller).try_acquire_owned().map_err(|_| {
            let text =
                format!("{caller} has {STREAMS_PER_CALLER} feeds open already; try again later");
            Fault::passing(PassingReason::Overloaded, text)
        })?;
        let shared = Arc::clone(&self.streams).try_acquire_owned();
        let shared = shared.map_err(|_| {
            let text = format!("{STREAMS} feeds are taken in already; try again later");
            Fault::passing(PassingReason::Overloaded, text)
        })?;
        Ok([own, shared])
    }

    fn places_of(&self, caller: &str) -> Arc<Semaphore> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.retain(|_, places| places.strong_count() > 0);
        let places = callers.get(caller).and_then(Weak::upgrade);
        places.unwrap_or_else(|| {
            let places = Arc::new(Semaphore::new(STREAMS_PER_CALLER));
            callers.insert(caller.to_owned(), Arc::downgrade(&places));
            places
        })
    }

    /// Decides one batch after the other while the next one is read. An answer waits for nothing
    /// but its own batch: whether another one follows is the sender's affair.
    async fn take_in(
        self,
        call: Call,
        batches: Batches,
        acknowledged: mpsc::Sender<Acknowledgement>,
        _permits: Permits,
    ) {
        // One batch is decided and one lies here: a sender that is faster waits.
        let (sender, receiver) = mpsc::channel(1);
        let reading = self.read_all(&call, batches, sender);
        let deciding = self.decide_all(&call, receiver, acknowledged);
        tokio::join!(reading, deciding);
    }

    async fn decide_all(
        &self,
        call: &Call,
        mut batches: mpsc::Receiver<Result<Batch, Fault>>,
        acknowledged: mpsc::Sender<Acknowledgement>,
    ) {
        let mut count: u64 = 0;
        let mut durable = None;
        while let Some(batch) = batches.recv().await {
            let answer = match self.decide(batch).await {
                Ok(answer) => {
                    count += 1;
                    durable = Some(answer.clone());
                    Ok(answer)
                }
                Err(fault) => Err(end_of(fault, durable.as_ref())),
            };
            let is_last = answer.is_err();
            // A sender that left takes no acknowledgement; what is durable stays.
            if acknowledged.send(answer).await.is_err() || is_last {
                break;
            }
        }
        let caller = &call.caller.name;
        tracing::info!(caller, batches = count, "a stream of batches ended");
    }

    async fn decide(&self, batch: Result<Batch, Fault>) -> Result<Acknowledged, Fault> {
        let encoded = self.quota.ingest(batch?).await?;
        let answer = stored::message::<Acknowledged>(&encoded)?;
        let (feed, sequence) = (&answer.feed_id, answer.sequence);
        let counts = answer.counts.unwrap_or_default();
        tracing::debug!(feed, sequence, ?counts, "a batch is durable");
        Ok(answer)
    }

    /// Reads ahead by one batch, until there are no more, one cannot be read, the sender or the
    /// decisions are gone, or the service stops.
    async fn read_all(
        &self,
        call: &Call,
        mut batches: Batches,
        sender: mpsc::Sender<Result<Batch, Fault>>,
    ) {
        let mut stopped = call.stopped.clone();
        while let Ok(place) = sender.reserve().await {
            let batch = tokio::select! {
                () = sender.closed() => return,
                _ = stopped.wait_for(|stopped| *stopped) => Err(stopping()),
                batch = self.read(call, &mut batches) => batch,
            };
            let is_last = batch.is_err();
            match batch.transpose() {
                None => return,
                Some(batch) => place.send(batch),
            }
            if is_last {
                return;
            }
        }
    }

    /// The next batch, read and parsed; `None`: there is none.
    async fn read(&self, call: &Call, batches: &mut Batches) -> Result<Option<Batch>, Fault> {
        let message = match batches.message().await {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(None),
            Err(status) => return unread(&status),
        };
        let (call, now) = (call.clone(), self.clock.now());
        let reading =
            tokio::task::spawn_blocking(move || convert::ingest::decode_batch(message, &call, now));
        reading.await.map_err(Fault::internal)?.map(Some)
    }
}

/// Why the next message cannot be read. Everything is an error but a sender who is gone: an end
/// without one would say that all was taken.
fn unread(status: &Status) -> Result<Option<Batch>, Fault> {
    if status.code() == Code::Cancelled {
        tracing::info!(%status, "a feed was cut off");
        return Ok(None);
    }
    if status.code() == Code::OutOfRange {
        let text = format!("is a batch of more than {MAX_MESSAGE_BYTES} bytes");
        return Err(Fault::invalid("records", text));
    }
    let text = format!("is no IngestCertificatesRequest: {}", status.message());
    Err(Fault::invalid("message", text))
}

fn stopping() -> Fault {
    let text = "the service stops; go on from where the feed stands when it is back";
    Fault::passing(PassingReason::ServiceStopping, text)
}

/// The error that ends a stream, with what is durable of it.
fn end_of(fault: Fault, durable: Option<&Acknowledged>) -> Status {
    let status = Status::from(fault);
    let Some(durable) = durable else {
        return status;
    };
    let sequence = durable.sequence.to_string();
    with_metadata(
        &status,
        &[
            ("durable_feed_id", &durable.feed_id),
            ("durable_sequence", &sequence),
            ("durable_cursor", &durable.cursor),
        ],
    )
}

#[tonic::async_trait]
impl IngestService for IngestRpc {
    async fn ingest_certificates(
        &self,
        request: Request<Batches>,
    ) -> Result<Response<BoxStream<sanlicensing::IngestCertificatesResponse>>, Status> {
        let (call, batches) = accept(request)?;
        let permits = self.permits(&call.caller.name)?;
        let (sender, receiver) = mpsc::channel(1);
        let area = call.clone();
        let taking = self.clone().take_in(call, batches, sender, permits);
        tokio::spawn(async move { area.within(taking).await });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn get_feed(
        &self,
        request: Request<sanlicensing::GetFeedRequest>,
    ) -> Result<Response<sanlicensing::GetFeedResponse>, Status> {
        let (call, message) = accept(request)?;
        let feed_id = convert::ingest::decode_feed_id(&message.feed_id)?;
        let feed = queries::feeds::get(&self.database, &call, &feed_id).await?;
        let feed = Some(convert::ingest::encode_feed(&feed));
        Ok(Response::new(sanlicensing::GetFeedResponse { feed }))
    }

    async fn list_refused_records(
        &self,
        request: Request<sanlicensing::ListRefusedRecordsRequest>,
    ) -> Result<Response<sanlicensing::ListRefusedRecordsResponse>, Status> {
        let (call, message) = accept(request)?;
        let feed_id = convert::ingest::decode_feed_id(&message.feed_id)?;
        let (records, next_page_token) = queries::feeds::list_refused(
            &self.database,
            &call,
            &feed_id,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let records = records.iter().map(convert::ingest::encode_listed).collect();
        Ok(Response::new(sanlicensing::ListRefusedRecordsResponse {
            records,
            next_page_token,
        }))
    }

    async fn list_unallocated(
        &self,
        request: Request<sanlicensing::ListUnallocatedRequest>,
    ) -> Result<Response<sanlicensing::ListUnallocatedResponse>, Status> {
        let (call, message) = accept(request)?;
        let account_id = convert::ingest::decode_unallocated(&message)?;
        let listed = queries::certificates::list_unallocated(
            &self.database,
            &call,
            account_id,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let certificates = listed
            .certificates
            .iter()
            .map(|certificate| convert::certificate::encode(certificate, listed.now))
            .collect();
        Ok(Response::new(sanlicensing::ListUnallocatedResponse {
            certificates,
            next_page_token: listed.next_page_token,
        }))
    }

    async fn allocate_certificate(
        &self,
        request: Request<sanlicensing::AllocateCertificateRequest>,
    ) -> Result<Response<sanlicensing::AllocateCertificateResponse>, Status> {
        let (call, message) = accept(request)?;
        let (license_id, id) = convert::ingest::decode_allocate(&message)?;
        let once = Once {
            claim: replay::Claim::of(&call, &message)?,
            encode: convert::certificate::encode_allocated,
        };
        let scope = &call.caller.accounts;
        let origin = call.origin(message.request_id());
        let command = Command::Allocate { id };
        let answer = self
            .quota
            .submit(license_id, scope, origin, call.now, command, Some(once))
            .await?;
        let Answer::Kept(response) = answer else {
            return Err(Fault::internal("the answer is to another command").into());
        };
        Ok(Response::new(stored::message(&response)?))
    }
}
