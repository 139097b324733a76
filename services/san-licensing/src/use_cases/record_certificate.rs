//! RecordCertificate: a signed certificate counts in the licence that covers it (SL-20, SL-21). One that
//! no licence covers is recorded all the same, by `record_unallocated`.

use licet_runtime::fault::Fault;

use crate::quota::{
    Quota,
    command::{Once, Placement, Record, Requester},
};

/// Records a certificate where it counts.
pub(crate) async fn record(
    quota: &Quota,
    requester: Requester,
    record: Once<Record>,
) -> Result<Placement, Fault> {
    quota.record(requester, record).await
}
