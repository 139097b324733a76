//! Authorisations, and the reservations that grants create (SL-12).

use licet_domain::{
    ids::{LicenseId, ReservationId},
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
        let (license_id, request) = (holdings.limits().license_id, &command.request);
        if let Some(first) = self.records.decisions.get(&request.id) {
            if first.fingerprint != command.fingerprint || first.license_id != license_id {
                return Err(request_id_reused(origin));
            }
            return Ok(first.decision.clone());
        }
        let decision = authorize(holdings, request);
        let new = NewDecision {
            license_id,
            id: request.id,
            version: holdings.version.number,
            fingerprint: command.fingerprint,
            sans: request.sans.clone(),
            until: request.until(),
            decision: decision.clone(),
        };
        self.records
            .decisions
            .insert(request.id, DecisionRecord::from(&new));
        self.decisions.push(new);
        let change = self.change(license_id, origin);
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
        let license_id = holdings.limits().license_id;
        let mut reservation = self.records.reservation(license_id, id)?;
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
        self.change(license_id, origin).released.push(id);
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
        let license_id: LicenseId = holdings.limits().license_id;
        let reservation = self.records.reservation(license_id, id)?;
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
        if let Some(first) = self.records.decisions.get_mut(&id.uuid()) {
            first.progress = Some(progress);
        }
        // The last end of a round replaces earlier ones: a statement may change a row only once.
        self.closed.retain(|closed| closed.id != id.uuid());
        self.closed.push(ClosedDecision {
            id: id.uuid(),
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
