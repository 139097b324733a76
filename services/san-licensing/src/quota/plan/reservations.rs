//! Authorisations, and the reservations that grants create (SL-12).

use licet_domain::{
    ids::ReservationId,
    refusal::{Reason, Refusal},
};
use licet_runtime::caller::Origin;

use super::Plan;
use crate::{
    quota::command::{Authorize, Release},
    rules::{
        decision::Decision,
        quota::{authorize::authorize, holdings::Holdings},
        reservation::{Reservation, ReservationProgress, ReservationState},
    },
    store::decisions::{ClosedDecision, DecisionRecord, NewDecision},
};

impl Plan {
    /// Decides an authorisation. A repeat gets the first decision.
    pub(in crate::quota) fn authorize(
        &mut self,
        holdings: &mut Holdings,
        origin: &Origin,
        command: &Authorize,
    ) -> Result<Decision, Refusal> {
        let (license, request) = (holdings.limits().key(), &command.request);
        let key = (license.account_id, request.id);
        if let Some(first) = self.records.decisions.get(&key) {
            if first.fingerprint != command.fingerprint || first.license_id != license.id {
                return Err(request_id_reused(origin));
            }
            return Ok(first.decision.clone());
        }
        let decision = authorize(holdings, request);
        let new = NewDecision {
            license,
            id: request.id,
            version: holdings.version.number,
            fingerprint: command.fingerprint,
            sans: request.sans.clone(),
            until: request.until(),
            decision: decision.clone(),
        };
        self.records
            .decisions
            .insert(key, DecisionRecord::from(&new));
        self.decisions.push(new);
        let change = self.change(license.id, origin);
        if decision.is_granted() {
            change.granted.push(ReservationId::from_uuid(request.id));
        } else {
            change.denied += 1;
        }
        Ok(decision)
    }

    /// Releases a reservation.
    pub(in crate::quota) fn release(
        &mut self,
        holdings: &mut Holdings,
        origin: &Origin,
        Release { id }: Release,
    ) -> Result<Reservation, Refusal> {
        let license = holdings.limits().key();
        let mut reservation = self.records.reservation(license, id)?;
        match reservation.state(holdings.as_of()) {
            ReservationState::Released => {
                return Err(reservation.spent("it was already released"));
            }
            ReservationState::Recorded => {
                return Err(reservation.spent("it was already used to record a certificate"));
            }
            // An expired reservation holds nothing, and needs no change.
            ReservationState::Expired => return Ok(reservation),
            ReservationState::Held => {}
        }
        holdings.release(id.uuid());
        self.close(holdings, id, ReservationProgress::Released);
        self.change(license.id, origin).released.push(id);
        reservation.progress = ReservationProgress::Released;
        Ok(reservation)
    }

    /// Marks a certificate's reservation as recorded, once. It may have been released or have expired
    /// (SL-21).
    pub(super) fn use_reservation(
        &mut self,
        holdings: &mut Holdings,
        id: ReservationId,
    ) -> Result<(), Refusal> {
        let reservation = self.records.reservation(holdings.limits().key(), id)?;
        match reservation.progress {
            ReservationProgress::Recorded => {
                Err(reservation.spent("it was already used to record another certificate"))
            }
            ReservationProgress::Released | ReservationProgress::Granted => {
                holdings.release(id.uuid());
                self.close(holdings, id, ReservationProgress::Recorded);
                Ok(())
            }
        }
    }

    fn close(&mut self, holdings: &Holdings, id: ReservationId, progress: ReservationProgress) {
        let key = (holdings.limits().account_id, id.uuid());
        if let Some(first) = self.records.decisions.get_mut(&key) {
            first.progress = Some(progress);
        }
        // The last end of a round replaces earlier ones: a statement may change a row only once.
        self.closed.retain(|closed| closed.key != key);
        self.closed.push(ClosedDecision {
            key,
            version: holdings.version.number,
            progress,
            time: holdings.as_of(),
        });
    }
}

/// The refusal of another request under a used id.
fn request_id_reused(origin: &Origin) -> Refusal {
    Refusal::new(
        Reason::RequestIdReused,
        format!(
            "request_id {} was used for another {} request; use a new one",
            origin.request_id, origin.method
        ),
    )
    .with("request_id", &origin.request_id)
}
