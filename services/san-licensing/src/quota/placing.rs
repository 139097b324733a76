//! Which licence a certificate to be recorded counts in: in the account's licence for its product
//! (SL-20), or else in the one that its reservation was granted under. Asked for many at a time.

use licet_domain::{clock::Instant, ids::LicenseId, refusal::Refusal};
use licet_runtime::{
    caller::{AccountScope, Origin},
    database::Database,
    fault::{Fault, PassingReason},
};
use tokio::sync::oneshot;

use super::committer::{Answer, Command, Once, Submission};
use crate::{
    rules::{certificate::Certificate, not_found},
    store::{
        self,
        certificates::{Covering, Wanted},
    },
};

/// A certificate to be recorded, whose licence is to be found.
pub(super) struct Unplaced {
    pub(super) scope: AccountScope,
    pub(super) origin: Origin,
    /// The clock when the request was accepted (T-3).
    pub(super) clock: Instant,
    pub(super) certificate: Certificate,
    pub(super) once: Once,
    pub(super) reply: oneshot::Sender<Result<Answer, Fault>>,
}

/// Finds the licences, with one read for all; answers those that count nowhere.
pub(super) async fn place(database: &Database, unplaced: Vec<Unplaced>) -> Vec<Submission> {
    let wanted: Vec<_> = unplaced
        .iter()
        .map(|unplaced| Wanted::of(&unplaced.certificate, unplaced.clock))
        .collect();
    let found = store::certificates::find_covering(database.read_alone(), &wanted).await;
    let covering = match found {
        Ok(covering) => covering,
        Err(fault) => {
            tracing::error!(?fault, "licences of certificates could not be found");
            for unplaced in unplaced {
                let fault = fault.shared_passing().unwrap_or_else(unread);
                let _ = unplaced.reply.send(Err(fault));
            }
            return Vec::new();
        }
    };
    let each = unplaced.into_iter().zip(covering);
    each.filter_map(|(unplaced, covering)| submit(unplaced, covering))
        .collect()
}

fn unread() -> Fault {
    Fault::passing(
        PassingReason::Overloaded,
        "the certificate's licence could not be read; ask again with the same request_id",
    )
}

fn submit(mut unplaced: Unplaced, covering: Covering) -> Option<Submission> {
    let answer = match find(&unplaced, covering) {
        Ok(Some(license_id)) => {
            // What an ended licence reserved binds its successor in nothing: the certificate exists,
            // and counts (SL-21).
            let is_other = covering.by_reservation.is_some_and(|id| id != license_id);
            if is_other && !covering.reservation_runs {
                unplaced.certificate.reservation_id = None;
            }
            return Some(Submission {
                license_id,
                scope: unplaced.scope,
                origin: unplaced.origin,
                clock: unplaced.clock,
                command: Command::Record(unplaced.certificate),
                once: Some(unplaced.once),
                reply: unplaced.reply,
            });
        }
        Ok(None) => Ok(Answer::Uncovered {
            certificate: unplaced.certificate,
            reserved_under: covering.by_reservation,
        }),
        Err(refusal) => Err(refusal.into()),
    };
    // A caller that left needs no answer.
    let _ = unplaced.reply.send(answer);
    None
}

/// The licence, or none (SL-16). The account need not have a licence yet, as in a feed: the
/// certificate waits for one. A reservation that is not there is refused where the request is
/// recorded, so that a repeat gets the same refusal (BL-2).
fn find(unplaced: &Unplaced, covering: Covering) -> Result<Option<LicenseId>, Refusal> {
    let account_id = unplaced.certificate.key.account_id;
    if !unplaced.scope.sees(account_id) {
        return Err(not_found("account", account_id));
    }
    let running = covering
        .by_reservation
        .filter(|_| covering.reservation_runs);
    Ok(covering.by_product.or(running))
}
