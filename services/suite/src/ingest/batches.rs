//! Items to batches, read in a thread of their own: from the first item that was not passed yet, or
//! from the start where the files are not those that were passed.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use licet_contracts::sanlicensing::v1::{IngestRecord, ingest_record::Report};
use prost::Message as _;
use tokio::sync::mpsc;

use super::{
    inputs::Input,
    item::{Flow, Item, Mark, Place},
    lines::Defaults,
};

/// The most records of a batch, bytes of them, and SANs that there can be in them: what SanLicensing
/// takes, or less.
const BATCH_RECORDS: usize = 500;
const BATCH_BYTES: usize = 1 << 20;
const BATCH_SANS: usize = 50_000;
/// The most items of a batch, with those that are refused here.
const BATCH_ITEMS: usize = 1000;
/// The most SANs of a certificate that are taken; the fewest bytes that one has in DER, an empty one, and
/// that a certificate has without them.
const MAX_SANS: usize = 2000;
const SAN_BYTES: usize = 2;
const BARE_BYTES: usize = 150;

/// What the reading tells.
pub(super) enum Told {
    /// What follows is read from here.
    From(Mark),
    Batch(Batch),
}

/// Items that belong together. Not all of them have a record.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) items: Vec<Read>,
    pub(super) records: Vec<IngestRecord>,
    /// Of the files that were read for it.
    pub(super) bytes_read: u64,
}

/// An item of a batch.
pub(super) struct Read {
    pub(super) place: Place,
    /// Up to this one.
    pub(super) mark: Mark,
    /// Why it is not sent.
    pub(super) refusal: Option<String>,
}

/// Reads `inputs` into batches, beginning after `passed` if that is what they begin with.
pub(super) fn read(
    inputs: &mut [Input],
    owner: &Defaults<'_>,
    passed: Mark,
    sender: &mpsc::Sender<Told>,
) {
    let mut read_bytes = Arc::new(AtomicU64::new(0));
    let mut reading = Reading::after(passed, sender, &read_bytes);
    let mut flow = visit(inputs, owner, &read_bytes, &mut reading);
    if reading.is_before_start() {
        // Other content under the feed's name: all of it is new.
        read_bytes = Arc::new(AtomicU64::new(0));
        reading = Reading::after(Mark::default(), sender, &read_bytes);
        flow = visit(inputs, owner, &read_bytes, &mut reading);
    }
    if flow.is_continue() {
        // Nobody listens any more: then nothing is left to be told.
        let _ = reading.flush();
    }
}

fn visit(
    inputs: &mut [Input],
    owner: &Defaults<'_>,
    read_bytes: &AtomicU64,
    reading: &mut Reading<'_>,
) -> Flow {
    for input in inputs {
        input.visit(owner, read_bytes, &mut |item| reading.take(item))?;
    }
    Flow::Continue(())
}

struct Reading<'a> {
    start: Mark,
    at: Mark,
    is_started: bool,
    batch: Batch,
    bytes: usize,
    sans: usize,
    sender: &'a mpsc::Sender<Told>,
    read_bytes: Arc<AtomicU64>,
}

impl<'a> Reading<'a> {
    fn after(start: Mark, sender: &'a mpsc::Sender<Told>, read_bytes: &Arc<AtomicU64>) -> Self {
        Self {
            start,
            at: Mark::default(),
            is_started: false,
            batch: Batch::default(),
            bytes: 0,
            sans: 0,
            sender,
            read_bytes: Arc::clone(read_bytes),
        }
    }

    /// The items that were passed did not come: these are others, or fewer.
    fn is_before_start(&self) -> bool {
        self.at != self.start && !self.is_started
    }

    fn take(&mut self, item: Item) -> Flow {
        if !self.is_started {
            if self.at.passed < self.start.passed {
                self.at = self.at.then(&item);
                return Flow::Continue(());
            }
            if self.at != self.start {
                return Flow::Break(());
            }
            self.begin()?;
        }
        self.at = self.at.then(&item);
        let Item { place, content } = item;
        let (record, refusal) = match content {
            Ok(record) => (Some(record), None),
            Err(reason) => (None, Some(reason)),
        };
        if let Some(record) = record {
            let (bytes, sans) = (record.encoded_len(), most_sans(&record));
            // The bounds hold with this one: it may be large itself.
            if self.bytes + bytes > BATCH_BYTES || self.sans + sans > BATCH_SANS {
                self.flush()?;
            }
            self.bytes += bytes;
            self.sans += sans;
            self.batch.records.push(record);
        }
        self.batch.items.push(Read {
            place,
            mark: self.at,
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
        self.tell(Told::From(self.start))
    }

    /// What was gathered is told; of files without a further item, where they end.
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
        self.tell(Told::Batch(batch))
    }

    fn tell(&self, told: Told) -> Flow {
        match self.sender.blocking_send(told) {
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
