//! RecordCertificate counts a signed certificate in the licence that covers it (SL-20, SL-21).
//! `record_unallocated` records one that no licence covers.

use licet_runtime::fault::Fault;

use crate::quota::{
    Quota,
    command::{Once, Placement, Record, Requester},
};

/// Records a certificate in the licence that covers it.
pub(crate) async fn record(
    quota: &Quota,
    requester: Requester,
    record: Once<Record>,
) -> Result<Placement, Fault> {
    quota.record(requester, record).await
}
