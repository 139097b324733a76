//! `licet.sanlicensing.v1.IngestService`.

use std::{future::ready, sync::Arc};

use futures::{FutureExt as _, StreamExt as _};
use licet_contracts::sanlicensing::{v1 as sanlicensing, v1::ingest_service_server::IngestService};
use licet_domain::clock::Clock;
use licet_runtime::{
    caller::{Call, accept},
    concurrency::{ConcurrencyBounds, ConcurrencyLimit, Permit},
    database::Database,
    door,
    fault::{Fault, TransientReason},
    status::with_metadata,
    stored,
    transport::MAX_MESSAGE_BYTES,
};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming, codegen::BoxStream};

use crate::{
    convert::{
        self,
        once::{once, response},
    },
    queries,
    quota::{
        Batch, Quota,
        command::{Allocate, Requester},
    },
    use_cases::allocate_certificate,
};

/// The most feeds at once, which bounds memory: each has at most two batches in it. A limit per caller keeps
/// one caller from blocking the others.
const FEEDS: ConcurrencyBounds = ConcurrencyBounds {
    what: "feeds",
    reason: TransientReason::Overloaded,
    total: 16,
    per_caller: 8,
};
/// The most unread acknowledgements of a feed; beyond it no further batch is decided.
const UNREAD: usize = 2;

/// Serves IngestService.
#[derive(Clone)]
pub(crate) struct IngestRpc {
    pub(crate) database: Database,
    pub(crate) quota: Quota,
    /// Each batch of a stream gets its own decision time.
    pub(crate) clock: Arc<dyn Clock>,
    feeds: ConcurrencyLimit,
}

type Batches = Streaming<sanlicensing::IngestCertificatesRequest>;
type Acknowledgement = sanlicensing::IngestCertificatesResponse;

impl IngestRpc {
    pub(crate) fn new(database: Database, quota: Quota, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            quota,
            clock,
            feeds: ConcurrencyLimit::new(FEEDS),
        }
    }

    /// Decides one batch after the other while the next one is read. An acknowledgement waits for its own
    /// batch alone. Returns the error that ends the stream, if any.
    async fn ingest(
        self,
        call: Call,
        batches: Batches,
        acknowledgements: mpsc::Sender<Acknowledgement>,
        _permit: Permit,
    ) -> Option<Status> {
        // While one batch is decided, one more is read; then the sender waits.
        let (sender, receiver) = mpsc::channel(1);
        let reading = self.read_all(&call, batches, sender, &acknowledgements);
        let deciding = self.decide_all(&call, receiver, &acknowledgements);
        let ((), end) = tokio::join!(reading, deciding);
        end
    }

    /// Decides batches until one fails, there are no more, or the sender is gone. Waits while acknowledgements
    /// are unread, but not beyond the stop of the service.
    async fn decide_all(
        &self,
        call: &Call,
        mut batches: mpsc::Receiver<Result<Batch, Fault>>,
        acknowledgements: &mpsc::Sender<Acknowledgement>,
    ) -> Option<Status> {
        let mut stopped = call.stopped.clone();
        let mut count: u64 = 0;
        let mut durable = None;
        let end = loop {
            let room = tokio::select! {
                biased;
                room = acknowledgements.reserve() => room,
                _ = stopped.wait_for(|stopped| *stopped) => break Some(stopping()),
            };
            // Without room the sender is gone; durable batches stay.
            let (Ok(room), Some(batch)) = (room, batches.recv().await) else {
                break None;
            };
            match self.decide(batch).await {
                Ok(answer) => {
                    count += 1;
                    durable = Some(answer.clone());
                    room.send(answer);
                }
                Err(fault) => break Some(fault),
            }
        };
        let caller = &call.caller.name;
        tracing::info!(caller, batches = count, "a feed stream ended");
        end.map(|fault| end_of(fault, durable.as_ref()))
    }

    async fn decide(&self, batch: Result<Batch, Fault>) -> Result<Acknowledgement, Fault> {
        let encoded = self.quota.ingest(batch?).await?;
        let answer = stored::message::<Acknowledgement>(&encoded)?;
        let (feed, sequence) = (&answer.feed_id, answer.sequence);
        let counts = answer.counts.unwrap_or_default();
        tracing::debug!(feed, sequence, ?counts, "a batch is durable");
        Ok(answer)
    }

    /// Reads one batch ahead, until there are no more, one cannot be read, the sender or the decider is gone,
    /// or the service stops.
    async fn read_all(
        &self,
        call: &Call,
        mut batches: Batches,
        sender: mpsc::Sender<Result<Batch, Fault>>,
        acknowledgements: &mpsc::Sender<Acknowledgement>,
    ) {
        let mut stopped = call.stopped.clone();
        while let Ok(place) = sender.reserve().await {
            let batch = tokio::select! {
                () = sender.closed() => return,
                () = acknowledgements.closed() => return,
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

    /// Reads and decodes the next batch; `None` at the end of the stream.
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

/// Handles a message that cannot be read. Only a sender that is gone is not an error: an end without error
/// would say that everything was ingested.
fn unread(status: &Status) -> Result<Option<Batch>, Fault> {
    if status.code() == Code::Cancelled {
        tracing::info!(%status, "the sender of a feed is gone");
        return Ok(None);
    }
    if status.code() == Code::OutOfRange {
        let text = format!("make the batch larger than {MAX_MESSAGE_BYTES} bytes");
        return Err(Fault::invalid("records", text));
    }
    let text = format!("is not an IngestCertificatesRequest: {}", status.message());
    Err(Fault::invalid("message", text))
}

fn stopping() -> Fault {
    let text = "the service is stopping; reconnect later and resume from the feed's position";
    Fault::transient(TransientReason::ServiceStopping, text)
}

/// The error that ends a stream, with the last durable batch.
fn end_of(fault: Fault, durable: Option<&Acknowledgement>) -> Status {
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
        let place = self.feeds.take(&call.caller.name)?;
        let (sender, receiver) = mpsc::channel(UNREAD);
        // The error has its own channel, so that it does not wait for unread acknowledgements.
        let (ending, end) = oneshot::channel();
        let context = call.clone();
        let ingesting = self.clone().ingest(call, batches, sender, place);
        tokio::spawn(async move {
            if let Some(error) = context.within(ingesting).await {
                // The sender may be gone.
                let _ = ending.send(error);
            }
        });
        let end = end.into_stream().filter_map(|end| ready(end.ok()));
        let acknowledgements = ReceiverStream::new(receiver).map(Ok);
        Ok(Response::new(Box::pin(
            acknowledgements.chain(end.map(Err)),
        )))
    }

    async fn get_feed(
        &self,
        request: Request<sanlicensing::GetFeedRequest>,
    ) -> Result<Response<sanlicensing::GetFeedResponse>, Status> {
        let (call, feed_id) = door::read(request, |_, message| {
            convert::ingest::decode_feed_id(&message.feed_id)
        })?;
        let feed = queries::feeds::get(&self.database, &call, &feed_id).await?;
        let feed = Some(convert::ingest::encode_feed(&feed));
        Ok(Response::new(sanlicensing::GetFeedResponse { feed }))
    }

    async fn list_refused_records(
        &self,
        request: Request<sanlicensing::ListRefusedRecordsRequest>,
    ) -> Result<Response<sanlicensing::ListRefusedRecordsResponse>, Status> {
        let (call, feed_id, page) = door::list(request, |_, message| {
            convert::ingest::decode_feed_id(&message.feed_id)
        })?;
        let (records, next_page_token) =
            queries::feeds::list_refused(&self.database, &call, &feed_id, &page).await?;
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
        let (call, account_id, page) = door::list(request, |_, message| {
            convert::ingest::decode_unallocated(message)
        })?;
        let listed =
            queries::certificates::list_unallocated(&self.database, &call, account_id, &page)
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
        let (license_id, command) = convert::ingest::decode_allocate(&message)?;
        let requester = Requester::of(&call, &message.request_id);
        let allocate = once(&call, &message, command)?;
        let allocated =
            allocate_certificate::allocate(&self.quota, requester, license_id, allocate).await?;
        Ok(Response::new(response::<Allocate>(&allocated)?))
    }
}
