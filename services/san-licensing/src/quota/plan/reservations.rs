//! Requests for room and the reservations that grants make (SL-12).

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
    /// Decides a request for room; a repeat gets the first decision.
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
            version: holdings.version,
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

    /// Gives a reservation back.
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
                return Err(reservation.spent("it was given back before"));
            }
            ReservationState::Recorded => {
                return Err(reservation.spent("a certificate was recorded with it"));
            }
            // Its time ran out: it holds nothing any more, and stays as it is.
            ReservationState::Expired => return Ok(reservation),
            ReservationState::Held => {}
        }
        holdings.release(id.uuid());
        self.close(holdings, id, ReservationProgress::Released);
        self.change(license_id, origin).released.push(id);
        reservation.progress = ReservationProgress::Released;
        Ok(reservation)
    }

    /// The reservation of a certificate that is recorded. One that was given back or has lapsed is used
    /// all the same (SL-21), and only once.
    pub(super) fn use_reservation(
        &mut self,
        holdings: &mut Holdings,
        id: ReservationId,
    ) -> Result<(), Refusal> {
        let license_id: LicenseId = holdings.limits().license_id;
        let reservation = self.records.reservation(license_id, id)?;
        match reservation.progress {
            ReservationProgress::Recorded => {
                Err(reservation.spent("another certificate was recorded with it"))
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
        // One end for each, the last of a round: a statement changes a row once.
        self.closed.retain(|closed| closed.id != id.uuid());
        self.closed.push(ClosedDecision {
            id: id.uuid(),
            version: holdings.version,
            progress,
            time: holdings.as_of(),
        });
    }
}

/// The refusal of another request under an id that was used.
fn request_id_reused(origin: &Origin) -> Refusal {
    Refusal::new(
        Reason::RequestIdReused,
        format!(
            "request_id {} was used for another {} request; take a new one",
            origin.request_id, origin.method
        ),
    )
    .with("request_id", &origin.request_id)
}
