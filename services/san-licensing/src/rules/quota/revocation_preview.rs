//! Revocation previews: which SANs a revocation would free (SL-19), computed from the licence's holdings.
//! The revocation compares the preview that was shown with the present one.

use std::{cmp::Reverse, collections::HashSet};

use licet_domain::{clock::Instant, ids::CertificateId, refusal::Refusal};
use uuid::Uuid;

use super::{
    holdings::{ClaimKind, Hold, Holdings},
    preview_token::{PreviewToken, ReturnDigest},
};
use crate::rules::packed_san::PackedSan;

/// The most SANs that a list shows, and the most bytes of their text.
const SHOWN: usize = 1000;
const SHOWN_BYTES: usize = 1 << 20;
/// The most holders shown for a SAN.
const SHOWN_HOLDERS: usize = 10;

/// A preview of a revocation.
#[derive(Clone, Debug)]
pub(crate) struct RevocationPreview {
    pub(crate) as_of: Instant,
    pub(crate) returning: ShownSans<ReturningSan>,
    pub(crate) staying: ShownSans<StayingSan>,
    /// Weight of all returning SANs, shown or not.
    pub(crate) returning_weight: u64,
    pub(crate) used_before: u64,
    pub(crate) used_after: u64,
    digest: ReturnDigest,
}

/// A list of SANs of which only the first are shown.
#[derive(Clone, Debug)]
pub(crate) struct ShownSans<T> {
    /// Ascending by type and value.
    pub(crate) first: Vec<T>,
    pub(crate) count: u64,
    bytes: usize,
}

/// A SAN that would be freed: nothing else holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReturningSan {
    pub(crate) san: PackedSan,
    pub(crate) weight: u64,
}

/// A SAN that would stay held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StayingSan {
    pub(crate) san: PackedSan,
    pub(crate) weight: u64,
    /// Its other holders, the last to end first.
    pub(crate) holders: Vec<SanHolder>,
    pub(crate) holder_count: u64,
}

/// Another holder of a SAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SanHolder {
    pub(crate) id: Uuid,
    pub(crate) kind: ClaimKind,
    pub(crate) until: Instant,
}

impl<T> ShownSans<T> {
    fn nothing() -> Self {
        Self {
            first: Vec::new(),
            count: 0,
            bytes: 0,
        }
    }

    /// Adds a SAN. Builds its details only if they are shown.
    fn add(&mut self, san: &PackedSan, details: impl FnOnce() -> T) {
        self.count += 1;
        self.bytes += san.len();
        if self.count <= SHOWN as u64 && self.bytes <= SHOWN_BYTES {
            self.first.push(details());
        }
    }
}

impl RevocationPreview {
    /// The token that proves that its holder has seen this preview.
    pub(crate) fn token(&self) -> PreviewToken {
        PreviewToken::of(self.as_of, &self.digest)
    }

    /// Checks that `token` is of this preview.
    ///
    /// # Errors
    /// PREVIEW_STALE.
    pub(crate) fn check(&self, token: &PreviewToken) -> Result<(), Refusal> {
        token.check(&self.digest, self.as_of, self.returning_weight)
    }
}

/// Previews the revocation of certificates. A SAN is freed with its last holder, certificate or reservation
/// (SL-5). Invariant: the certificates are active ones of the licence.
pub(crate) fn preview_revocation(holdings: &Holdings, ids: &[CertificateId]) -> RevocationPreview {
    let revoked: HashSet<Uuid> = ids.iter().map(CertificateId::uuid).collect();
    let claims = revoked.iter().filter_map(|id| holdings.claim(*id));
    let mut sans: Vec<&PackedSan> = claims.flat_map(|claim| &claim.sans).collect();
    sans.sort_unstable();
    sans.dedup();
    let mut digest = ReturnDigest::new(holdings.limits().license_id, ids);
    let (mut returning, mut staying) = (ShownSans::nothing(), ShownSans::nothing());
    let (mut returning_weight, mut used_after) = (0, holdings.used());
    let is_other = |hold: &&Hold| !revoked.contains(&hold.claim);
    for san in sans {
        let weight = holdings.weight(san);
        let others = || holdings.holds(san).iter().filter(is_other);
        if !others().any(|hold| hold.kind == ClaimKind::Active) {
            used_after -= weight;
        }
        if others().next().is_none() {
            returning_weight += weight;
            digest.add(san, Some(weight));
            returning.add(san, || ReturningSan {
                san: PackedSan::clone(san),
                weight,
            });
        } else {
            digest.add(san, None);
            staying.add(san, || staying_san(san, weight, others()));
        }
    }
    RevocationPreview {
        as_of: holdings.as_of(),
        returning,
        staying,
        returning_weight,
        used_before: holdings.used(),
        used_after,
        digest,
    }
}

fn staying_san<'a>(
    san: &PackedSan,
    weight: u64,
    others: impl Iterator<Item = &'a Hold>,
) -> StayingSan {
    let mut holders: Vec<_> = others
        .map(|hold| SanHolder {
            id: hold.claim,
            kind: hold.kind,
            until: hold.until,
        })
        .collect();
    let holder_count = holders.len() as u64;
    holders.sort_unstable_by_key(|holder| (Reverse(holder.until), holder.id));
    holders.truncate(SHOWN_HOLDERS);
    StayingSan {
        san: PackedSan::clone(san),
        weight,
        holders,
        holder_count,
    }
}

#[cfg(test)]
mod tests {
    use licet_domain::refusal::Reason;

    use super::*;
    use crate::rules::{
        quota::{fence_version::FenceVersion, holdings::Claim},
        samples::{draft, instant},
    };

    /// A licence as of 1 March 2026; a wildcard weighs five.
    fn licensed() -> Holdings {
        let mut license = draft();
        license.first.options.wildcard_multiplier = 5;
        let now = instant("2026-03-01T00:00:00Z");
        Holdings::new(license.limits_as_of(now), FenceVersion::first(), now)
    }

    fn take(holdings: &mut Holdings, kind: ClaimKind, sans: &[&str], until: &str) -> Uuid {
        let id = Uuid::now_v7();
        let until = instant(until);
        let claim = Claim {
            kind,
            sans: sans.iter().map(|san| (*san).into()).collect(),
            until,
            reach: until,
        };
        holdings.add(id, claim);
        id
    }

    fn certificate(holdings: &mut Holdings, sans: &[&str], until: &str) -> CertificateId {
        CertificateId::from_uuid(take(holdings, ClaimKind::Active, sans, until))
    }

    const JUNE: &str = "2026-06-01T00:00:00Z";

    #[test]
    fn sl_19_a_san_returns_unless_others_hold_it() {
        let mut holdings = licensed();
        let sans = ["d:a", "d:*.b", "d:c", "d:*.d"];
        let first = certificate(&mut holdings, &sans, JUNE);
        let second = certificate(&mut holdings, &["d:a", "d:c"], "2026-05-01T00:00:00Z");
        let until = "2026-03-01T00:15:00Z";
        let held = take(&mut holdings, ClaimKind::Reserved, &["d:c", "d:*.d"], until);
        assert_eq!((holdings.used(), holdings.held()), (12, 12));

        let alone = preview_revocation(&holdings, &[first]);
        let returning = ReturningSan {
            san: "d:*.b".into(),
            weight: 5,
        };
        assert_eq!(alone.returning.first, [returning]);
        let reserved = SanHolder {
            id: held,
            kind: ClaimKind::Reserved,
            until: instant(until),
        };
        let active = SanHolder {
            id: second.uuid(),
            kind: ClaimKind::Active,
            until: instant("2026-05-01T00:00:00Z"),
        };
        let staying = |san: &str, weight, holders: &[SanHolder]| StayingSan {
            san: san.into(),
            weight,
            holders: holders.to_vec(),
            holder_count: holders.len() as u64,
        };
        assert_eq!(
            alone.staying.first,
            [
                staying("d:*.d", 5, &[reserved]),
                staying("d:a", 1, &[active]),
                staying("d:c", 1, &[active, reserved]),
            ]
        );
        assert_eq!((alone.returning.count, alone.staying.count), (1, 3));
        assert_eq!(
            (alone.returning_weight, alone.used_before, alone.used_after),
            (5, 12, 2)
        );
        let both = preview_revocation(&holdings, &[first, second]);
        assert_eq!((both.returning_weight, both.used_after), (6, 0));

        // The revocations have the previewed effect.
        let (used, held) = (holdings.used(), holdings.held());
        holdings.release(first.uuid());
        assert_eq!(holdings.used(), alone.used_after);
        assert_eq!(held - holdings.held(), alone.returning_weight);
        holdings.release(second.uuid());
        assert_eq!(holdings.used(), both.used_after);
        assert_eq!(used - holdings.used(), 12);
    }

    #[test]
    fn sl_19_a_preview_fits_as_long_as_the_same_returns() {
        let mut holdings = licensed();
        let first = certificate(&mut holdings, &["d:a", "d:b"], JUNE);
        let seen = preview_revocation(&holdings, &[first]).token();
        let check = |holdings: &Holdings, seen: &PreviewToken| {
            preview_revocation(holdings, &[first]).check(seen)
        };
        // A SAN that the certificate does not carry does not matter.
        certificate(&mut holdings, &["d:c"], JUNE);
        assert_eq!(check(&holdings, &seen), Ok(()));
        certificate(&mut holdings, &["d:b"], "2026-03-01T00:10:00Z");
        let refusal = check(&holdings, &seen).unwrap_err();
        assert_eq!(refusal.reason, Reason::PreviewStale);
        assert_eq!(refusal.metadata["returning_weight"], "1");
        // When the other certificate expires, the preview changes again.
        let seen = preview_revocation(&holdings, &[first]).token();
        holdings.advance(instant("2026-03-01T00:09:59.999999Z"));
        assert_eq!(check(&holdings, &seen), Ok(()));
        holdings.advance(instant("2026-03-01T00:10:00Z"));
        assert!(check(&holdings, &seen).is_err());
    }

    #[test]
    fn no_more_is_shown_than_a_message_holds() {
        let mut holdings = licensed();
        let long = "x".repeat(2000);
        let sans: Vec<_> = (0..1001).map(|n| format!("u:{n:04}{long}")).collect();
        let sans: Vec<_> = sans.iter().map(String::as_str).collect();
        let short: Vec<_> = (0..1001).map(|n| format!("d:{n:04}")).collect();
        let short: Vec<_> = short.iter().map(String::as_str).collect();
        let first = certificate(&mut holdings, &sans, JUNE);
        let second = certificate(&mut holdings, &short, JUNE);
        for _ in 0..11 {
            certificate(&mut holdings, &short, JUNE);
        }
        let back = preview_revocation(&holdings, &[first, second]);
        assert_eq!((back.returning.count, back.returning_weight), (1001, 1001));
        assert_eq!(back.returning.first.len(), (1 << 20) / 2006);
        assert_eq!((back.staying.count, back.staying.first.len()), (1001, 1000));
        let last = &back.staying.first[999];
        assert_eq!(&*last.san, "d:0999");
        assert_eq!((last.holders.len(), last.holder_count), (10, 11));
    }
}
