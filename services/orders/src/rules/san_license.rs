//! Orders that draw on a SAN licence: which licence an order may draw on, and what to release
//! there. SanLicensing decides what fits its quota.

use std::collections::BTreeSet;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CertificateId, LicenseId, ProductId, ReservationId},
    refusal::{Reason, Refusal},
    revocation::RevocationReason,
    term::Period,
    worded,
};
use serde::{Deserialize, Serialize};

use super::{
    certificate::{Certificate, LicenseRecord},
    not_found,
    order::Order,
    product::Product,
};

/// The most domains of an order that draws on a SAN licence: the limit of one authorisation.
const MAX_AUTHORIZED_NAMES: u32 = 200;

worded! {
    /// The state of a SAN licence, in the contract's words.
    pub(crate) enum LicenseState {
        /// Quoted; not accepted yet.
        Quoted = "QUOTED",
        /// Accepted; its charge is under way.
        Accepting = "ACCEPTING",
        /// Accepted and charged.
        Active = "ACTIVE",
        /// Its last term is over.
        Ended = "ENDED",
        /// Withdrawn, or ended before its time.
        Cancelled = "CANCELLED",
    }
}

/// What of a SAN licence decides whether an order may draw on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct License {
    pub(crate) id: LicenseId,
    pub(crate) account_id: AccountId,
    pub(crate) state: LicenseState,
    pub(crate) products: BTreeSet<ProductId>,
    /// The periods of its terms, oldest first; none for a quote that starts when it is accepted.
    pub(crate) periods: Vec<Period>,
}

/// The product of the licence that an order's certificates count as (X-4, SL-20): the order's own
/// if the licence has it, else the licence's first *(ours)*. All count in the same quota.
///
/// The licence must belong to the order's account and run at `now`, the order's decision time; if
/// it has ended since, that does not matter (T-3). Whether the SANs fit is asked before a
/// certificate is signed.
pub(crate) fn draw_on(
    license: &License,
    account_id: AccountId,
    product_id: &ProductId,
    now: Instant,
) -> Result<ProductId, Refusal> {
    if license.account_id != account_id {
        return Err(not_found("license", license.id));
    }
    let charged = match license.state {
        LicenseState::Active | LicenseState::Ended => true,
        LicenseState::Quoted | LicenseState::Accepting | LicenseState::Cancelled => false,
    };
    let runs = license.periods.iter().any(|period| period.contains(now));
    let own = license.products.get(product_id);
    match own.or_else(|| license.products.first()) {
        Some(found) if charged && runs => Ok(found.clone()),
        Some(_) | None => Err(not_active(license, now)),
    }
}

fn not_active(license: &License, now: Instant) -> Refusal {
    let id = license.id;
    let state = match license.state {
        // A charged licence without a term at `now`: its next term has not begun, or its last one
        // is over.
        LicenseState::Active | LicenseState::Ended => {
            let mut starts = license.periods.iter().map(|period| period.start);
            if let Some(start) = starts.find(|start| now < *start) {
                return Refusal::new(
                    Reason::LicenseNotActive,
                    format!("SAN licence {id} starts at {start}: it cannot be drawn on at {now}"),
                )
                .with("license_id", id)
                .with("start_time", start);
            }
            LicenseState::Ended
        }
        state @ (LicenseState::Quoted | LicenseState::Accepting | LicenseState::Cancelled) => state,
    };
    let state = state.as_str();
    Refusal::new(
        Reason::LicenseNotActive,
        format!("SAN licence {id} is {state}: it cannot be drawn on at {now}"),
    )
    .with("license_id", id)
    .with("state", state)
}

/// The most domains of an order of the product, including the common name.
pub(crate) fn name_limit(product: &Product, draws_on_license: bool) -> u32 {
    let limit = product.name_limit();
    if draws_on_license {
        limit.min(MAX_AUTHORIZED_NAMES)
    } else {
        limit
    }
}

/// A revocation to make in a SAN licence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LicenseRevocation {
    /// The certificate's id in Orders.
    pub(crate) certificate_id: CertificateId,
    #[serde(rename = "counted")]
    pub(crate) license_record: LicenseRecord,
    pub(crate) reason: RevocationReason,
}

impl LicenseRevocation {
    /// For a certificate that counts as revoked; `None` if it counts in no licence.
    pub(crate) fn of_revoked(found: &Certificate) -> Option<Self> {
        Self::of(found, Self::reason_of(found))
    }

    /// Why a certificate counts as revoked: the reason given, else that its order was deleted, else
    /// that a newer one replaced it.
    pub(crate) fn reason_of(found: &Certificate) -> RevocationReason {
        let derived = if found.to_revoke || found.superseded_time.is_none() {
            RevocationReason::CessationOfOperation
        } else {
            RevocationReason::Superseded
        };
        found.revoke_reason.unwrap_or(derived)
    }

    fn of_deleted(found: &Certificate) -> Option<Self> {
        Self::of(found, RevocationReason::CessationOfOperation)
    }

    fn of(found: &Certificate, reason: RevocationReason) -> Option<Self> {
        let license_record = found.license_record?;
        Some(Self {
            certificate_id: found.id,
            license_record,
            reason,
        })
    }
}

/// Everything that a deleted order held of its SAN licence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LicenseReleasePlan {
    pub(crate) license_id: LicenseId,
    pub(crate) reservation_id: Option<ReservationId>,
    pub(crate) certificates: Vec<LicenseRevocation>,
}

/// What the deletion of an order releases in its SAN licence: its reservation, and the SANs
/// of the certificates that it invalidates. `None` if it holds nothing.
pub(crate) fn plan_license_release(
    order: &Order,
    certificates: &[Certificate],
    invalidated: &[CertificateId],
) -> Option<LicenseReleasePlan> {
    let falling = certificates
        .iter()
        .filter(|found| invalidated.contains(&found.id));
    let release = LicenseReleasePlan {
        license_id: order.san_license_id?,
        reservation_id: order.reservation_id,
        certificates: falling.filter_map(LicenseRevocation::of_deleted).collect(),
    };
    let holds = release.reservation_id.is_some() || !release.certificates.is_empty();
    holds.then_some(release)
}

#[cfg(test)]
mod tests {
    use super::{
        super::samples::{certificate, instant, multi_domain, order, single_domain},
        *,
    };

    fn license(products: &[&str]) -> License {
        let start = instant("2026-01-01T00:00:00Z");
        let end = instant("2027-01-01T00:00:00Z");
        License {
            id: LicenseId::generate(),
            account_id: AccountId::generate(),
            state: LicenseState::Active,
            products: products.iter().map(|id| id.parse().unwrap()).collect(),
            periods: Period::new(start, end).into_iter().collect(),
        }
    }

    fn draw(license: &License, now: &str) -> Result<String, Reason> {
        let product = "multi-domain-dv".parse().unwrap();
        draw_on(license, license.account_id, &product, instant(now))
            .map(|id| id.to_string())
            .map_err(|refusal| refusal.reason)
    }

    #[test]
    fn x_4_the_orders_product_counts_or_else_the_licenses_first() {
        let now = "2026-06-01T00:00:00Z";
        let own = license(&["a-dv", "multi-domain-dv"]);
        assert_eq!(draw(&own, now).as_deref(), Ok("multi-domain-dv"));
        let other = license(&["b-dv", "a-dv"]);
        assert_eq!(draw(&other, now).as_deref(), Ok("a-dv"));
    }

    #[test]
    fn x_4_a_license_of_another_account_is_not_there() {
        let license = license(&["a-dv"]);
        let refusal = draw_on(
            &license,
            AccountId::generate(),
            &"a-dv".parse().unwrap(),
            instant("2026-06-01T00:00:00Z"),
        )
        .unwrap_err();
        assert_eq!(refusal.reason, Reason::NotFound);
        assert_eq!(refusal.metadata["resource"], "license");
    }

    #[test]
    fn sl_11_only_a_running_license_is_drawn_on() {
        let first = "2026-01-01T00:00:00Z";
        let mut found = license(&["a-dv"]);
        assert!(draw(&found, first).is_ok());
        assert_eq!(
            draw(&found, "2025-12-31T23:59:59.999999Z"),
            Err(Reason::LicenseNotActive)
        );
        assert_eq!(
            draw(&found, "2027-01-01T00:00:00Z"),
            Err(Reason::LicenseNotActive)
        );
        // Ended since: a decision within its term stays valid (T-3).
        found.state = LicenseState::Ended;
        assert!(draw(&found, first).is_ok());
        // So does one in a term before the running one.
        found.state = LicenseState::Active;
        let next = Period::new(
            instant("2027-01-05T00:00:00Z"),
            instant("2028-01-01T00:00:00Z"),
        );
        found.periods.extend(next);
        assert!(draw(&found, first).is_ok());
        assert!(draw(&found, "2027-01-05T00:00:00Z").is_ok());
        assert_eq!(
            draw(&found, "2027-01-04T00:00:00Z"),
            Err(Reason::LicenseNotActive)
        );
        for state in [
            LicenseState::Quoted,
            LicenseState::Accepting,
            LicenseState::Cancelled,
        ] {
            found.state = state;
            assert_eq!(draw(&found, first), Err(Reason::LicenseNotActive));
        }
    }

    #[test]
    fn x_4_an_order_has_no_more_names_than_one_authorisation_takes() {
        let product = Product {
            max_domains: 1000,
            ..multi_domain()
        };
        assert_eq!(
            (name_limit(&product, false), name_limit(&product, true)),
            (1000, 200)
        );
        assert_eq!(name_limit(&single_domain(), true), 1);
    }

    #[test]
    fn x_3_a_deletion_releases_the_reservation_and_what_falls_with_it() {
        let mut order = order(&["a.test"]);
        let license_record = || {
            let (license_id, certificate_id) = (LicenseId::generate(), CertificateId::generate());
            Some(LicenseRecord {
                license_id,
                certificate_id,
            })
        };
        let [mut falls, mut stays] = [certificate(&["a.test"]), certificate(&["a.test"])];
        (falls.license_record, stays.license_record) = (license_record(), license_record());
        let uncounted = certificate(&["a.test"]);
        let invalidated = [falls.id, uncounted.id];
        let all = [falls.clone(), stays, uncounted];
        assert_eq!(plan_license_release(&order, &all, &invalidated), None);

        order.san_license_id = Some(LicenseId::generate());
        let back = plan_license_release(&order, &all, &invalidated).unwrap();
        let ids: Vec<_> = back
            .certificates
            .iter()
            .map(|found| found.certificate_id)
            .collect();
        assert_eq!((ids, back.reservation_id), (vec![falls.id], None));
        assert_eq!(plan_license_release(&order, &all, &[]), None);
        order.reservation_id = Some(ReservationId::generate());
        let back = plan_license_release(&order, &all, &[]).unwrap();
        assert_eq!(back.reservation_id, order.reservation_id);
    }

    #[test]
    fn x_3_a_certificate_returns_for_the_reason_that_it_fell_for() {
        let mut found = certificate(&["a.test"]);
        assert_eq!(LicenseRevocation::of_deleted(&found), None);
        found.license_record = Some(LicenseRecord {
            license_id: LicenseId::generate(),
            certificate_id: CertificateId::generate(),
        });
        let reason =
            |found: &Certificate| LicenseRevocation::of_revoked(found).map(|back| back.reason);
        found.superseded_time = Some(found.record_time);
        assert_eq!(reason(&found), Some(RevocationReason::Superseded));
        // Superseded, and then its order deleted: both derive the same reason.
        found.to_revoke = true;
        assert_eq!(reason(&found), Some(RevocationReason::CessationOfOperation));
        assert_eq!(
            LicenseRevocation::of_deleted(&found),
            LicenseRevocation::of_revoked(&found)
        );
    }
}
