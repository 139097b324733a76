//! Notes that the SANs of a revoked certificate are free in their SAN licence (MD-7, X-4).

use licet_domain::{
    clock::Instant,
    ids::{AccountId, OrderId},
    refusal::Refusal,
};
use licet_runtime::{
    database::{Tx, Work},
    fault::Fault,
};

use super::{event::OrderEvent, turns};
use crate::{events::CertificateSansReturned, rules::san_license::LicenseRevocation, store};

/// Notes a revocation that SanLicensing made.
pub(crate) struct NoteFreedSans<'a> {
    pub(crate) account_id: AccountId,
    pub(crate) order_id: OrderId,
    pub(crate) revocation: &'a LicenseRevocation,
    /// Why SanLicensing had nothing to revoke.
    pub(crate) refusal: Option<&'a Refusal>,
    pub(crate) now: Instant,
}

impl Work for NoteFreedSans<'_> {
    /// Whether this is the first note.
    type Output = bool;

    async fn run(&self, tx: &Tx) -> Result<bool, Fault> {
        let order = store::orders::lock(tx, &self.account_id.into(), self.order_id).await?;
        let ids = [self.revocation.certificate_id];
        let noted = store::license_revocations::mark(tx, self.account_id, &ids, self.now).await?;
        if noted == 0 {
            return Ok(false);
        }
        let event = OrderEvent {
            resource: &order,
            origin: &turns::origin(),
            time: self.now,
            why: "MD-7",
            outcome: self.revocation.reason.as_str(),
            data: CertificateSansReturned {
                certificate_id: self.revocation.certificate_id,
                san_license_id: self.revocation.license_record.license_id,
                refused_message: self.refusal.map(|refusal| refusal.message.as_str()),
            },
        };
        event.emit(tx).await?;
        Ok(true)
    }
}
