//! `licet ingest FILE…`: sends the certificates and revocations in files to SanLicensing, resuming
//! where the last run stopped. Makes no decisions about records.

mod batches;
mod feed_sender;
mod formats;
#[cfg(test)]
mod fuzz;
mod inputs;
mod item;
mod lines;
mod progress_bar;
mod scan;

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::Args;
use licet_contracts::sanlicensing::v1::ingest_service_client::IngestServiceClient;
use licet_runtime::{peer::PeerChannel, tls::TlsOptions, transport::MAX_MESSAGE_BYTES};
use tokio::sync::mpsc;

use self::{
    feed_sender::{Client, FeedSender, Totals, last_durable},
    inputs::Input,
    lines::Defaults,
    progress_bar::ProgressBar,
};
use crate::CommandError;

/// Settings of `licet ingest`.
#[derive(Args, Debug)]
#[command(after_help = lines::FORMAT)]
pub(crate) struct Options {
    /// Files; folders, which are read recursively, sorted by name; or - for standard input. A file
    /// contains PEM or DER certificates, a PKCS#7 (.p7b), JSON lines, or gzip of one of these; the
    /// format is detected from the content.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The account of the records, "acc_…"; a JSON line can name another.
    #[arg(long)]
    account: Option<String>,
    /// The product of the certificates; a JSON line can name another.
    #[arg(long)]
    product: Option<String>,
    /// The name of one feed for all files, in the given order. Without it, each file or folder
    /// given is a separate feed.
    #[arg(long)]
    feed: Option<String>,
    /// Counts refused records as passed, so that the next run does not send them, and the records
    /// after them, again.
    #[arg(long)]
    skip_refused: bool,
    /// SanLicensing's URL.
    #[arg(
        long,
        env = "LICET_SAN_LICENSING_URL",
        default_value = "http://127.0.0.1:50053"
    )]
    san_licensing_url: String,
    #[command(flatten)]
    tls: TlsOptions,
}

/// Sends the files and prints the results; the exit code is 1 if anything was refused.
pub(crate) async fn run(options: &Options) -> Result<ExitCode, CommandError> {
    let paths = options.files.clone();
    let opening = tokio::task::spawn_blocking(|| {
        let inputs = paths.into_iter().map(Input::of);
        inputs.collect::<Result<Vec<_>, _>>()
    });
    let inputs = opening.await??;
    let feeds: Vec<(String, Vec<Input>)> = match &options.feed {
        Some(feed) => vec![(feed.clone(), inputs)],
        None => {
            let each = inputs.into_iter();
            each.map(|input| (input.feed(), vec![input])).collect()
        }
    };
    let tls = options.tls.open().await?;
    let channel = PeerChannel::open(&options.san_licensing_url, "ingest", tls.as_ref())?;
    let mut client = IngestServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let mut totals = Totals::default();
    let sizes: Vec<u64> = feeds.iter().map(|(_, inputs)| bytes_of(inputs)).collect();
    let mut progress = ProgressBar::start(sizes.iter().sum());
    let mut ended = Ok(());
    for ((feed, inputs), bytes) in feeds.into_iter().zip(sizes) {
        ended = send(
            options,
            &mut client,
            feed,
            inputs,
            &mut totals,
            &mut progress,
        )
        .await;
        if ended.is_err() {
            break;
        }
        progress.next_feed(bytes);
    }
    progress.end();
    write!(std::io::stdout(), "{}", text_of(&totals))?;
    ended?;
    Ok(if totals.refused() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn bytes_of(inputs: &[Input]) -> u64 {
    inputs.iter().map(Input::bytes).sum()
}

async fn send(
    options: &Options,
    client: &mut Client,
    feed: String,
    mut inputs: Vec<Input>,
    totals: &mut Totals,
    progress: &mut ProgressBar,
) -> Result<(), CommandError> {
    let defaults = Defaults {
        account_id: options.account.clone(),
        product_id: options.product.clone(),
    };
    let (sequence, checkpoint) = last_durable(client, &feed).await?;
    let (sender, messages) = mpsc::channel(1);
    let reading = tokio::task::spawn_blocking(move || {
        batches::read(&mut inputs, &defaults, checkpoint, &sender);
    });
    let stored = (sequence, checkpoint);
    let feed_sender = FeedSender::new(
        client,
        &feed,
        options.skip_refused,
        stored,
        totals,
        progress,
    );
    feed_sender.run(messages).await?;
    // The channel is closed, so the reader has ended.
    reading.await?;
    Ok(())
}

fn text_of(totals: &Totals) -> String {
    let counts = &totals.counts;
    let lines = [
        ("recorded in a licence", counts.recorded),
        ("stored without a licence", counts.unallocated),
        ("revoked", counts.revoked),
        ("revocations stored for later", counts.kept_for_later),
        ("already known", counts.already_known),
        ("refused", totals.refused()),
    ];
    let lines = lines.map(|(what, count)| format!("{count:>10}  {what}\n"));
    lines.concat()
}
