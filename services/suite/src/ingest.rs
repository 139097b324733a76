//! `licet ingest FILE…`: what a certificate authority signed and revoked, from files into
//! SanLicensing, taken up again where it broke off. Decides nothing about a record.

mod lines;
mod progress;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use licet_contracts::sanlicensing::v1::{
    GetFeedRequest, IngestCertificatesRequest, IngestCertificatesResponse, IngestCounts,
    IngestRecord, ListRefusedRecordsRequest, ingest_record::Report,
    ingest_service_client::IngestServiceClient,
};
use licet_domain::certificate;
use licet_runtime::{peer::PeerChannel, server::MAX_MESSAGE_BYTES};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status};

use self::progress::Progress;
use crate::Trouble;

/// Records of a batch, and about how many bytes of them.
const BATCH_RECORDS: usize = 500;
const BATCH_BYTES: usize = 1 << 20;
/// A feed may take as long as it needs.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Settings of `licet ingest`.
#[derive(Args, Debug)]
#[command(after_help = lines::FORMAT)]
pub(crate) struct Options {
    /// Files of PEM (one certificate or many), of DER (one), or of JSON lines, in this order. Named
    /// again after a break, they are gone on with from where the feed stands: only append to them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The account that the records belong to, "acc_…"; a line may name its own.
    #[arg(long)]
    account: Option<String>,
    /// The product that the certificates belong to; a line may name its own.
    #[arg(long)]
    product: Option<String>,
    /// The feed's name, under which SanLicensing keeps how far it is.
    #[arg(long)]
    feed: String,
    /// Where SanLicensing is.
    #[arg(
        long,
        env = "LICET_SAN_LICENSING_URL",
        default_value = "http://127.0.0.1:50053"
    )]
    san_licensing_url: String,
}

/// Sends the files, and prints what came of them; ends with 1 where a record was refused.
pub(crate) async fn run(options: &Options) -> Result<ExitCode, Trouble> {
    let mut records = read_all(options)?;
    let total = records.len();
    let channel = PeerChannel::new(&options.san_licensing_url, "ingest")?;
    let mut client = IngestServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let (sequence, done) = position(&mut client, &options.feed).await?;
    if done > total {
        return Err(Trouble(format!(
            "feed {} stands behind record {done}, and the files have {total}: they are other ones; \
             take another --feed",
            options.feed
        )));
    }
    if done > 0 {
        tracing::info!("feed {} goes on after record {done}", options.feed);
    }
    let batches = Batches {
        feed: options.feed.clone(),
        sequence,
        done,
        left: records.split_off(done).into_iter().peekable(),
    };
    let counts = send(&mut client, batches, total, done).await?;
    let mut out = std::io::stdout();
    write!(out, "{}", totals(&counts))?;
    if counts.refused == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    print_refused(&mut client, &options.feed, sequence).await?;
    Ok(ExitCode::FAILURE)
}

/// The last durable batch, and how many records were sent up to it.
async fn position(
    client: &mut IngestServiceClient<PeerChannel>,
    feed: &str,
) -> Result<(i64, usize), Trouble> {
    let request = GetFeedRequest {
        feed_id: feed.to_owned(),
    };
    match client.get_feed(request).await {
        Ok(answer) => {
            let found = answer.into_inner().feed.unwrap_or_default();
            let done = found.cursor.parse().map_err(|_| {
                let cursor = &found.cursor;
                Trouble(format!(
                    "feed {feed} is another program's: its cursor is {cursor:?}"
                ))
            })?;
            Ok((found.sequence, done))
        }
        Err(status) if status.code() == Code::NotFound => Ok((0, 0)),
        Err(status) => Err(refused(&status)),
    }
}

/// The records in batches; the cursor counts those that were sent.
struct Batches {
    feed: String,
    sequence: i64,
    done: usize,
    left: std::iter::Peekable<std::vec::IntoIter<IngestRecord>>,
}

impl Iterator for Batches {
    type Item = IngestCertificatesRequest;

    fn next(&mut self) -> Option<IngestCertificatesRequest> {
        self.left.peek()?;
        let mut bytes = 0;
        let mut records = Vec::new();
        while records.len() < BATCH_RECORDS
            && bytes < BATCH_BYTES
            && let Some(record) = self.left.next()
        {
            bytes += record.encoded_len();
            records.push(record);
        }
        self.sequence += 1;
        self.done += records.len();
        Some(IngestCertificatesRequest {
            feed_id: self.feed.clone(),
            cursor: self.done.to_string(),
            sequence: self.sequence,
            records,
        })
    }
}

async fn send(
    client: &mut IngestServiceClient<PeerChannel>,
    batches: Batches,
    records: usize,
    done: usize,
) -> Result<IngestCounts, Trouble> {
    let mut sum = IngestCounts::default();
    let mut progress = Progress::start(records, done);
    let (sender, receiver) = mpsc::channel(1);
    let sending = tokio::spawn(async move {
        for batch in batches {
            if sender.send(batch).await.is_err() {
                return;
            }
        }
    });
    let mut request = Request::new(ReceiverStream::new(receiver));
    request.set_timeout(LONGEST);
    let answers = client.ingest_certificates(request).await;
    let mut answers = answers.map_err(|status| refused(&status))?.into_inner();
    let ended = loop {
        match answers.message().await {
            Ok(Some(answer)) => {
                progress.show(answer.cursor.parse().unwrap_or(done));
                add(&mut sum, &answer);
            }
            Ok(None) => break Ok(sum),
            Err(status) => break Err(refused(&status)),
        }
    };
    progress.end();
    sending.abort();
    ended
}

fn add(sum: &mut IngestCounts, answer: &IngestCertificatesResponse) {
    let counts = answer.counts.unwrap_or_default();
    sum.recorded += counts.recorded;
    sum.unallocated += counts.unallocated;
    sum.revoked += counts.revoked;
    sum.kept_for_later += counts.kept_for_later;
    sum.already_known += counts.already_known;
    sum.refused += counts.refused;
}

fn totals(counts: &IngestCounts) -> String {
    let lines = [
        ("recorded in a licence", counts.recorded),
        ("kept without a licence", counts.unallocated),
        ("revoked", counts.revoked),
        ("revocations kept for later", counts.kept_for_later),
        ("known already", counts.already_known),
        ("refused", counts.refused),
    ];
    let lines = lines.map(|(what, count)| format!("{count:>10}  {what}\n"));
    lines.concat()
}

/// The records that were refused since the batch `after`, the last ones first.
async fn print_refused(
    client: &mut IngestServiceClient<PeerChannel>,
    feed: &str,
    after: i64,
) -> Result<(), Trouble> {
    let mut request = ListRefusedRecordsRequest {
        feed_id: feed.to_owned(),
        page_size: 100,
        page_token: String::new(),
    };
    let mut out = std::io::stdout();
    loop {
        let answer = client.list_refused_records(request.clone()).await;
        let page = answer.map_err(|status| refused(&status))?.into_inner();
        for record in &page.records {
            if record.sequence <= after {
                return Ok(());
            }
            let refusal = record.refusal().as_str_name();
            let refusal = refusal.trim_start_matches("RECORD_REFUSAL_");
            let reasons = record.reasons.join("; ");
            let (batch, index) = (record.sequence, record.index);
            writeln!(out, "batch {batch}, record {index}: {refusal}: {reasons}")?;
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

/// Every record of the files, in their order.
fn read_all(options: &Options) -> Result<Vec<IngestRecord>, Trouble> {
    let mut records = Vec::new();
    for file in &options.files {
        let bytes = fs::read(file)
            .map_err(|error| Trouble(format!("{} cannot be read: {error}", file.display())))?;
        read(options, file, &bytes, &mut records)?;
    }
    Ok(records)
}

fn read(
    options: &Options,
    file: &Path,
    bytes: &[u8],
    records: &mut Vec<IngestRecord>,
) -> Result<(), Trouble> {
    let owner = |given: Option<&String>, option: &str| {
        let owner = given.cloned();
        owner.ok_or_else(|| Trouble(format!("{}: {option} is needed", file.display())))
    };
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'{') {
        let defaults = lines::Defaults {
            account_id: options.account.as_deref(),
            product_id: options.product.as_deref(),
        };
        for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let record = lines::read(line, &defaults);
            let place = |error| Trouble(format!("{}:{number}: {error}", file.display()));
            records.push(record.map_err(place)?);
        }
        return Ok(());
    }
    let account_id = owner(options.account.as_ref(), "--account")?;
    let product_id = owner(options.product.as_ref(), "--product")?;
    // What does not parse is SanLicensing's to refuse, so that it is kept and listed.
    let each = certificate::split(bytes)
        .map_err(|error| Trouble(format!("{}: {error}", file.display())))?;
    records.extend(each.into_iter().map(|der| IngestRecord {
        account_id: account_id.clone(),
        product_id: product_id.clone(),
        report: Some(Report::CertificateDer(der)),
    }));
    Ok(())
}

fn refused(status: &Status) -> Trouble {
    let (code, message) = (status.code(), status.message());
    Trouble(format!("SanLicensing answered {code:?}: {message}"))
}
