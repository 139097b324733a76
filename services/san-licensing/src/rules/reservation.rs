//! Reservations: SANs held for a certificate that is about to be signed (SL-12).

use licet_domain::{
    clock::Instant,
    ids::{LicenseId, ReservationId},
    refusal::{Reason, Refusal},
    worded,
};

use super::packed_san::PackedSan;

worded! {
    /// Stored progress of a reservation. Whether it has expired follows from its expire time.
    pub(crate) enum ReservationProgress {
        /// Granted, with no change since.
        Granted = "GRANTED",
        /// Released before its time.
        Released = "RELEASED",
        /// A certificate was recorded with it.
        Recorded = "RECORDED",
    }
}

/// State of a reservation at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReservationState {
    /// It holds its SANs.
    Held,
    /// A certificate was recorded with it.
    Recorded,
    /// It was released before its time.
    Released,
    /// It has expired.
    Expired,
}

/// A reservation, in any state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub(crate) id: ReservationId,
    pub(crate) license_id: LicenseId,
    /// Distinct, ascending.
    pub(crate) sans: Vec<PackedSan>,
    pub(crate) decide_time: Instant,
    /// The first instant at which it no longer holds SANs, unless it ends before.
    pub(crate) expire_time: Instant,
    pub(crate) progress: ReservationProgress,
}

impl Reservation {
    /// The refusal to use it: `why` it is spent.
    pub(crate) fn spent(&self, why: &str) -> Refusal {
        Refusal::new(
            Reason::ReservationSpent,
            format!("reservation {} is spent: {why}", self.id),
        )
        .with("reservation_id", self.id)
        .with("state", self.progress.as_str())
    }

    /// Its state at `now`.
    pub(crate) fn state(&self, now: Instant) -> ReservationState {
        match self.progress {
            ReservationProgress::Granted if self.expire_time <= now => ReservationState::Expired,
            ReservationProgress::Granted => ReservationState::Held,
            ReservationProgress::Released => ReservationState::Released,
            ReservationProgress::Recorded => ReservationState::Recorded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SL-5: to the microsecond, and without a sweep.
    #[test]
    fn sl_5_a_reservation_ends_at_its_very_instant() {
        let at = |micros| Instant::from_micros(micros).unwrap();
        let mut reservation = Reservation {
            id: ReservationId::generate(),
            license_id: LicenseId::generate(),
            sans: vec!["d:example.com".into()],
            decide_time: at(0),
            expire_time: at(10),
            progress: ReservationProgress::Granted,
        };
        assert_eq!(reservation.state(at(9)), ReservationState::Held);
        assert_eq!(reservation.state(at(10)), ReservationState::Expired);
        reservation.progress = ReservationProgress::Released;
        assert_eq!(reservation.state(at(10)), ReservationState::Released);
    }
}
