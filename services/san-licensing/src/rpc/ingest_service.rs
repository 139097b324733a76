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

/// How many feeds are taken in at once: with two batches of each at most, what bounds the memory. One
/// caller that leaves its feeds open does not keep others out.
const FEEDS: ConcurrencyBounds = ConcurrencyBounds {
    what: "feeds",
    reason: TransientReason::Overloaded,
    total: 16,
    per_caller: 8,
};
/// How many acknowledgements wait for the sender to read them, before no further batch is decided.
const UNREAD: usize = 2;

/// Ingest.
#[derive(Clone)]
pub(crate) struct IngestRpc {
    /// The service's schema.
    pub(crate) database: Database,
    /// Where everything that depends on a quota is decided.
    pub(crate) quota: Quota,
    /// Each batch of a stream has a decision time of its own.
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

    /// Decides one batch after the other while the next one is read. An answer waits for nothing
    /// but its own batch: whether another one follows is the sender's affair. Returns the error that
    /// ends the stream.
    async fn ingest(
        self,
        call: Call,
        batches: Batches,
        acknowledgements: mpsc::Sender<Acknowledgement>,
        _permit: Permit,
    ) -> Option<Status> {
        // One batch is decided and one lies here: a sender that is faster waits.
        let (sender, receiver) = mpsc::channel(1);
        let reading = self.read_all(&call, batches, sender, &acknowledgements);
        let deciding = self.decide_all(&call, receiver, &acknowledgements);
        let ((), end) = tokio::join!(reading, deciding);
        end
    }

    /// Decides until a batch ends the stream, there are no more, or the sender is gone. A sender that
    /// does not read what is acknowledged is decided nothing more for, and holds up no stop.
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
            // Without room the sender left; what is durable stays.
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
        tracing::info!(caller, batches = count, "a stream of batches ended");
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

    /// Reads ahead by one batch, until there are no more, one cannot be read, the sender, the answer's
    /// reader or the decisions are gone, or the service stops.
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
    Fault::transient(TransientReason::ServiceStopping, text)
}

/// The error that ends a stream, with what is durable of it.
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
        // Apart from the acknowledgements, so that it waits for nobody who reads them.
        let (ending, end) = oneshot::channel();
        let area = call.clone();
        let taking = self.clone().ingest(call, batches, sender, place);
        tokio::spawn(async move {
            if let Some(error) = area.within(taking).await {
                // A sender that left needs no error.
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
