//! What the revocation of certificates would give back (SL-19): told to whoever looks first, and held
//! against what was told when the certificates are revoked. Pure, from what is known of the licence.

use std::{cmp::Reverse, collections::HashSet};

use licet_domain::{clock::Instant, ids::CertificateId, refusal::Refusal};
use uuid::Uuid;

use super::known::{ClaimKind, Hold, Known};
use crate::rules::{
    giving_back::{Facts, Preview},
    name::Name,
};

/// The most SANs of a kind that are told one by one, and the most bytes of their text.
const TOLD: usize = 1000;
const TOLD_BYTES: usize = 1 << 20;
/// The most holders of a SAN that are told.
const TOLD_HOLDERS: usize = 10;

/// What a revocation would give back.
#[derive(Clone, Debug)]
pub(crate) struct GivingBack {
    pub(crate) as_of: Instant,
    pub(crate) returning: Told<Returning>,
    pub(crate) staying: Told<Staying>,
    /// In all, however many SANs are told.
    pub(crate) returning_weight: u64,
    pub(crate) used_before: u64,
    pub(crate) used_after: u64,
    facts: Facts,
}

/// SANs, the first of them one by one.
#[derive(Clone, Debug)]
pub(crate) struct Told<T> {
    /// Ascending by type and value.
    pub(crate) first: Vec<T>,
    pub(crate) count: u64,
    bytes: usize,
}

/// A SAN that returns: nothing else holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Returning {
    pub(crate) name: Name,
    pub(crate) weight: u64,
}

/// A SAN that does not return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Staying {
    pub(crate) name: Name,
    pub(crate) weight: u64,
    /// What else holds it, the last to end first.
    pub(crate) holders: Vec<Holder>,
    pub(crate) holder_count: u64,
}

/// What else holds a SAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) id: Uuid,
    pub(crate) kind: ClaimKind,
    pub(crate) until: Instant,
}

impl<T> Told<T> {
    fn nothing() -> Self {
        Self {
            first: Vec::new(),
            count: 0,
            bytes: 0,
        }
    }

    /// One SAN more; what is told of it is made up only where it is told.
    fn add(&mut self, name: &Name, tell: impl FnOnce() -> T) {
        self.count += 1;
        self.bytes += name.len();
        if self.count <= TOLD as u64 && self.bytes <= TOLD_BYTES {
            self.first.push(tell());
        }
    }
}

impl GivingBack {
    /// What whoever looked at this shows for it.
    pub(crate) fn preview(&self) -> Preview {
        Preview::of(self.as_of, &self.facts)
    }

    /// Whether `preview` was of what is given back now.
    ///
    /// # Errors
    /// PREVIEW_STALE.
    pub(super) fn check(&self, preview: &Preview) -> Result<(), Refusal> {
        preview.check(&self.facts, self.as_of, self.returning_weight)
    }
}

/// What the revocation of certificates gives back now. Each SAN returns with the last that holds it
/// (SL-5): another certificate, or a reservation. Invariant: the certificates are the licence's, and
/// active.
pub(crate) fn giving_back(known: &Known, ids: &[CertificateId]) -> GivingBack {
    let revoked: HashSet<Uuid> = ids.iter().map(CertificateId::uuid).collect();
    let claims = revoked.iter().filter_map(|id| known.claim(*id));
    let mut names: Vec<&Name> = claims.flat_map(|claim| &claim.names).collect();
    names.sort_unstable();
    names.dedup();
    let mut facts = Facts::new(known.terms().license_id, ids);
    let (mut returning, mut staying) = (Told::nothing(), Told::nothing());
    let (mut returning_weight, mut used_after) = (0, known.used());
    let is_other = |hold: &&Hold| !revoked.contains(&hold.claim);
    for name in names {
        let weight = known.weight(name);
        let others = || known.holds(name).iter().filter(is_other);
        if !others().any(|hold| hold.kind == ClaimKind::Active) {
            used_after -= weight;
        }
        if others().next().is_none() {
            returning_weight += weight;
            facts.add(name, Some(weight));
            returning.add(name, || Returning {
                name: Name::clone(name),
                weight,
            });
        } else {
            facts.add(name, None);
            staying.add(name, || stay(name, weight, others()));
        }
    }
    GivingBack {
        as_of: known.as_of(),
        returning,
        staying,
        returning_weight,
        used_before: known.used(),
        used_after,
        facts,
    }
}

fn stay<'a>(name: &Name, weight: u64, others: impl Iterator<Item = &'a Hold>) -> Staying {
    let mut holders: Vec<_> = others
        .map(|hold| Holder {
            id: hold.claim,
            kind: hold.kind,
            until: hold.until,
        })
        .collect();
    let holder_count = holders.len() as u64;
    holders.sort_unstable_by_key(|holder| (Reverse(holder.until), holder.id));
    holders.truncate(TOLD_HOLDERS);
    Staying {
        name: Name::clone(name),
        weight,
        holders,
        holder_count,
    }
}

#[cfg(test)]
mod tests {
    use licet_domain::refusal::Reason;

    use super::*;
    use crate::{
        quota::known::Claim,
        rules::samples::{draft, instant},
    };

    /// A licence where a wildcard weighs five, as of the first of March.
    fn licensed() -> Known {
        let mut license = draft();
        license.first.options.wildcard_multiplier = 5;
        let now = instant("2026-03-01T00:00:00Z");
        Known::new(license.terms_as_of(now), 1, now)
    }

    fn take(known: &mut Known, kind: ClaimKind, names: &[&str], until: &str) -> Uuid {
        let id = Uuid::now_v7();
        let until = instant(until);
        let claim = Claim {
            kind,
            names: names.iter().map(|name| (*name).into()).collect(),
            until,
            reach: until,
        };
        known.take(id, claim);
        id
    }

    fn certificate(known: &mut Known, names: &[&str], until: &str) -> CertificateId {
        CertificateId::from_uuid(take(known, ClaimKind::Active, names, until))
    }

    const JUNE: &str = "2026-06-01T00:00:00Z";

    #[test]
    fn sl_19_a_san_returns_unless_others_hold_it() {
        let mut known = licensed();
        let names = ["d:a", "d:*.b", "d:c", "d:*.d"];
        let first = certificate(&mut known, &names, JUNE);
        let second = certificate(&mut known, &["d:a", "d:c"], "2026-05-01T00:00:00Z");
        let until = "2026-03-01T00:15:00Z";
        let held = take(&mut known, ClaimKind::Reserved, &["d:c", "d:*.d"], until);
        assert_eq!((known.used(), known.taken()), (12, 12));

        let alone = giving_back(&known, &[first]);
        let returning = Returning {
            name: "d:*.b".into(),
            weight: 5,
        };
        assert_eq!(alone.returning.first, [returning]);
        let reserved = Holder {
            id: held,
            kind: ClaimKind::Reserved,
            until: instant(until),
        };
        let active = Holder {
            id: second.uuid(),
            kind: ClaimKind::Active,
            until: instant("2026-05-01T00:00:00Z"),
        };
        let staying = |name: &str, weight, holders: &[Holder]| Staying {
            name: name.into(),
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
        let both = giving_back(&known, &[first, second]);
        assert_eq!((both.returning_weight, both.used_after), (6, 0));

        // It says what happens.
        let (used, taken) = (known.used(), known.taken());
        known.release(first.uuid());
        assert_eq!(known.used(), alone.used_after);
        assert_eq!(taken - known.taken(), alone.returning_weight);
        known.release(second.uuid());
        assert_eq!(known.used(), both.used_after);
        assert_eq!(used - known.used(), 12);
    }

    #[test]
    fn sl_19_a_preview_fits_as_long_as_the_same_returns() {
        let mut known = licensed();
        let first = certificate(&mut known, &["d:a", "d:b"], JUNE);
        let seen = giving_back(&known, &[first]).preview();
        let check = |known: &Known, seen: &Preview| giving_back(known, &[first]).check(seen);
        // What is not theirs does not matter.
        certificate(&mut known, &["d:c"], JUNE);
        assert_eq!(check(&known, &seen), Ok(()));
        certificate(&mut known, &["d:b"], "2026-03-01T00:10:00Z");
        let refusal = check(&known, &seen).unwrap_err();
        assert_eq!(refusal.reason, Reason::PreviewStale);
        assert_eq!(refusal.metadata["returning_weight"], "1");
        // It expires, and what returns has changed again.
        let seen = giving_back(&known, &[first]).preview();
        known.advance(instant("2026-03-01T00:09:59.999999Z"));
        assert_eq!(check(&known, &seen), Ok(()));
        known.advance(instant("2026-03-01T00:10:00Z"));
        assert!(check(&known, &seen).is_err());
    }

    #[test]
    fn no_more_is_told_than_a_message_holds() {
        let mut known = licensed();
        let long = "x".repeat(2000);
        let names: Vec<_> = (0..1001).map(|n| format!("u:{n:04}{long}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let short: Vec<_> = (0..1001).map(|n| format!("d:{n:04}")).collect();
        let short: Vec<_> = short.iter().map(String::as_str).collect();
        let first = certificate(&mut known, &names, JUNE);
        let second = certificate(&mut known, &short, JUNE);
        for _ in 0..11 {
            certificate(&mut known, &short, JUNE);
        }
        let back = giving_back(&known, &[first, second]);
        assert_eq!((back.returning.count, back.returning_weight), (1001, 1001));
        assert_eq!(back.returning.first.len(), (1 << 20) / 2006);
        assert_eq!((back.staying.count, back.staying.first.len()), (1001, 1000));
        let last = &back.staying.first[999];
        assert_eq!(&*last.name, "d:0999");
        assert_eq!((last.holders.len(), last.holder_count), (10, 11));
    }
}
