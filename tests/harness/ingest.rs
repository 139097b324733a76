//! Feeds of a certificate authority: records, batches and their acknowledgements.

use licet_contracts::sanlicensing::v1::Certificate;
use licet_contracts::sanlicensing::v1::{
    CertificateFacts, Feed, GetFeedRequest, IngestCertificatesRequest, IngestCertificatesResponse,
    IngestRecord, License, ListRefusedRecordsRequest, ListUnallocatedRequest, RefusedRecord,
    ReportedRevocation, RevocationReason, ingest_record::Report,
    ingest_service_client::IngestServiceClient, reported_revocation::Issuer,
};
use prost::Message as _;
use tokio_stream::{Stream, StreamExt as _};
use tonic::Status;

use super::{channel::Channel, raw, world::World};

/// The feed of most tests.
pub(crate) const FEED: &str = "ca-1";

pub(crate) fn record(license: &License, report: Report) -> IngestRecord {
    IngestRecord {
        account_id: license.account_id.clone(),
        product_id: license.product_ids[0].clone(),
        report: Some(report),
    }
}

/// A report of a certificate by its facts.
pub(crate) fn signed(license: &License, facts: &CertificateFacts) -> IngestRecord {
    record(license, Report::Facts(facts.clone()))
}

/// A report that a certificate was revoked.
pub(crate) fn revoked(license: &License, facts: &CertificateFacts) -> IngestRecord {
    let revocation = ReportedRevocation {
        issuer: Some(Issuer::IssuerDer(facts.issuer_der.clone())),
        serial: facts.serial.clone(),
        reason: RevocationReason::KeyCompromise.into(),
        revoke_time: facts.not_before_time,
    };
    record(license, Report::Revocation(revocation))
}

pub(crate) fn batch(sequence: i64, records: Vec<IngestRecord>) -> IngestCertificatesRequest {
    IngestCertificatesRequest {
        feed_id: FEED.to_owned(),
        cursor: format!("after {sequence}"),
        sequence,
        records,
    }
}

/// The numbers of records recorded, unallocated, revoked, stored for later, known and refused.
pub(crate) fn counts(answer: &IngestCertificatesResponse) -> [i64; 6] {
    figures(answer.counts.as_ref().unwrap())
}

pub(crate) fn figures(counts: &licet_contracts::sanlicensing::v1::IngestCounts) -> [i64; 6] {
    [
        counts.recorded,
        counts.unallocated,
        counts.revoked,
        counts.kept_for_later,
        counts.already_known,
        counts.refused,
    ]
}

/// Sends batches on one stream. Returns the acknowledgements and how the stream ended.
pub(crate) async fn send(
    channel: Channel,
    batches: Vec<IngestCertificatesRequest>,
) -> (Vec<IngestCertificatesResponse>, Result<(), Status>) {
    let mut client = IngestServiceClient::new(channel).max_encoding_message_size(64 << 20);
    match client
        .ingest_certificates(tokio_stream::iter(batches))
        .await
    {
        Ok(answers) => collect(answers.into_inner()).await,
        Err(status) => (Vec::new(), Err(status)),
    }
}

/// As [`send`], with messages that need not be batches.
pub(crate) async fn send_raw(
    channel: Channel,
    messages: Vec<Vec<u8>>,
) -> (Vec<IngestCertificatesResponse>, Result<(), Status>) {
    let path = "/licet.sanlicensing.v1.IngestService/IngestCertificates";
    let answers = raw::streamed(channel, path, messages).await;
    let answers = answers.map(|octets| {
        octets.map(|octets| IngestCertificatesResponse::decode(octets.as_slice()).unwrap())
    });
    collect(answers).await
}

async fn collect(
    mut answers: impl Stream<Item = Result<IngestCertificatesResponse, Status>> + Unpin,
) -> (Vec<IngestCertificatesResponse>, Result<(), Status>) {
    let mut acknowledged = Vec::new();
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(answer) => acknowledged.push(answer),
            Err(status) => return (acknowledged, Err(status)),
        }
    }
    (acknowledged, Ok(()))
}

impl World {
    pub(crate) fn san_ingest(&self) -> IngestServiceClient<Channel> {
        IngestServiceClient::new(self.san_channel(0))
    }

    /// Ingests one batch, which must be acknowledged.
    pub(crate) async fn ingest(
        &self,
        sequence: i64,
        records: Vec<IngestRecord>,
    ) -> IngestCertificatesResponse {
        let (mut answers, end) = send(self.san_channel(0), vec![batch(sequence, records)]).await;
        end.unwrap();
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }

    pub(crate) async fn feed(&self) -> Result<Feed, Status> {
        let request = GetFeedRequest {
            feed_id: FEED.to_owned(),
        };
        let answer = self.san_ingest().get_feed(request).await?;
        Ok(answer.into_inner().feed.unwrap())
    }

    /// All refused records of the feed, in pages of `page_size`.
    pub(crate) async fn refused_records(&self, page_size: i32) -> Vec<RefusedRecord> {
        let mut request = ListRefusedRecordsRequest {
            feed_id: FEED.to_owned(),
            page_size,
            page_token: String::new(),
        };
        let mut all = Vec::new();
        loop {
            let answer = self
                .san_ingest()
                .list_refused_records(request.clone())
                .await;
            let page = answer.unwrap().into_inner();
            all.extend(page.records);
            if page.next_page_token.is_empty() {
                return all;
            }
            request.page_token = page.next_page_token;
        }
    }

    /// All unallocated certificates of an account, in pages of `page_size`.
    pub(crate) async fn unallocated(&self, account_id: &str, page_size: i32) -> Vec<Certificate> {
        let mut request = ListUnallocatedRequest {
            account_id: account_id.to_owned(),
            page_size,
            page_token: String::new(),
        };
        let mut all = Vec::new();
        loop {
            let answer = self.san_ingest().list_unallocated(request.clone()).await;
            let page = answer.unwrap().into_inner();
            all.extend(page.certificates);
            if page.next_page_token.is_empty() {
                return all;
            }
            request.page_token = page.next_page_token;
        }
    }
}
