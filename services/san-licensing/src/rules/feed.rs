//! A feed of the CA's back end: its position, which batch is next, and the results of its records (SL-14).

use std::sync::Arc;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, ProductId},
    refusal::{Reason, Refusal},
    worded,
};

use super::certificate::{Certificate, CertificateKey, EarlyRevocation};

/// A revocation as the CA reports it.
#[derive(Clone, Debug)]
pub(crate) struct ReportedRevocation {
    pub(crate) key: CertificateKey,
    pub(crate) revocation: EarlyRevocation,
}

/// A record of a batch.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    /// A certificate was signed. Its licence is found when the report is decided.
    Certificate(Certificate),
    /// A certificate was revoked.
    Revocation(ReportedRevocation),
}

impl Report {
    /// Account and product of a certificate, which determine its licence (SL-20).
    pub(crate) fn pair(&self) -> Option<(AccountId, ProductId)> {
        match self {
            Self::Certificate(found) => Some((found.key.account_id, found.product_id.clone())),
            Self::Revocation(_) => None,
        }
    }

    /// The key of the reported certificate.
    pub(crate) fn key(&self) -> &CertificateKey {
        match self {
            Self::Certificate(certificate) => &certificate.key,
            Self::Revocation(reported) => &reported.key,
        }
    }
}

worded! {
    /// Why a record is refused.
    pub(crate) enum RecordRefusal {
        /// It is malformed.
        Malformed = "MALFORMED",
        /// A different certificate is recorded under its key.
        CertificateConflict = "CERTIFICATE_CONFLICT",
        /// The caller does not see its account.
        NotFound = "NOT_FOUND",
    }
}

/// A refused record. The rest of its batch is unaffected (SL-14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedRecord {
    /// Its index in the batch.
    pub(crate) index: u32,
    pub(crate) refusal: RecordRefusal,
    /// What is wrong, one line each.
    pub(crate) reasons: Vec<String>,
    /// The first bytes of the record as it was sent.
    pub(crate) content: Vec<u8>,
    /// Full length of the record in bytes.
    pub(crate) content_bytes: u64,
}

/// A refused record with its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedRefusal {
    pub(crate) sequence: u64,
    pub(crate) record: RefusedRecord,
    pub(crate) refuse_time: Instant,
}

/// Results of some records; each record counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IngestCounts {
    pub(crate) recorded: u64,
    pub(crate) unallocated: u64,
    pub(crate) revoked: u64,
    pub(crate) kept_for_later: u64,
    pub(crate) already_known: u64,
    pub(crate) refused: u64,
}

impl IngestCounts {
    /// The sum of both.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            recorded: self.recorded + other.recorded,
            unallocated: self.unallocated + other.unallocated,
            revoked: self.revoked + other.revoked,
            kept_for_later: self.kept_for_later + other.kept_for_later,
            already_known: self.already_known + other.already_known,
            refused: self.refused + other.refused,
        }
    }
}

/// A feed and its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Feed {
    pub(crate) id: Arc<str>,
    /// The caller that sent its first batch.
    pub(crate) opened_by: String,
    /// Number of the last durable batch; 0 before the first.
    pub(crate) sequence: u64,
    pub(crate) cursor: String,
    /// Of that batch: detects a repeat.
    pub(crate) fingerprint: Vec<u8>,
    /// Encoded acknowledgement of that batch.
    pub(crate) acknowledgement: Vec<u8>,
    pub(crate) counts: IngestCounts,
    pub(crate) create_time: Instant,
    pub(crate) update_time: Instant,
}

/// Whether a batch continues its feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchKind {
    /// The next batch.
    Next,
    /// The last batch again; it gets the same acknowledgement.
    Repeated,
}

impl Feed {
    /// Whether the batch is the next one or the last one again; refuses any other.
    pub(crate) fn check_sequence(
        &self,
        sequence: u64,
        fingerprint: &[u8],
    ) -> Result<BatchKind, Refusal> {
        if sequence == self.sequence + 1 {
            return Ok(BatchKind::Next);
        }
        let (reason, message) = if sequence != self.sequence || sequence == 0 {
            let message = format!(
                "feed {} is at batch {}; batch {sequence} is not the next one",
                self.id, self.sequence
            );
            (Reason::FeedOutOfSequence, message)
        } else if self.fingerprint == fingerprint {
            return Ok(BatchKind::Repeated);
        } else {
            let message = format!(
                "batch {sequence} of feed {} was already ingested with different content",
                self.id
            );
            (Reason::FeedBatchChanged, message)
        };
        Err(Refusal::new(reason, message)
            .with("feed_id", &self.id)
            .with("sequence", self.sequence)
            .with("cursor", &self.cursor)
            .with("asked", sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sl_14_a_feed_goes_on_by_one_and_its_last_batch_may_come_again() {
        let now = Instant::from_micros(1).unwrap();
        let feed = Feed {
            id: "ca".into(),
            opened_by: "ca".to_owned(),
            sequence: 3,
            cursor: "c".to_owned(),
            fingerprint: vec![3],
            acknowledgement: vec![],
            counts: IngestCounts::default(),
            create_time: now,
            update_time: now,
        };
        let check = |sequence, fingerprint: u8| {
            feed.check_sequence(sequence, &[fingerprint])
                .map_err(|refusal| refusal.reason)
        };
        assert_eq!(check(4, 9), Ok(BatchKind::Next));
        assert_eq!(check(3, 3), Ok(BatchKind::Repeated));
        assert_eq!(check(3, 4), Err(Reason::FeedBatchChanged));
        for elsewhere in [0, 2, 5, u64::MAX] {
            assert_eq!(check(elsewhere, 3), Err(Reason::FeedOutOfSequence));
        }
        let new = Feed {
            sequence: 0,
            ..feed
        };
        assert!(new.check_sequence(0, &[3]).is_err());
        assert_eq!(new.check_sequence(1, &[]).unwrap(), BatchKind::Next);
    }
}
