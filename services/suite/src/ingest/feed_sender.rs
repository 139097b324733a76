//! Sends batches to SanLicensing, a few at a time, and receives the acknowledgements. A batch's
//! cursor covers only what was acknowledged before it was sent, so that it never claims too much; a
//! last batch without records stores the final cursor.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use licet_contracts::sanlicensing::v1::{
    GetFeedRequest, IngestCertificatesRequest, IngestCertificatesResponse, IngestCounts,
    IngestRecord, ListRefusedRecordsRequest, RefusedRecord,
    ingest_service_client::IngestServiceClient,
};
use licet_runtime::peer::PeerChannel;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Streaming};

use super::{
    batches::{Batch, ReaderMessage},
    item::{self, Checkpoint},
    progress_bar::ProgressBar,
};
use crate::{CommandError, service_error};

/// Deadline of the stream: a feed may take as long as it needs.
const LONGEST: Duration = Duration::from_secs(86_400);
/// Number of batches sent ahead of their acknowledgements.
const MAX_IN_FLIGHT: usize = 3;

pub(super) type Client = IngestServiceClient<PeerChannel>;

/// The number of a feed's last durable batch, and its checkpoint.
pub(super) async fn last_durable(
    client: &mut Client,
    feed: &str,
) -> Result<(i64, Checkpoint), CommandError> {
    let request = GetFeedRequest {
        feed_id: feed.to_owned(),
    };
    match client.get_feed(request).await {
        Ok(response) => {
            let found = response.into_inner().feed.unwrap_or_default();
            let checkpoint = Checkpoint::from_cursor(&found.cursor).ok_or_else(|| {
                let cursor = &found.cursor;
                CommandError(format!(
                    "feed {feed} belongs to another program, its cursor is {cursor:?}: choose another name with --feed"
                ))
            })?;
            Ok((found.sequence, checkpoint))
        }
        Err(status) if status.code() == Code::NotFound => Ok((0, Checkpoint::default())),
        Err(status) => Err(service_error("SanLicensing", &status)),
    }
}

/// The results of everything that was read.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) counts: IngestCounts,
    /// Items refused here because they could not be read.
    pub(super) unread: i64,
}

impl Totals {
    fn add(&mut self, acknowledgement: &IngestCertificatesResponse) {
        let counts = acknowledgement.counts.unwrap_or_default();
        let sum = &mut self.counts;
        sum.recorded += counts.recorded;
        sum.unallocated += counts.unallocated;
        sum.revoked += counts.revoked;
        sum.kept_for_later += counts.kept_for_later;
        sum.already_known += counts.already_known;
        sum.refused += counts.refused;
    }

    pub(super) fn refused(&self) -> i64 {
        self.counts.refused + self.unread
    }
}

/// Sends one feed.
pub(super) struct FeedSender<'a> {
    client: &'a mut Client,
    feed: &'a str,
    /// Whether refused records count as passed.
    skip_refused: bool,
    sequence: i64,
    /// The checkpoint in the feed's stored cursor, and the one reached since.
    stored: Checkpoint,
    passed: Checkpoint,
    is_blocked: bool,
    in_flight: VecDeque<(Option<i64>, Batch, Vec<IngestRecord>)>,
    totals: &'a mut Totals,
    progress: &'a mut ProgressBar,
}

impl<'a> FeedSender<'a> {
    pub(super) fn new(
        client: &'a mut Client,
        feed: &'a str,
        skip_refused: bool,
        (sequence, stored): (i64, Checkpoint),
        totals: &'a mut Totals,
        progress: &'a mut ProgressBar,
    ) -> Self {
        Self {
            client,
            feed,
            skip_refused,
            sequence,
            stored,
            passed: stored,
            is_blocked: false,
            in_flight: VecDeque::new(),
            totals,
            progress,
        }
    }

    /// Sends all batches and waits for their acknowledgements.
    pub(super) async fn run(
        mut self,
        mut messages: mpsc::Receiver<ReaderMessage>,
    ) -> Result<(), CommandError> {
        // The channel has room for every batch in flight, so sending never blocks and
        // acknowledgements are always received.
        let (sender, receiver) = mpsc::channel(MAX_IN_FLIGHT + 1);
        let mut request = Request::new(ReceiverStream::new(receiver));
        request.set_timeout(LONGEST);
        let responses = self.client.ingest_certificates(request).await;
        let responses = responses.map_err(|status| service_error("SanLicensing", &status))?;
        let mut responses = responses.into_inner();
        let mut is_read = false;
        while !is_read || !self.in_flight.is_empty() {
            tokio::select! {
                next = messages.recv(), if !is_read && self.in_flight.len() < MAX_IN_FLIGHT => match next {
                    None => is_read = true,
                    Some(ReaderMessage::ResumeAfter(checkpoint)) => self.begin(checkpoint),
                    Some(ReaderMessage::Batch(batch)) => self.send(batch, &sender).await?,
                },
                acknowledgement = responses.message(), if !self.in_flight.is_empty() => {
                    self.acknowledge(acknowledgement).await?;
                }
            }
        }
        self.close(&sender, &mut responses).await
    }

    fn begin(&mut self, checkpoint: Checkpoint) {
        if checkpoint.passed > 0 {
            tracing::info!(
                "feed {} resumes after record {}",
                self.feed,
                checkpoint.passed
            );
        } else if self.stored.passed > 0 {
            tracing::info!(
                "feed {} has other content: sending it from its start",
                self.feed
            );
        }
        self.passed = checkpoint;
    }

    async fn send(
        &mut self,
        mut batch: Batch,
        sender: &mpsc::Sender<IngestCertificatesRequest>,
    ) -> Result<(), CommandError> {
        let records = std::mem::take(&mut batch.records);
        if records.is_empty() {
            self.in_flight.push_back((None, batch, records));
            return self.report_unsent();
        }
        self.sequence += 1;
        let request = self.request(records.clone());
        let sequence = Some(self.sequence);
        self.in_flight.push_back((sequence, batch, records));
        // If the stream has ended, its response says why.
        let _ = sender.send(request).await;
        Ok(())
    }

    fn request(&mut self, records: Vec<IngestRecord>) -> IngestCertificatesRequest {
        self.stored = self.passed;
        IngestCertificatesRequest {
            feed_id: self.feed.to_owned(),
            cursor: self.passed.to_cursor(),
            sequence: self.sequence,
            records,
        }
    }

    /// Handles the acknowledgement of the oldest batch in flight.
    async fn acknowledge(
        &mut self,
        acknowledgement: Result<Option<IngestCertificatesResponse>, tonic::Status>,
    ) -> Result<(), CommandError> {
        let acknowledgement = self.acknowledged(acknowledgement)?;
        self.totals.add(&acknowledgement);
        let refusals = self.refusals(&acknowledgement).await?;
        if let Some((_, batch, records)) = self.in_flight.pop_front() {
            self.report(acknowledgement.sequence, batch, &records, &refusals)?;
        }
        self.report_unsent()
    }

    fn acknowledged(
        &self,
        acknowledgement: Result<Option<IngestCertificatesResponse>, tonic::Status>,
    ) -> Result<IngestCertificatesResponse, CommandError> {
        let feed = self.feed;
        let advice = ": run the same command again to resume";
        match acknowledgement {
            Ok(Some(acknowledgement)) => Ok(acknowledgement),
            Ok(None) => Err(CommandError(format!(
                "SanLicensing ended feed {feed}{advice}"
            ))),
            Err(status) => {
                let CommandError(text) = service_error("SanLicensing", &status);
                Err(CommandError(format!(
                    "feed {feed} was interrupted: {text}{advice}"
                )))
            }
        }
    }

    /// The reasons why records of a batch were refused, by index.
    async fn refusals(
        &mut self,
        acknowledgement: &IngestCertificatesResponse,
    ) -> Result<HashMap<usize, String>, CommandError> {
        let count = acknowledgement.counts.unwrap_or_default().refused;
        let mut refusals = HashMap::new();
        let mut add = |record: &RefusedRecord| {
            let refusal = record.refusal().as_str_name();
            let refusal = refusal.trim_start_matches("RECORD_REFUSAL_");
            let reasons = record.reasons.join("; ");
            let index = usize::try_from(record.index).unwrap_or(usize::MAX);
            refusals.insert(index, format!("{refusal}: {reasons}"));
        };
        acknowledgement.refused.iter().for_each(&mut add);
        if usize::try_from(count) == Ok(acknowledgement.refused.len()) {
            return Ok(refusals);
        }
        // The acknowledgement has only the first refused records.
        let mut request = ListRefusedRecordsRequest {
            feed_id: self.feed.to_owned(),
            page_size: 200,
            page_token: String::new(),
        };
        loop {
            let listed = self.client.list_refused_records(request.clone()).await;
            let page = listed.map_err(|status| service_error("SanLicensing", &status))?;
            let page = page.into_inner();
            let of_batch = |record: &&RefusedRecord| record.sequence == acknowledgement.sequence;
            page.records.iter().filter(of_batch).for_each(&mut add);
            let is_past = page
                .records
                .last()
                .is_none_or(|last| last.sequence < acknowledgement.sequence);
            if is_past || page.next_page_token.is_empty() {
                return Ok(refusals);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Reports batches without records when their turn comes.
    fn report_unsent(&mut self) -> Result<(), CommandError> {
        while let Some((None, _, _)) = self.in_flight.front() {
            if let Some((_, batch, records)) = self.in_flight.pop_front() {
                self.report(0, batch, &records, &HashMap::new())?;
            }
        }
        Ok(())
    }

    /// Prints the refused items of a batch, and advances the checkpoint up to the first of them.
    fn report(
        &mut self,
        sequence: i64,
        batch: Batch,
        records: &[IngestRecord],
        refusals: &HashMap<usize, String>,
    ) -> Result<(), CommandError> {
        let mut sent = records.iter().enumerate();
        for read in batch.items {
            let mut place = read.place;
            let refusal = match read.refusal {
                Some(reason) => {
                    self.totals.unread += 1;
                    Some(reason)
                }
                None => sent.next().and_then(|(index, record)| {
                    let reason = refusals.get(&index)?;
                    place.serial = item::serial(record);
                    Some(format!("batch {sequence}, record {index}: {reason}"))
                }),
            };
            if let Some(reason) = refusal {
                self.progress.say(&format!("{place}: {reason}"))?;
                self.is_blocked |= !self.skip_refused;
            }
            if !self.is_blocked {
                self.passed = read.checkpoint;
            }
        }
        self.progress.show(self.passed.passed, batch.bytes_read);
        Ok(())
    }

    /// Stores the checkpoint as the feed's cursor.
    async fn close(
        &mut self,
        sender: &mpsc::Sender<IngestCertificatesRequest>,
        responses: &mut Streaming<IngestCertificatesResponse>,
    ) -> Result<(), CommandError> {
        // Nothing new was passed.
        if self.passed == self.stored || self.passed == Checkpoint::default() {
            return Ok(());
        }
        self.sequence += 1;
        let request = self.request(Vec::new());
        let _ = sender.send(request).await;
        let acknowledgement = responses.message().await;
        self.acknowledged(acknowledgement)?;
        Ok(())
    }
}
