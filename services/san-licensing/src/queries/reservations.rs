//! Reads reservations.

use licet_domain::{clock::Instant, ids::LicenseId};
use licet_runtime::{
    caller::Call,
    database::Database,
    fault::Fault,
    page::{Page, time_key},
};

use super::{san_bytes, visible_license::VisibleLicense};
use crate::{rules::reservation::Reservation, store};

/// A page of reservations, oldest first.
pub(crate) struct ReservationPage {
    pub(crate) reservations: Vec<Reservation>,
    /// The instant of their states.
    pub(crate) now: Instant,
    pub(crate) next_page_token: String,
}

/// Lists the reservations that hold SANs now, oldest first.
pub(crate) async fn list(
    database: &Database,
    call: &Call,
    license_id: LicenseId,
    page: Page,
) -> Result<ReservationPage, Fault> {
    let tx = database.read();
    let VisibleLicense { license, now, .. } = VisibleLicense::load(&tx, call, license_id).await?;
    let page = page.not_before(now);
    let rows = store::reservations::list_held(&tx, license.key(), now, &page).await?;
    let bytes = |reservation: &Reservation| san_bytes(&reservation.sans);
    let key = |reservation: &Reservation| time_key(reservation.decide_time, reservation.id.uuid());
    let (reservations, next_page_token) = page.finish_sized(rows, bytes, key);
    Ok(ReservationPage {
        reservations,
        now,
        next_page_token,
    })
}
