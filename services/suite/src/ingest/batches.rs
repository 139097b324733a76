//! Groups items into batches, on a separate thread: from the last checkpoint on, or from the start
//! if the files are not those that the checkpoint covers.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use licet_contracts::sanlicensing::v1::{IngestRecord, ingest_record::Report};
use prost::Message as _;
use tokio::sync::mpsc;

use super::{
    inputs::Input,
    item::{Checkpoint, Flow, Item, Place},
    lines::Defaults,
};

/// Limits of a batch: records, their bytes, and the SANs that they could contain. At most what
/// SanLicensing accepts.
const BATCH_RECORDS: usize = 500;
const BATCH_BYTES: usize = 1 << 20;
const BATCH_SANS: usize = 50_000;
/// Most items in a batch, including those refused here.
const BATCH_ITEMS: usize = 1000;
/// The most SANs of a certificate, and the fewest bytes in DER of a SAN (an empty one) and of a certificate
/// without SANs.
const MAX_SANS: usize = 2000;
const SAN_BYTES: usize = 2;
const BARE_BYTES: usize = 150;

/// A message from the reading thread.
pub(super) enum ReaderMessage {
    /// The items after this checkpoint follow.
    ResumeAfter(Checkpoint),
    Batch(Batch),
}

/// Consecutive items. Refused items have no record.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) items: Vec<BatchItem>,
    pub(super) records: Vec<IngestRecord>,
    /// Bytes of the files read so far.
    pub(super) bytes_read: u64,
}

pub(super) struct BatchItem {
    pub(super) place: Place,
    /// The checkpoint after this item.
    pub(super) checkpoint: Checkpoint,
    /// Why it is not sent.
    pub(super) refusal: Option<String>,
}

/// Reads `inputs` into batches: the items after `passed`, if the inputs begin with the items up to
/// it; else all items.
pub(super) fn read(
    inputs: &mut [Input],
    owner: &Defaults,
    passed: Checkpoint,
    sender: &mpsc::Sender<ReaderMessage>,
) {
    let mut read_bytes = Arc::new(AtomicU64::new(0));
    let mut batcher = Batcher::after(passed, sender, &read_bytes);
    let mut flow = visit(inputs, owner, &read_bytes, &mut batcher);
    if batcher.is_before_start() {
        // Other content under the feed's name: send all of it.
        read_bytes = Arc::new(AtomicU64::new(0));
        batcher = Batcher::after(Checkpoint::default(), sender, &read_bytes);
        flow = visit(inputs, owner, &read_bytes, &mut batcher);
    }
    if flow.is_continue() {
        // If this fails, the receiver is gone.
        let _ = batcher.flush();
    }
}

fn visit(
    inputs: &mut [Input],
    owner: &Defaults,
    read_bytes: &AtomicU64,
    batcher: &mut Batcher<'_>,
) -> Flow {
    for input in inputs {
        input.visit(owner, read_bytes, &mut |item| batcher.add(item))?;
    }
    Flow::Continue(())
}

struct Batcher<'a> {
    start: Checkpoint,
    at: Checkpoint,
    is_started: bool,
    batch: Batch,
    bytes: usize,
    sans: usize,
    sender: &'a mpsc::Sender<ReaderMessage>,
    read_bytes: Arc<AtomicU64>,
}

impl<'a> Batcher<'a> {
    fn after(
        start: Checkpoint,
        sender: &'a mpsc::Sender<ReaderMessage>,
        read_bytes: &Arc<AtomicU64>,
    ) -> Self {
        Self {
            start,
            at: Checkpoint::default(),
            is_started: false,
            batch: Batch::default(),
            bytes: 0,
            sans: 0,
            sender,
            read_bytes: Arc::clone(read_bytes),
        }
    }

    /// Whether the files ended or differed before the checkpoint was reached.
    fn is_before_start(&self) -> bool {
        self.at != self.start && !self.is_started
    }

    fn add(&mut self, item: Item) -> Flow {
        if !self.is_started {
            if self.at.passed < self.start.passed {
                self.at = self.at.after(&item);
                return Flow::Continue(());
            }
            if self.at != self.start {
                return Flow::Break(());
            }
            self.begin()?;
        }
        self.at = self.at.after(&item);
        let Item { place, content } = item;
        let (record, refusal) = match content {
            Ok(record) => (Some(record), None),
            Err(reason) => (None, Some(reason)),
        };
        if let Some(record) = record {
            let (bytes, sans) = (record.encoded_len(), most_sans(&record));
            // Flush first if this record, which may be large, would exceed a limit.
            if self.bytes + bytes > BATCH_BYTES || self.sans + sans > BATCH_SANS {
                self.flush()?;
            }
            self.bytes += bytes;
            self.sans += sans;
            self.batch.records.push(record);
        }
        self.batch.items.push(BatchItem {
            place,
            checkpoint: self.at,
            refusal,
        });
        let is_full = self.batch.records.len() == BATCH_RECORDS;
        if is_full || self.batch.items.len() == BATCH_ITEMS {
            self.flush()?;
        }
        Flow::Continue(())
    }

    fn begin(&mut self) -> Flow {
        self.is_started = true;
        self.send(ReaderMessage::ResumeAfter(self.start))
    }

    /// Sends the gathered items. Without any, only says where the batches start.
    fn flush(&mut self) -> Flow {
        if !self.is_started {
            self.begin()?;
        }
        if self.batch.items.is_empty() {
            return Flow::Continue(());
        }
        let mut batch = std::mem::take(&mut self.batch);
        batch.bytes_read = self.read_bytes.load(Ordering::Relaxed);
        (self.bytes, self.sans) = (0, 0);
        self.send(ReaderMessage::Batch(batch))
    }

    fn send(&self, message: ReaderMessage) -> Flow {
        match self.sender.blocking_send(message) {
            Ok(()) => Flow::Continue(()),
            Err(_) => Flow::Break(()),
        }
    }
}

/// The most SANs that the record can have.
fn most_sans(record: &IngestRecord) -> usize {
    match &record.report {
        Some(Report::CertificateDer(der)) => {
            (der.len().saturating_sub(BARE_BYTES) / SAN_BYTES).min(MAX_SANS)
        }
        Some(Report::Facts(facts)) => facts.sans.len().min(MAX_SANS),
        Some(Report::Revocation(_)) | None => 0,
    }
}
