//! Finds the licence in which a certificate counts: the account's licence for its product (SL-20), or else
//! the one that its reservation was granted under. Looks up many certificates at a time.

use licet_domain::{ids::LicenseId, refusal::Refusal};
use licet_runtime::{
    database::Database,
    fault::{Fault, TransientReason},
};
use tokio::sync::oneshot;

use super::{
    command::{Once, Placement, Record, Requester},
    submission::{Change, Pending, Submission},
};
use crate::{
    rules::not_found,
    store::{
        self,
        certificates::{CoverageQuery, CoveringLicenses},
    },
};

/// A certificate to be recorded in a licence yet to be found.
pub(super) struct UnplacedRecord {
    pub(super) requester: Requester,
    pub(super) once: Once<Record>,
    pub(super) sender: oneshot::Sender<Result<Placement, Fault>>,
}

/// Finds the licences with one read for all, and replies to commands whose certificate none covers.
pub(super) async fn place(
    database: &Database,
    unplaced: Vec<UnplacedRecord>,
) -> Vec<Submission<Change>> {
    let wanted: Vec<_> = unplaced
        .iter()
        .map(|unplaced| {
            CoverageQuery::of(&unplaced.once.command.certificate, unplaced.requester.clock)
        })
        .collect();
    let found = store::certificates::find_covering(database.read_alone(), &wanted).await;
    let covering = match found {
        Ok(covering) => covering,
        Err(fault) => {
            tracing::error!(?fault, "the licences of certificates could not be read");
            for unplaced in unplaced {
                let fault = fault.clone_transient().unwrap_or_else(unread);
                let _ = unplaced.sender.send(Err(fault));
            }
            return Vec::new();
        }
    };
    let each = unplaced.into_iter().zip(covering);
    each.filter_map(|(unplaced, covering)| submit(unplaced, covering))
        .collect()
}

fn unread() -> Fault {
    Fault::transient(
        TransientReason::Overloaded,
        "the certificate's licence could not be read; retry with the same request_id",
    )
}

fn submit(mut unplaced: UnplacedRecord, covering: CoveringLicenses) -> Option<Submission<Change>> {
    let reply = match find(&unplaced, covering) {
        Ok(Some(license_id)) => {
            // A reservation under an ended licence does not bind the licence that covers the certificate
            // now (SL-21).
            let is_other = covering.by_reservation.is_some_and(|id| id != license_id);
            if is_other && !covering.reservation_runs {
                unplaced.once.command.certificate.reservation_id = None;
            }
            return Some(Submission {
                license_id,
                requester: unplaced.requester,
                command: Change::Record(Pending::new(unplaced.once, unplaced.sender)),
            });
        }
        Ok(None) => Ok(Placement::Uncovered {
            certificate: Box::new(unplaced.once.command.certificate),
            reserved_under: covering.by_reservation,
        }),
        Err(refusal) => Err(refusal.into()),
    };
    // The caller may be gone.
    let _ = unplaced.sender.send(reply);
    None
}

/// The licence, or `None` if none covers the certificate (SL-16). An unknown reservation is not refused here
/// but with the recording, so that a repeat gets the same refusal (BL-2).
fn find(
    unplaced: &UnplacedRecord,
    covering: CoveringLicenses,
) -> Result<Option<LicenseId>, Refusal> {
    let account_id = unplaced.once.command.certificate.key.account_id;
    if !unplaced.requester.scope.sees(account_id) {
        return Err(not_found("account", account_id));
    }
    let running = covering
        .by_reservation
        .filter(|_| covering.reservation_runs);
    Ok(covering.by_product.or(running))
}
