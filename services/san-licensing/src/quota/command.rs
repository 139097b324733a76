//! What the quota engine is asked and what it replies. Each command carries the type of its reply, so
//! that no reply can be taken for another command's.

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
    /// What the engine replies to it.
    type Reply: Send + 'static;
}

/// Who asks, and when.
#[derive(Clone, Debug)]
pub(crate) struct Requester {
    /// The accounts that the caller sees.
    pub(crate) scope: AccountScope,
    pub(crate) origin: Origin,
    /// The clock when the request was accepted (T-3).
    pub(crate) clock: Instant,
}

impl Requester {
    /// Who makes a call.
    pub(crate) fn of(call: &Call, request_id: &str) -> Self {
        Self {
            scope: call.caller.accounts.clone(),
            origin: call.origin(request_id),
            clock: call.now,
        }
    }
}

/// May this certificate be signed (SL-12)?
#[derive(Clone, Debug)]
pub(crate) struct Authorize {
    pub(crate) request: IssuanceRequest,
    /// Of the whole request, so that another body under the same id is seen (BL-2).
    pub(crate) fingerprint: [u8; 32],
}

impl Command for Authorize {
    type Reply = Decision;
}

/// Give a reservation back. The reply is the reservation, which holds nothing any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Release {
    pub(crate) id: ReservationId,
}

impl Command for Release {
    type Reply = Reservation;
}

/// A certificate was signed. Its record time and end are set when it is decided (SL-21).
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) certificate: Certificate,
}

impl Command for Record {
    type Reply = RecordedCertificate;
}

/// A certificate as it was recorded.
#[derive(Clone, Debug)]
pub(crate) struct RecordedCertificate {
    pub(crate) certificate: Certificate,
    /// It was recorded before; nothing changed.
    pub(crate) already_known: bool,
    /// The licence now uses more than its quota (SL-21).
    pub(crate) over_quota: bool,
}

/// Certificates are revoked, from the decision on (SL-19). The reply is the certificates.
#[derive(Clone, Debug)]
pub(crate) struct Revoke {
    pub(crate) ids: Vec<CertificateId>,
    pub(crate) reason: RevocationReason,
    /// The preview that the caller has seen; `None`: a machine, which follows its own rules.
    pub(crate) preview: Option<PreviewToken>,
}

impl Command for Revoke {
    type Reply = Vec<Certificate>;
}

/// What would the revocation of certificates return (SL-19)?
#[derive(Clone, Debug)]
pub(crate) struct PreviewRevocation {
    pub(crate) ids: Vec<CertificateId>,
}

impl Command for PreviewRevocation {
    type Reply = Box<RevocationPreview>;
}

/// A certificate that counts nowhere is to count in this licence (SL-16).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocate {
    pub(crate) id: CertificateId,
}

impl Command for Allocate {
    type Reply = AllocatedCertificate;
}

/// A certificate counts in a licence that it did not count in before.
#[derive(Clone, Debug)]
pub(crate) struct AllocatedCertificate {
    pub(crate) certificate: Certificate,
    /// The licence now uses more than its quota (SL-21).
    pub(crate) over_quota: bool,
}

/// How much is used now (SL-17)?
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadUsage;

impl Command for ReadUsage {
    type Reply = Usage;
}

/// A command that is done once, however often its request is repeated (BL-2). The reply is the encoded
/// response, the same for every repeat.
#[derive(Clone, Debug)]
pub(crate) struct Once<A: Command> {
    pub(crate) command: A,
    pub(crate) claim: replay::Claim,
    /// Encodes the command's reply, as of the time of the decision.
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

/// Where a certificate that was to be recorded counts.
#[derive(Clone, Debug)]
pub(crate) enum Placement {
    /// In a licence; the encoded response.
    Counted(Vec<u8>),
    /// No licence covers the certificate (SL-16); nothing is recorded yet.
    Uncovered {
        certificate: Box<Certificate>,
        /// The ended licence that its reservation was granted under.
        reserved_under: Option<LicenseId>,
    },
}
