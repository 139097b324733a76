//! `licet ingest FILE…`: what a certificate authority signed and revoked, from files into
//! SanLicensing, taken up again where it broke off. Decides nothing about a record.

mod batches;
mod formats;
mod inputs;
mod item;
mod lines;
mod progress;
mod sending;
mod text;

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::Args;
use licet_contracts::sanlicensing::v1::ingest_service_client::IngestServiceClient;
use licet_runtime::{peer::PeerChannel, transport::MAX_MESSAGE_BYTES};
use tokio::sync::mpsc;

use self::{
    inputs::Input,
    lines::Defaults,
    progress::Progress,
    sending::{Client, Sending, Totals, position},
};
use crate::Trouble;

/// Settings of `licet ingest`.
#[derive(Args, Debug)]
#[command(after_help = lines::FORMAT)]
pub(crate) struct Options {
    /// Files, folders with all files in them and below, sorted by name, or - for the standard input.
    /// A file is PEM or DER of certificates or of a PKCS#7 (.p7b), or JSON lines, or gzip of one of
    /// these; what is in it tells which.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The account that the records belong to, "acc_…"; a line may name its own.
    #[arg(long)]
    account: Option<String>,
    /// The product that the certificates belong to; a line may name its own.
    #[arg(long)]
    product: Option<String>,
    /// One feed for everything that is named, in its order. Without it each file or folder that is
    /// named is a feed of its own.
    #[arg(long)]
    feed: Option<String>,
    /// Counts records that are refused as passed: the same files, given again, go on after them.
    #[arg(long)]
    skip_refused: bool,
    /// Where SanLicensing is.
    #[arg(
        long,
        env = "LICET_SAN_LICENSING_URL",
        default_value = "http://127.0.0.1:50053"
    )]
    san_licensing_url: String,
}

/// Whose the records are, in the thread that reads.
#[derive(Clone)]
struct Owner {
    account_id: Option<String>,
    product_id: Option<String>,
}

impl Owner {
    fn defaults(&self) -> Defaults<'_> {
        Defaults {
            account_id: self.account_id.as_deref(),
            product_id: self.product_id.as_deref(),
        }
    }
}

/// Sends the files and prints how many records were taken; ends with 1 if any was refused.
pub(crate) async fn run(options: &Options) -> Result<ExitCode, Trouble> {
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
    let channel = PeerChannel::new(&options.san_licensing_url, "ingest")?;
    let mut client = IngestServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let mut totals = Totals::default();
    let sizes: Vec<u64> = feeds.iter().map(|(_, inputs)| bytes_of(inputs)).collect();
    let mut progress = Progress::start(sizes.iter().sum());
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
    progress: &mut Progress,
) -> Result<(), Trouble> {
    let owner = Owner {
        account_id: options.account.clone(),
        product_id: options.product.clone(),
    };
    let place = position(client, &feed).await?;
    let (sender, told) = mpsc::channel(1);
    let reading = tokio::task::spawn_blocking(move || {
        batches::read(&mut inputs, &owner.defaults(), place.1, &sender);
    });
    let sending = Sending::new(client, &feed, options.skip_refused, place, totals, progress);
    sending.run(told).await?;
    // It has ended: nothing more was told.
    reading.await?;
    Ok(())
}

fn text_of(totals: &Totals) -> String {
    let counts = &totals.counts;
    let lines = [
        ("recorded in a licence", counts.recorded),
        ("kept without a licence", counts.unallocated),
        ("revoked", counts.revoked),
        ("revocations kept for later", counts.kept_for_later),
        ("known already", counts.already_known),
        ("refused", totals.refused()),
    ];
    let lines = lines.map(|(what, count)| format!("{count:>10}  {what}\n"));
    lines.concat()
}
