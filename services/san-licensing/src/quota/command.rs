//! Commands to the quota engine. Each command has the type of its reply, so that no reply can be mistaken
//! for that of another command.

use licet_domain::{
    clock::Instant,
    ids::{CertificateId, LicenseId, ReservationId},
    revocation::RevocationReason,
};
use licet_runtime::{
    caller::{AccountScope, Call, Origin},
    replay,
};

use crate::rules::{
    certificate::Certificate,
    decision::Decision,
    quota::{
        authorize::IssuanceRequest, preview_token::PreviewToken,
        revocation_preview::RevocationPreview, usage::Usage,
    },
    reservation::Reservation,
};

/// A command to the engine.
pub(crate) trait Command: Send + Sync + 'static {
    type Reply: Send + 'static;
}

/// Who sends a command, and when.
#[derive(Clone, Debug)]
pub(crate) struct Requester {
    /// The accounts that the caller may see.
    pub(crate) scope: AccountScope,
    pub(crate) origin: Origin,
    /// The clock when the request was accepted (T-3).
    pub(crate) clock: Instant,
}

impl Requester {
    /// The caller of an RPC.
    pub(crate) fn of(call: &Call, request_id: &str) -> Self {
        Self {
            scope: call.caller.accounts.clone(),
            origin: call.origin(request_id),
            clock: call.now,
        }
    }
}

/// Decide whether a certificate may be signed (SL-12).
#[derive(Clone, Debug)]
pub(crate) struct Authorize {
    pub(crate) request: IssuanceRequest,
    /// Of the whole request: detects another body under the same `request_id` (BL-2).
    pub(crate) fingerprint: [u8; 32],
}

impl Command for Authorize {
    type Reply = Decision;
}

/// Release a reservation. The reply is the reservation, which no longer holds SANs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Release {
    pub(crate) id: ReservationId,
}

impl Command for Release {
    type Reply = Reservation;
}

/// Record a signed certificate. The engine sets its record time and end (SL-21).
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) certificate: Certificate,
}

impl Command for Record {
    type Reply = RecordedCertificate;
}

/// A recorded certificate.
#[derive(Clone, Debug)]
pub(crate) struct RecordedCertificate {
    pub(crate) certificate: Certificate,
    /// It was recorded before, and nothing changed.
    pub(crate) already_known: bool,
    /// The licence now uses more than its quota (SL-21).
    pub(crate) over_quota: bool,
}

/// Revoke certificates as of the decision time (SL-19). The reply is the certificates.
#[derive(Clone, Debug)]
pub(crate) struct Revoke {
    pub(crate) ids: Vec<CertificateId>,
    pub(crate) reason: RevocationReason,
    /// The preview that the caller has seen; `None` for a machine, which needs none.
    pub(crate) preview: Option<PreviewToken>,
}

impl Command for Revoke {
    type Reply = Vec<Certificate>;
}

/// Compute which SANs a revocation would free (SL-19).
#[derive(Clone, Debug)]
pub(crate) struct PreviewRevocation {
    pub(crate) ids: Vec<CertificateId>,
}

impl Command for PreviewRevocation {
    type Reply = Box<RevocationPreview>;
}

/// Allocate an unallocated certificate to the licence (SL-16).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocate {
    pub(crate) id: CertificateId,
}

impl Command for Allocate {
    type Reply = AllocatedCertificate;
}

/// An allocated certificate.
#[derive(Clone, Debug)]
pub(crate) struct AllocatedCertificate {
    pub(crate) certificate: Certificate,
    /// The licence now uses more than its quota (SL-21).
    pub(crate) over_quota: bool,
}

/// Read the present usage (SL-17).
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadUsage;

impl Command for ReadUsage {
    type Reply = Usage;
}

/// A command that is executed once, however often its request is repeated (BL-2). The reply is the encoded
/// response, the same for every repeat.
#[derive(Clone, Debug)]
pub(crate) struct Once<A: Command> {
    pub(crate) command: A,
    pub(crate) claim: replay::Claim,
    /// Encodes the command's reply as of the decision time.
    pub(crate) encode: fn(&A::Reply, Instant) -> Vec<u8>,
}

impl Command for Once<Release> {
    type Reply = Vec<u8>;
}

impl Command for Once<Record> {
    type Reply = Placement;
}

impl Command for Once<Revoke> {
    type Reply = Vec<u8>;
}

impl Command for Once<Allocate> {
    type Reply = Vec<u8>;
}

/// Where a certificate counts.
#[derive(Clone, Debug)]
pub(crate) enum Placement {
    /// In a licence. Holds the encoded response.
    Counted(Vec<u8>),
    /// No licence covers the certificate (SL-16); nothing is recorded yet.
    Uncovered {
        certificate: Box<Certificate>,
        /// The ended licence that its reservation was granted under.
        reserved_under: Option<LicenseId>,
    },
}
