//! Items read from the files: a record, or the reason why there is none. A checkpoint covers the
//! items passed so far and identifies them by content.

use std::{fmt, ops::ControlFlow, sync::Arc};

use licet_contracts::sanlicensing::v1::{IngestRecord, ingest_record::Report};
use licet_domain::certificate;
use prost::Message as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Whether to continue.
pub(super) type Flow = ControlFlow<()>;

/// Receives items; breaks to stop the reading.
pub(super) type Sink<'a> = dyn FnMut(Item) -> Flow + 'a;

/// Where an item is in the files.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: Arc<str>,
    /// Counted from 1; `None` if the file has no lines.
    pub(super) line: Option<u64>,
    /// The certificate's serial number, if known.
    pub(super) serial: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(out, ":{line}")?;
        }
        if let Some(serial) = &self.serial {
            write!(out, ": serial {serial}")?;
        }
        Ok(())
    }
}

/// An item of the files.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) place: Place,
    /// The record to send, or the reason why there is none.
    pub(super) content: Result<IngestRecord, String>,
}

/// How much of a refused item is quoted.
const MAX_QUOTED_CHARS: usize = 400;
/// The longest record that is sent, in bytes.
const MAX_RECORD_BYTES: usize = 1 << 20;

impl Item {
    /// A refused item. Its reason and serial number may quote long input, so they are shortened.
    pub(super) fn refused(mut place: Place, reason: impl Into<String>) -> Self {
        place.serial = place.serial.map(shortened);
        Self {
            place,
            content: Err(shortened(reason.into())),
        }
    }

    /// A record, unless it is too large for a batch.
    pub(super) fn record(place: Place, record: IngestRecord) -> Self {
        if record.encoded_len() > MAX_RECORD_BYTES {
            let text = format!("is too large to send: more than {MAX_RECORD_BYTES} bytes");
            return Self::refused(place, text);
        }
        Self {
            place,
            content: Ok(record),
        }
    }
}

fn shortened(text: String) -> String {
    if text.chars().nth(MAX_QUOTED_CHARS).is_none() {
        return text;
    }
    let mut part: String = text.chars().take(MAX_QUOTED_CHARS).collect();
    part.push('…');
    part
}

/// The serial number of a record, if it can be read.
pub(super) fn serial(record: &IngestRecord) -> Option<String> {
    match record.report.as_ref()? {
        Report::CertificateDer(der) => {
            let leaf = certificate::parse_leaf(der).ok()?;
            Some(leaf.serial_hex)
        }
        Report::Facts(facts) => Some(facts.serial.clone()),
        Report::Revocation(revocation) => Some(revocation.serial.clone()),
    }
}

/// The number of items passed, and a digest over them: files whose first items have this digest are
/// the same files. This is a feed's cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) passed: u64,
    #[serde(with = "hex::serde")]
    sha256: [u8; 32],
}

impl Checkpoint {
    /// The checkpoint after a further item.
    pub(super) fn after(self, item: &Item) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.sha256);
        match &item.content {
            Ok(record) => {
                hash.update([1]);
                hash.update(record.encode_to_vec());
            }
            // An unreadable item is identified by its line and the reason.
            Err(reason) => {
                hash.update([0]);
                hash.update(item.place.line.unwrap_or(0).to_be_bytes());
                hash.update(reason);
            }
        }
        Self {
            passed: self.passed + 1,
            sha256: hash.finalize().into(),
        }
    }

    pub(super) fn to_cursor(self) -> String {
        serde_json::json!(self).to_string()
    }

    /// `None` for a cursor of another program. Earlier versions stored only a number, which does
    /// not identify the items: start from the beginning.
    pub(super) fn from_cursor(cursor: &str) -> Option<Self> {
        if cursor.is_empty() || cursor.parse::<u64>().is_ok() {
            return Some(Self::default());
        }
        serde_json::from_str(cursor).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(product: &str, line: u64, content: Result<(), &str>) -> Item {
        let place = Place {
            file: "a".into(),
            line: Some(line),
            serial: None,
        };
        let record = IngestRecord {
            product_id: product.to_owned(),
            ..IngestRecord::default()
        };
        Item {
            place,
            content: content.map(|()| record).map_err(str::to_owned),
        }
    }

    #[test]
    fn sl_14_a_mark_knows_what_was_passed() {
        let start = Checkpoint::default();
        let first = start.after(&item("p", 1, Ok(())));
        assert_eq!(first, start.after(&item("p", 7, Ok(()))));
        for other in [
            item("q", 1, Ok(())),
            item("p", 1, Err("x")),
            item("p", 2, Err("x")),
            item("p", 1, Err("y")),
        ] {
            assert_ne!(first, start.after(&other));
        }
        let second = first.after(&item("q", 1, Ok(())));
        assert_eq!(second.passed, 2);
        assert_eq!(Checkpoint::from_cursor(&second.to_cursor()), Some(second));
        assert_ne!(
            second,
            start
                .after(&item("q", 1, Ok(())))
                .after(&item("p", 1, Ok(())))
        );
    }

    #[test]
    fn sl_14_a_cursor_that_only_counts_says_nothing_of_what_was_passed() {
        assert_eq!(Checkpoint::from_cursor(""), Some(Checkpoint::default()));
        assert_eq!(Checkpoint::from_cursor("5"), Some(Checkpoint::default()));
        for other in ["after 5", "{}", r#"{"passed":1,"sha256":"00"}"#] {
            assert_eq!(Checkpoint::from_cursor(other), None);
        }
    }
}
