//! Tokens that prove that a person has seen a revocation preview (SL-19). A token contains the time and the
//! digest of the preview, so it needs no record.

use std::{fmt, str::FromStr};

use chrono::TimeDelta;
use licet_domain::{
    clock::Instant,
    ids::{CertificateId, LicenseId},
    refusal::{Reason, Refusal},
};
use sha2::{Digest, Sha256};

/// How long a preview is valid.
const GOOD_FOR: TimeDelta = TimeDelta::minutes(15);

/// Digest of a preview: the certificates, and which of their SANs would be freed.
#[derive(Clone, Debug)]
pub(crate) struct ReturnDigest {
    license_id: LicenseId,
    hash: Sha256,
}

impl ReturnDigest {
    /// Starts the digest of these certificates of a licence, in any order.
    pub(crate) fn new(license_id: LicenseId, ids: &[CertificateId]) -> Self {
        let mut hash = Sha256::new();
        hash.update(license_id.uuid());
        let mut ids: Vec<_> = ids.iter().map(CertificateId::uuid).collect();
        ids.sort_unstable();
        hash.update(ids.len().to_be_bytes());
        for id in ids {
            hash.update(id);
        }
        Self { license_id, hash }
    }

    /// Adds a SAN with the weight that it frees, if any. Invariant: SANs are always added in the same order.
    pub(crate) fn add(&mut self, san: &str, returning: Option<u64>) {
        // The length prefix separates SANs. No SAN weighs 0.
        self.hash.update(san.len().to_be_bytes());
        self.hash.update(san);
        self.hash.update(returning.unwrap_or(0).to_be_bytes());
    }
}

/// Proof that its holder has seen a preview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PreviewToken {
    time: Instant,
    hash: [u8; 32],
}

impl PreviewToken {
    /// The token of a preview as of `time`.
    pub(crate) fn of(time: Instant, digest: &ReturnDigest) -> Self {
        let mut hash = digest.hash.clone();
        hash.update(time.as_micros().to_be_bytes());
        Self {
            time,
            hash: hash.finalize().into(),
        }
    }

    /// The first instant at which it is no longer valid.
    pub(crate) fn expire_time(self) -> Instant {
        self.time.checked_add(GOOD_FOR).unwrap_or(Instant::MAX)
    }

    /// Checks that the preview at `now`, which frees `weight`, is the one that was seen (SL-19). A token from
    /// an instance whose clock is ahead is valid.
    ///
    /// # Errors
    /// PREVIEW_STALE.
    pub(crate) fn check(
        self,
        digest: &ReturnDigest,
        now: Instant,
        weight: u64,
    ) -> Result<(), Refusal> {
        let why = if now >= self.expire_time() {
            "has expired"
        } else if self != Self::of(self.time, digest) {
            "is for other certificates, or the SANs to be freed have changed since"
        } else {
            return Ok(());
        };
        Err(Refusal::new(
            Reason::PreviewStale,
            format!("the preview {why}; request a new preview before revoking"),
        )
        .with("license_id", digest.license_id)
        .with("preview_time", self.time)
        .with("as_of_time", now)
        .with("returning_weight", weight))
    }
}

impl fmt::Display for PreviewToken {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = hex::encode(self.time.as_micros().to_be_bytes());
        write!(to, "{time}{}", hex::encode(self.hash))
    }
}

/// A text that is not a preview token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidToken;

impl fmt::Display for InvalidToken {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("is not a preview token")
    }
}

impl FromStr for PreviewToken {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let mut bytes = [0; 40];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidToken)?;
        let (time, hash) = bytes.split_first_chunk().ok_or(InvalidToken)?;
        Ok(Self {
            time: Instant::from_micros(i64::from_be_bytes(*time)).ok_or(InvalidToken)?,
            hash: hash.try_into().map_err(|_| InvalidToken)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn at(micros: i64) -> Instant {
        Instant::from_micros(1_800_000_000_000_000 + micros).unwrap()
    }

    fn digest(
        license_id: LicenseId,
        ids: &[CertificateId],
        sans: &[(&str, Option<u64>)],
    ) -> ReturnDigest {
        let mut digest = ReturnDigest::new(license_id, ids);
        for (san, returning) in sans {
            digest.add(san, *returning);
        }
        digest
    }

    #[test]
    fn sl_19_a_preview_fits_what_it_was_of_and_nothing_else() {
        let (license_id, other_license) = (LicenseId::generate(), LicenseId::generate());
        let [a, b, c] = [(); 3].map(|()| CertificateId::generate());
        let sans = [("d:a.example", Some(1)), ("d:*.b.example", None)];
        let seen = digest(license_id, &[a, b], &sans);
        let preview = PreviewToken::of(at(0), &seen);
        let fits = |digest: &ReturnDigest| preview.check(digest, at(1), 1).is_ok();
        assert!(fits(&seen));
        assert!(fits(&digest(license_id, &[b, a], &sans)));
        for (wrong, digest) in [
            ("licence", digest(other_license, &[a, b], &sans)),
            ("certificate", digest(license_id, &[a, c], &sans)),
            ("fewer", digest(license_id, &[a], &sans)),
            ("more", digest(license_id, &[a, b, c], &sans)),
            ("SANs", digest(license_id, &[a, b], &sans[..1])),
            (
                "returns",
                digest(license_id, &[a, b], &[sans[0], ("d:*.b.example", Some(5))]),
            ),
            (
                "weight",
                digest(license_id, &[a, b], &[("d:a.example", Some(2)), sans[1]]),
            ),
            (
                "stays",
                digest(license_id, &[a, b], &[("d:a.example", None), sans[1]]),
            ),
        ] {
            assert!(!fits(&digest), "{wrong}");
        }
    }

    #[test]
    fn sl_19_a_preview_is_good_for_a_quarter_of_an_hour() {
        let seen = digest(LicenseId::generate(), &[CertificateId::generate()], &[]);
        let preview = PreviewToken::of(at(0), &seen);
        assert_eq!(preview.expire_time(), at(15 * MINUTE));
        for (now, is_good) in [
            (-MINUTE, true),
            (0, true),
            (15 * MINUTE - 1, true),
            (15 * MINUTE, false),
        ] {
            assert_eq!(preview.check(&seen, at(now), 0).is_ok(), is_good, "{now}");
        }
        // The time is part of the digest.
        let later = PreviewToken {
            time: at(MINUTE),
            ..preview
        };
        let refusal = later.check(&seen, at(15 * MINUTE), 7).unwrap_err();
        assert_eq!(refusal.reason, Reason::PreviewStale);
        assert_eq!(refusal.metadata["returning_weight"], "7");
    }

    #[test]
    fn a_preview_survives_its_text() {
        let seen = digest(LicenseId::generate(), &[], &[("d:a", Some(1))]);
        let preview = PreviewToken::of(at(5), &seen);
        let text = preview.to_string();
        assert_eq!(text.parse(), Ok(preview));
        for wrong in ["", "x", &text[1..], &format!("{text}00"), &"f".repeat(79)] {
            assert_eq!(wrong.parse::<PreviewToken>(), Err(InvalidToken), "{wrong}");
        }
        // A time that exceeds the supported date range.
        let endless = format!("7f{}", "f".repeat(78));
        assert_eq!(endless.parse::<PreviewToken>(), Err(InvalidToken));
    }

    #[test]
    fn sl_19_tokens_are_read_or_refused() {
        let token = PreviewToken::of(at(0), &digest(LicenseId::generate(), &[], &[]));
        let seeds = [token.to_string().into_bytes()];
        licet_fuzz::fuzz(
            "preview tokens",
            &seeds,
            &["ff", "80000000", "é"],
            |bytes| {
                let text = String::from_utf8_lossy(bytes);
                if let Ok(token) = text.parse::<PreviewToken>() {
                    assert_eq!(token.to_string().parse(), Ok(token));
                    assert!(token.expire_time() >= token.time);
                }
            },
        );
    }
}
