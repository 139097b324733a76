//! What the commands of a round come to: decided one after the other against what is known, repeats
//! answered from what is kept, and all that is to be written gathered.

use std::collections::{BTreeSet, HashMap};

use licet_domain::{
    clock::Instant,
    ids::{CertificateId, LicenseId, ReservationId},
    refusal::{ERROR_TEXT_ROOM, Reason, Refusal, listed},
};
use licet_runtime::{
    caller::Origin,
    clock::real_now,
    database::Tx,
    fault::Fault,
    outbox::{self, Event},
    replay::{self, Settled},
};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    alerts::Alert,
    committer::{Answer, Command, Submission, Usage, request_id_reused},
};
use crate::{
    rules::{
        alert::Ratio,
        certificate::{
            Certificate, CertificateKey, CertificateState, EarlyRevocation, RevocationReason,
            conflict,
        },
        not_found,
        quota::{
            authorize::{IssuanceRequest, authorize},
            holdings::{Claim, ClaimKind, Holdings, Licenses},
            revocation_preview::preview_revocation,
        },
        reservation::{Reservation, ReservationProgress, ReservationState},
    },
    store::{
        self,
        allocation::Allocated,
        certificates::FoundByKey,
        quota::{ClosedDecision, KeptDecision, NewDecision},
    },
};

/// What is known of a command's licence; NOT_FOUND for whoever may not see it, too.
pub(super) fn visible<'a>(
    known: &'a mut Licenses,
    submission: &Submission,
) -> Result<&'a mut Holdings, Refusal> {
    let id = submission.license_id;
    let known = known.get_mut(&id).ok_or_else(|| not_found("license", id))?;
    match submission.refuse_unseen(known.terms()) {
        Some(refusal) => Err(refusal),
        None => Ok(known),
    }
}

/// How much of a licence is used now.
fn usage(license_id: LicenseId, known: &Holdings) -> Usage {
    Usage {
        license_id,
        as_of: known.as_of(),
        quota: known.terms().quota_at(known.as_of()),
        used: known.used(),
        reserved: known.reserved(),
        counts: known.counts(),
        next_returns: known.next_returns(5),
        version: known.version,
    }
}

/// What is kept already of what a round is about: repeats are answered from it.
#[derive(Default)]
pub(super) struct Kept {
    decisions: HashMap<Uuid, KeptDecision>,
    /// Certificates, and revocations that wait for theirs, under their keys.
    pub(super) by_key: FoundByKey,
    pub(super) by_id: HashMap<CertificateId, Certificate>,
    settled: replay::Settlements,
}

impl Kept {
    /// What is kept under the keys of reports.
    pub(super) fn of(by_key: FoundByKey) -> Self {
        Self {
            by_key,
            ..Self::default()
        }
    }

    pub(super) async fn find(tx: &Tx, submissions: &[Submission]) -> Result<Self, Fault> {
        let mut decisions = Vec::new();
        let mut keys = Vec::new();
        let mut ids = Vec::new();
        for submission in submissions {
            match &submission.command {
                Command::Authorize { request, .. } => decisions.push(request.id),
                Command::Release { id } => decisions.push(id.uuid()),
                Command::Record(certificate) => {
                    keys.push(&certificate.key);
                    decisions.extend(certificate.reservation_id.map(|id| id.uuid()));
                }
                Command::Revoke { ids: asked, .. } | Command::Preview { ids: asked } => {
                    ids.extend_from_slice(asked);
                }
                Command::Allocate { id } => ids.push(*id),
                Command::Usage => {}
            }
        }
        let claims: Vec<_> = submissions
            .iter()
            .filter_map(|submission| submission.once.as_ref())
            .map(|once| &once.claim)
            .collect();
        let mut kept = Self {
            settled: replay::find_settled(tx, &claims).await?,
            ..Self::default()
        };
        if !decisions.is_empty() {
            kept.decisions = store::quota::find_decisions(tx, &decisions).await?;
        }
        if !keys.is_empty() {
            kept.by_key = store::certificates::find_certificates(tx, &keys).await?;
        }
        if !ids.is_empty() {
            kept.by_id = store::quota::find_certificates_by_id(tx, &ids).await?;
        }
        Ok(kept)
    }
}

/// What a licence's event says of a round.
#[derive(Default)]
pub(super) struct Happened {
    origin: Option<Origin>,
    callers: BTreeSet<String>,
    granted: Vec<ReservationId>,
    denied: u64,
    released: Vec<ReservationId>,
    pub(super) recorded: Vec<CertificateId>,
    revoked: Vec<Revoked>,
    /// Recorded before, and counted here from now on.
    pub(super) allocated: Vec<CertificateId>,
    /// Counted in another licence from now on.
    pub(super) left: Vec<CertificateId>,
}

/// What was revoked by one caller for one reason; Orders follows it.
#[derive(Serialize)]
struct Revoked {
    certificate_ids: Vec<CertificateId>,
    reason: RevocationReason,
    #[serde(flatten)]
    origin: Origin,
}

impl Happened {
    pub(super) fn revoke(&mut self, certificate: &Certificate, origin: &Origin) {
        let reason = certificate.revoke_reason;
        let reason = reason.unwrap_or(RevocationReason::Unspecified);
        match self.revoked.last_mut() {
            Some(last) if last.reason == reason && last.origin == *origin => {
                last.certificate_ids.push(certificate.id);
            }
            Some(_) | None => self.revoked.push(Revoked {
                certificate_ids: vec![certificate.id],
                reason,
                origin: origin.clone(),
            }),
        }
    }
}

/// What a round has decided and still has to write.
#[derive(Default)]
pub(super) struct Decided {
    pub(super) kept: Kept,
    pub(super) decisions: Vec<NewDecision>,
    closed: Vec<ClosedDecision>,
    pub(super) certificates: Vec<(Certificate, i64)>,
    pub(super) revoked: Vec<(Certificate, i64)>,
    /// Certificates that were reported under another product before.
    pub(super) corrected: Vec<Certificate>,
    pub(super) allocated: Vec<Allocated>,
    /// Revocations to be kept until their certificates arrive (SL-15), and those that were applied.
    pub(super) early: Vec<(CertificateKey, EarlyRevocation)>,
    pub(super) early_time: Option<Instant>,
    pub(super) applied: Vec<CertificateKey>,
    happened: HashMap<LicenseId, Happened>,
    alerts: Vec<Alert>,
    settled: Vec<(replay::Claim, Settled)>,
}

impl Decided {
    /// Nothing yet; what is in `kept` is answered from it.
    pub(super) fn knowing(kept: Kept) -> Self {
        Self {
            kept,
            ..Self::default()
        }
    }

    pub(super) fn decide_all(
        &mut self,
        known: &mut Licenses,
        submissions: &[Submission],
    ) -> Vec<Result<Answer, Fault>> {
        let each = submissions.iter();
        each.map(|submission| self.decide(known, submission))
            .collect()
    }

    /// Decides a command, or answers it as it was answered before (BL-2).
    fn decide(&mut self, known: &mut Licenses, submission: &Submission) -> Result<Answer, Fault> {
        let Some(once) = &submission.once else {
            let known = visible(known, submission)?;
            if let Command::Authorize { request, .. } = &submission.command
                && request.not_after <= known.as_of()
                && !self.kept.decisions.contains_key(&request.id)
            {
                return Err(Fault::invalid("not_after_time", "must be after now"));
            }
            return Ok(self.decide_anew(known, submission)?);
        };
        if let Some(first) = self.kept.settled.find(&once.claim) {
            // The first answer is for those who see the licence now.
            visible(known, submission)?;
            return Ok(answer_settled(&first)?);
        }
        let decided = visible(known, submission).and_then(|known| {
            let answer = self.decide_anew(known, submission)?;
            Ok((once.encode)(&answer, known.as_of()))
        });
        let settled = match decided {
            Ok(response) => Settled::Answer(response),
            Err(refusal) => Settled::Refusal(refusal),
        };
        let answer = answer_settled(&settled);
        // A repeat in the same round is a repeat, too.
        self.kept.settled.insert(&once.claim, settled.clone());
        self.settled.push((once.claim.clone(), settled));
        Ok(answer?)
    }

    /// Decides a command that is no repeat.
    pub(super) fn decide_anew(
        &mut self,
        known: &mut Holdings,
        submission: &Submission,
    ) -> Result<Answer, Refusal> {
        match &submission.command {
            Command::Authorize {
                request,
                fingerprint,
            } => self.authorize(known, submission, request, fingerprint),
            Command::Release { id } => self.release(known, submission, *id),
            Command::Record(certificate) => self.record(known, submission, certificate),
            Command::Revoke {
                ids,
                reason,
                preview,
            } => {
                let certificates = self.revocable(known, ids)?;
                if let Some(preview) = preview {
                    preview_revocation(known, ids).check(preview)?;
                }
                Ok(self.revoke(known, submission, certificates, *reason))
            }
            Command::Preview { ids } => {
                self.revocable(known, ids)?;
                Ok(Answer::RevocationPreview(Box::new(preview_revocation(
                    known, ids,
                ))))
            }
            Command::Allocate { id } => self.allocate_by_hand(known, submission, *id),
            Command::Usage => Ok(Answer::Usage(usage(submission.license_id, known))),
        }
    }

    pub(super) fn happened(&mut self, license_id: LicenseId, origin: &Origin) -> &mut Happened {
        let happened = self.happened.entry(license_id).or_default();
        let first = happened.origin.get_or_insert_with(|| origin.clone());
        if first.caller != origin.caller {
            happened.callers.insert(origin.caller.clone());
        }
        happened
    }

    fn authorize(
        &mut self,
        known: &mut Holdings,
        submission: &Submission,
        request: &IssuanceRequest,
        fingerprint: &[u8; 32],
    ) -> Result<Answer, Refusal> {
        if let Some(first) = self.kept.decisions.get(&request.id) {
            if first.fingerprint != *fingerprint || first.license_id != submission.license_id {
                return Err(request_id_reused(&submission.origin));
            }
            return Ok(Answer::Decided(first.decision.clone()));
        }
        let decision = authorize(known, request);
        let new = NewDecision {
            license_id: submission.license_id,
            id: request.id,
            version: known.version,
            fingerprint: *fingerprint,
            names: request.names.clone(),
            until: request.until(),
            decision: decision.clone(),
        };
        // A repeat in the same round is a repeat, too.
        self.kept
            .decisions
            .insert(request.id, KeptDecision::from(&new));
        self.decisions.push(new);
        let happened = self.happened(submission.license_id, &submission.origin);
        if decision.is_granted() {
            happened.granted.push(ReservationId::from_uuid(request.id));
        } else {
            happened.denied += 1;
        }
        Ok(Answer::Decided(decision))
    }

    fn release(
        &mut self,
        known: &mut Holdings,
        submission: &Submission,
        id: ReservationId,
    ) -> Result<Answer, Refusal> {
        let now = known.as_of();
        let mut reservation = self.reservation(submission.license_id, id)?;
        match reservation.state(now) {
            ReservationState::Released => {
                return Err(reservation.spent("it was given back before"));
            }
            ReservationState::Recorded => {
                return Err(reservation.spent("a certificate was recorded with it"));
            }
            // Its time ran out: it holds nothing any more, and stays as it is.
            ReservationState::Expired => return Ok(Answer::Released(reservation)),
            ReservationState::Held => {}
        }
        known.release(id.uuid());
        self.close(known, id, ReservationProgress::Released);
        let happened = self.happened(submission.license_id, &submission.origin);
        happened.released.push(id);
        reservation.progress = ReservationProgress::Released;
        Ok(Answer::Released(reservation))
    }

    /// A grant of the licence, whatever became of it.
    fn reservation(
        &self,
        license_id: LicenseId,
        id: ReservationId,
    ) -> Result<Reservation, Refusal> {
        let kept = self.kept.decisions.get(&id.uuid());
        kept.filter(|kept| kept.license_id == license_id)
            .and_then(|kept| kept.reservation(id))
            .ok_or_else(|| not_found("reservation", id))
    }

    fn close(&mut self, known: &Holdings, id: ReservationId, progress: ReservationProgress) {
        if let Some(kept) = self.kept.decisions.get_mut(&id.uuid()) {
            kept.progress = Some(progress);
        }
        // One end for each, the last of a round: a statement changes a row once.
        self.closed.retain(|closed| closed.id != id.uuid());
        self.closed.push(ClosedDecision {
            id: id.uuid(),
            version: known.version,
            progress,
            time: known.as_of(),
        });
    }

    /// A parsed certificate exists: it is recorded over the quota and after its reservation lapsed,
    /// too (SL-21). Names that were reserved and are not on it return.
    fn record(
        &mut self,
        known: &mut Holdings,
        submission: &Submission,
        certificate: &Certificate,
    ) -> Result<Answer, Refusal> {
        let first = self.kept.by_key.certificates.get(&certificate.key).cloned();
        if let Some(first) = &first
            && !first.is_corrected_by(certificate)
        {
            if !first.is_same_as(certificate) {
                return Err(conflict(first));
            }
            return Ok(Answer::Recorded {
                certificate: first.clone(),
                already_known: true,
                over_quota: known.taken() > known.terms().term.quota,
            });
        }
        if let Some(id) = certificate.reservation_id {
            let reservation = self.reservation(submission.license_id, id)?;
            match reservation.progress {
                ReservationProgress::Recorded => {
                    return Err(reservation.spent("another certificate was recorded with it"));
                }
                // One that was given back or has lapsed is used all the same (SL-21), and only once.
                ReservationProgress::Released | ReservationProgress::Granted => {
                    known.release(id.uuid());
                    self.close(known, id, ReservationProgress::Recorded);
                }
            }
        }
        let origin = &submission.origin;
        let certificate = match first {
            None => self.record_new(known, origin, certificate.clone()),
            Some(first) => {
                let product_id = certificate.product_id.clone();
                self.correct_product(Some(&mut *known), origin, first, product_id)
            }
        };
        Ok(Answer::Recorded {
            certificate,
            already_known: false,
            over_quota: known.taken() > known.terms().term.quota,
        })
    }

    /// A certificate's SANs count from now on, and what that reaches is told (SL-17). What is known
    /// is exact under the fence, and a repeat takes nothing: whoever decides, each crossing is told
    /// of once.
    pub(super) fn take(
        &mut self,
        known: &mut Holdings,
        origin: &Origin,
        certificate: &Certificate,
    ) {
        let before = known.used();
        known.take(
            certificate.id.uuid(),
            Claim {
                kind: ClaimKind::Active,
                names: certificate.names.clone(),
                until: certificate.until,
                reach: certificate.until,
            },
        );
        let time = known.as_of();
        let quota = known.terms().quota_at(time);
        let ratio = |used| Ratio { quota, used };
        let (license_id, account_id) = (known.terms().license_id, known.terms().account_id);
        let moved = (ratio(before), ratio(known.used()));
        let reached = Alert::each(license_id, account_id, origin, time, moved);
        self.alerts.extend(reached);
    }

    /// The licence's certificates of some ids, in their order. All or none (SL-19): an id that is not
    /// the licence's is refused, and so is a certificate that counts no more.
    fn revocable(
        &self,
        known: &Holdings,
        ids: &[CertificateId],
    ) -> Result<Vec<Certificate>, Refusal> {
        let license_id = Some(known.terms().license_id);
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let certificate = self.kept.by_id.get(id);
            match certificate.filter(|certificate| certificate.license_id == license_id) {
                Some(certificate) => found.push(certificate.clone()),
                None => return Err(not_found("certificate", id)),
            }
        }
        check_revocable(&found, known.as_of())?;
        Ok(found)
    }

    /// Revoked certificates count until now and no longer (SL-5, SL-19). Invariant: they are
    /// revocable.
    fn revoke(
        &mut self,
        known: &mut Holdings,
        submission: &Submission,
        mut certificates: Vec<Certificate>,
        reason: RevocationReason,
    ) -> Answer {
        let now = known.as_of();
        for certificate in &mut certificates {
            certificate.revoke_time = Some(now);
            certificate.revoke_reason = Some(reason);
            certificate.until = certificate.until.min(now);
            known.release(certificate.id.uuid());
            self.kept.by_id.insert(certificate.id, certificate.clone());
            self.revoked.push((certificate.clone(), known.version));
            let origin = &submission.origin;
            self.happened(submission.license_id, origin)
                .revoke(certificate, origin);
        }
        Answer::Revoked(certificates)
    }

    /// Writes it all, in the transaction that holds the fences.
    pub(super) async fn write(&self, tx: &Tx, known: &Licenses) -> Result<(), Fault> {
        self.write_changes(tx).await?;
        outbox::emit_all(tx, &self.events(known)).await
    }

    /// Writes it all but the events.
    pub(super) async fn write_changes(&self, tx: &Tx) -> Result<(), Fault> {
        if !self.decisions.is_empty() {
            store::quota::insert_decisions(tx, &self.decisions).await?;
        }
        if !self.closed.is_empty() {
            store::quota::close_decisions(tx, &self.closed).await?;
        }
        if !self.certificates.is_empty() {
            store::quota::insert_certificates(tx, &self.certificates).await?;
        }
        if !self.corrected.is_empty() {
            store::allocation::correct_products(tx, &self.corrected).await?;
        }
        if !self.revoked.is_empty() {
            store::quota::revoke_certificates(tx, &self.revoked).await?;
        }
        if !self.allocated.is_empty() {
            store::allocation::allocate(tx, &self.allocated).await?;
        }
        self.write_early(tx).await?;
        replay::keep_settled(tx, &self.settled).await
    }

    async fn write_early(&self, tx: &Tx) -> Result<(), Fault> {
        // What came in one batch with its certificate is kept and applied in one go.
        let waits = |key: &CertificateKey| self.kept.by_key.early.contains_key(key);
        let early: Vec<_> = self
            .early
            .iter()
            .filter(|(key, _)| waits(key))
            .cloned()
            .collect();
        if let Some(now) = self.early_time.filter(|_| !early.is_empty()) {
            store::allocation::keep_early(tx, &early, now, real_now().as_micros()).await?;
        }
        if !self.applied.is_empty() {
            store::allocation::delete_early(tx, &self.applied).await?;
        }
        Ok(())
    }

    /// One event for a licence and a round: thousands of decisions a second need no event each. Then
    /// one for each part of a quota that was reached.
    pub(super) fn events(&self, known: &Licenses) -> Vec<Event<'_>> {
        let each = self.happened.iter();
        let changed = each.filter_map(|(id, happened)| event(*id, known.get(id)?, happened));
        changed
            .chain(self.alerts.iter().map(Alert::event))
            .collect()
    }
}

fn answer_settled(settled: &Settled) -> Result<Answer, Refusal> {
    match settled {
        Settled::Answer(response) => Ok(Answer::Kept(response.clone())),
        Settled::Refusal(refusal) => Err(refusal.clone()),
    }
}

fn event<'a>(license_id: LicenseId, known: &Holdings, happened: &'a Happened) -> Option<Event<'a>> {
    let is_over = known.taken() > known.terms().term.quota;
    let outcome = if is_over {
        "OVER_QUOTA"
    } else {
        "WITHIN_QUOTA"
    };
    Some(Event {
        kind: "licet.sanlicensing.usage.changed.v1",
        resource_id: license_id.to_string(),
        account_id: Some(known.terms().account_id),
        time: known.as_of(),
        origin: happened.origin.as_ref()?,
        why: if is_over { "SL-21" } else { "SL-12" }.to_owned(),
        outcome: outcome.to_owned(),
        data: json!({
            "granted": happened.granted,
            "denied": happened.denied,
            "released": happened.released,
            "recorded": happened.recorded,
            "revoked": happened.revoked,
            "allocated": happened.allocated,
            "left": happened.left,
            "further_callers": happened.callers,
            "quota": known.terms().term.quota,
            "used": known.used(),
            "reserved": known.reserved(),
            "version": known.version,
        }),
    })
}

/// A certificate that is over cannot be revoked (SL-19): its SANs are back already.
fn check_revocable(certificates: &[Certificate], now: Instant) -> Result<(), Refusal> {
    let over: Vec<_> = certificates
        .iter()
        .filter_map(|certificate| match certificate.state(now) {
            CertificateState::Active => None,
            CertificateState::Revoked => Some((certificate, "is revoked already")),
            CertificateState::Expired => Some((certificate, "has expired")),
        })
        .collect();
    if over.is_empty() {
        return Ok(());
    }
    let each = over
        .iter()
        .map(|(certificate, why)| format!("certificate {} {why}", certificate.id));
    let each = listed(each, over.len(), ERROR_TEXT_ROOM);
    let message = format!("{each}: the SANs are back");
    let mut refusal = Refusal::new(Reason::CertificateNotRevocable, message);
    for (certificate, why) in over {
        refusal = refusal.violation("CERTIFICATE", certificate.id.to_string(), why);
    }
    Err(refusal)
}
