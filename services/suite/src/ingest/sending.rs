//! Batches to SanLicensing and its acknowledgements back: a few under way at a time. The cursor that
//! a batch carries covers only what was acknowledged before it was sent, so that nothing is taken for
//! passed that is not; a last batch without records says where the feed stands in the end.

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
    batches::{Batch, Told},
    item::{self, Mark},
    progress::Progress,
};
use crate::{Trouble, refused};

/// A feed may take as long as it needs.
const LONGEST: Duration = Duration::from_secs(86_400);
/// Batches that are sent before the first of them is acknowledged.
const UNDER_WAY: usize = 3;

pub(super) type Client = IngestServiceClient<PeerChannel>;

/// The last durable batch of a feed, and what was passed up to it.
pub(super) async fn position(client: &mut Client, feed: &str) -> Result<(i64, Mark), Trouble> {
    let request = GetFeedRequest {
        feed_id: feed.to_owned(),
    };
    match client.get_feed(request).await {
        Ok(answer) => {
            let found = answer.into_inner().feed.unwrap_or_default();
            let mark = Mark::from_cursor(&found.cursor).ok_or_else(|| {
                let cursor = &found.cursor;
                Trouble(format!(
                    "feed {feed} is another program's: its cursor is {cursor:?}"
                ))
            })?;
            Ok((found.sequence, mark))
        }
        Err(status) if status.code() == Code::NotFound => Ok((0, Mark::default())),
        Err(status) => Err(refused("SanLicensing", &status)),
    }
}

/// What came of everything that was read.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) counts: IngestCounts,
    /// Refused here: it could not be read.
    pub(super) unread: i64,
}

impl Totals {
    fn add(&mut self, answer: &IngestCertificatesResponse) {
        let counts = answer.counts.unwrap_or_default();
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

/// One feed while batches are sent to it.
pub(super) struct Sending<'a> {
    client: &'a mut Client,
    feed: &'a str,
    /// Whether a record that was refused counts as passed.
    skip_refused: bool,
    sequence: i64,
    /// What the feed's cursor says, and what it should say.
    said: Mark,
    passed: Mark,
    is_held: bool,
    under_way: VecDeque<(Option<i64>, Batch, Vec<IngestRecord>)>,
    totals: &'a mut Totals,
    progress: &'a mut Progress,
}

impl<'a> Sending<'a> {
    pub(super) fn new(
        client: &'a mut Client,
        feed: &'a str,
        skip_refused: bool,
        (sequence, said): (i64, Mark),
        totals: &'a mut Totals,
        progress: &'a mut Progress,
    ) -> Self {
        Self {
            client,
            feed,
            skip_refused,
            sequence,
            said,
            passed: said,
            is_held: false,
            under_way: VecDeque::new(),
            totals,
            progress,
        }
    }

    /// Sends what is read, to its end.
    pub(super) async fn run(mut self, mut told: mpsc::Receiver<Told>) -> Result<(), Trouble> {
        // The channel has room for every batch under way: a sender never waits, and always gets its answer.
        let (sender, receiver) = mpsc::channel(UNDER_WAY + 1);
        let mut request = Request::new(ReceiverStream::new(receiver));
        request.set_timeout(LONGEST);
        let answers = self.client.ingest_certificates(request).await;
        let answers = answers.map_err(|status| refused("SanLicensing", &status))?;
        let mut answers = answers.into_inner();
        let mut is_read = false;
        while !is_read || !self.under_way.is_empty() {
            tokio::select! {
                next = told.recv(), if !is_read && self.under_way.len() < UNDER_WAY => match next {
                    None => is_read = true,
                    Some(Told::From(mark)) => self.begin(mark),
                    Some(Told::Batch(batch)) => self.send(batch, &sender).await?,
                },
                answer = answers.message(), if !self.under_way.is_empty() => {
                    self.take(answer).await?;
                }
            }
        }
        self.close(&sender, &mut answers).await
    }

    fn begin(&mut self, mark: Mark) {
        if mark.passed > 0 {
            tracing::info!("feed {} goes on after record {}", self.feed, mark.passed);
        } else if self.said.passed > 0 {
            tracing::info!("feed {} is given other content, from its start", self.feed);
        }
        self.passed = mark;
    }

    async fn send(
        &mut self,
        mut batch: Batch,
        sender: &mpsc::Sender<IngestCertificatesRequest>,
    ) -> Result<(), Trouble> {
        let records = std::mem::take(&mut batch.records);
        if records.is_empty() {
            self.under_way.push_back((None, batch, records));
            return self.settle_unsent();
        }
        self.sequence += 1;
        let request = self.request(records.clone());
        let sequence = Some(self.sequence);
        self.under_way.push_back((sequence, batch, records));
        // A stream that has ended says why by its answer.
        let _ = sender.send(request).await;
        Ok(())
    }

    fn request(&mut self, records: Vec<IngestRecord>) -> IngestCertificatesRequest {
        self.said = self.passed;
        IngestCertificatesRequest {
            feed_id: self.feed.to_owned(),
            cursor: self.passed.to_cursor(),
            sequence: self.sequence,
            records,
        }
    }

    /// The acknowledgement of the first batch under way.
    async fn take(
        &mut self,
        answer: Result<Option<IngestCertificatesResponse>, tonic::Status>,
    ) -> Result<(), Trouble> {
        let answer = self.acknowledged(answer)?;
        self.totals.add(&answer);
        let refusals = self.refusals(&answer).await?;
        if let Some((_, batch, records)) = self.under_way.pop_front() {
            self.settle(answer.sequence, batch, &records, &refusals)?;
        }
        self.settle_unsent()
    }

    fn acknowledged(
        &self,
        answer: Result<Option<IngestCertificatesResponse>, tonic::Status>,
    ) -> Result<IngestCertificatesResponse, Trouble> {
        let feed = self.feed;
        let go_on = "; the same command, given again, goes on from there";
        match answer {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(Trouble(format!("SanLicensing ended feed {feed}{go_on}"))),
            Err(status) => {
                let Trouble(text) = refused("SanLicensing", &status);
                Err(Trouble(format!("feed {feed} broke off: {text}{go_on}")))
            }
        }
    }

    /// Why records of a batch were refused, by their place in it.
    async fn refusals(
        &mut self,
        answer: &IngestCertificatesResponse,
    ) -> Result<HashMap<usize, String>, Trouble> {
        let count = answer.counts.unwrap_or_default().refused;
        let mut refusals = HashMap::new();
        let mut add = |record: &RefusedRecord| {
            let refusal = record.refusal().as_str_name();
            let refusal = refusal.trim_start_matches("RECORD_REFUSAL_");
            let reasons = record.reasons.join("; ");
            let index = usize::try_from(record.index).unwrap_or(usize::MAX);
            refusals.insert(index, format!("{refusal}: {reasons}"));
        };
        answer.refused.iter().for_each(&mut add);
        if usize::try_from(count) == Ok(answer.refused.len()) {
            return Ok(refusals);
        }
        // The acknowledgement names the first of them alone.
        let mut request = ListRefusedRecordsRequest {
            feed_id: self.feed.to_owned(),
            page_size: 200,
            page_token: String::new(),
        };
        loop {
            let listed = self.client.list_refused_records(request.clone()).await;
            let page = listed.map_err(|status| refused("SanLicensing", &status))?;
            let page = page.into_inner();
            let of_batch = |record: &&RefusedRecord| record.sequence == answer.sequence;
            page.records.iter().filter(of_batch).for_each(&mut add);
            let is_past = page
                .records
                .last()
                .is_none_or(|last| last.sequence < answer.sequence);
            if is_past || page.next_page_token.is_empty() {
                return Ok(refusals);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Batches that needed no answer are settled in their turn.
    fn settle_unsent(&mut self) -> Result<(), Trouble> {
        while let Some((None, _, _)) = self.under_way.front() {
            if let Some((_, batch, records)) = self.under_way.pop_front() {
                self.settle(0, batch, &records, &HashMap::new())?;
            }
        }
        Ok(())
    }

    /// What came of a batch is said, and the feed has passed it up to the first refusal.
    fn settle(
        &mut self,
        sequence: i64,
        batch: Batch,
        records: &[IngestRecord],
        refusals: &HashMap<usize, String>,
    ) -> Result<(), Trouble> {
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
                self.is_held |= !self.skip_refused;
            }
            if !self.is_held {
                self.passed = read.mark;
            }
        }
        self.progress.show(self.passed.passed, batch.bytes_read);
        Ok(())
    }

    /// The feed's cursor says what was passed.
    async fn close(
        &mut self,
        sender: &mpsc::Sender<IngestCertificatesRequest>,
        answers: &mut Streaming<IngestCertificatesResponse>,
    ) -> Result<(), Trouble> {
        // Nothing that was passed before is unsaid where nothing was passed now.
        if self.passed == self.said || self.passed == Mark::default() {
            return Ok(());
        }
        self.sequence += 1;
        let request = self.request(Vec::new());
        let _ = sender.send(request).await;
        let answer = answers.message().await;
        self.acknowledged(answer)?;
        Ok(())
    }
}
