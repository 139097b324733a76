//! `licet.sanlicensing.v1.IssuanceService`.

use licet_contracts::{
    Mutation,
    sanlicensing::{v1 as sanlicensing, v1::issuance_service_server::IssuanceService},
};
use licet_domain::{clock::Instant, ids::LicenseId};
use licet_runtime::{
    caller::{Call, accept},
    database::Database,
    fault::Fault,
    replay, stored,
};
use tonic::{Request, Response, Status};

use crate::{
    convert, queries,
    quota::{Answer, Command, Once, Quota},
    use_cases::{record_unallocated::RecordUnallocated, revoke_certificates},
};

/// Issuance.
#[derive(Clone)]
pub(crate) struct IssuanceRpc {
    /// The service's schema.
    pub(crate) database: Database,
    /// Where everything that depends on a quota is decided.
    pub(crate) quota: Quota,
}

impl IssuanceRpc {
    /// Has a command decided once, however often its request is repeated (BL-2).
    async fn submit_once<R: prost::Message + Default>(
        &self,
        call: &Call,
        message: &impl Mutation,
        license_id: LicenseId,
        command: Command,
        encode: fn(&Answer, Instant) -> Vec<u8>,
    ) -> Result<R, Fault> {
        let once = Once {
            claim: replay::Claim::of(call, message)?,
            encode,
        };
        let scope = &call.caller.accounts;
        let origin = call.origin(message.request_id());
        let answer = self
            .quota
            .submit(license_id, scope, origin, call.now, command, Some(once))
            .await?;
        let Answer::Kept(response) = answer else {
            return Err(mismatched());
        };
        stored::message(&response)
    }
}

/// The engine answered another command than it was given.
fn mismatched() -> Fault {
    Fault::internal("the answer is to another command")
}

#[tonic::async_trait]
impl IssuanceService for IssuanceRpc {
    async fn authorize_issuance(
        &self,
        request: Request<sanlicensing::AuthorizeIssuanceRequest>,
    ) -> Result<Response<sanlicensing::AuthorizeIssuanceResponse>, Status> {
        let (call, message) = accept(request)?;
        let (license_id, command) = convert::issuance::decode_authorize(&message, &call)?;
        let scope = &call.caller.accounts;
        let origin = call.origin(&message.request_id);
        let answer = self
            .quota
            .submit(license_id, scope, origin, call.now, command, None)
            .await?;
        let Answer::Decided(decision) = answer else {
            return Err(mismatched().into());
        };
        Ok(Response::new(convert::issuance::encode_decision(&decision)))
    }

    async fn release_reservation(
        &self,
        request: Request<sanlicensing::ReleaseReservationRequest>,
    ) -> Result<Response<sanlicensing::ReleaseReservationResponse>, Status> {
        let (call, message) = accept(request)?;
        let (license_id, id) = convert::issuance::decode_release(&message)?;
        let command = Command::Release { id };
        let encode = convert::issuance::encode_released;
        let response = self
            .submit_once(&call, &message, license_id, command, encode)
            .await?;
        Ok(Response::new(response))
    }

    async fn list_reservations(
        &self,
        request: Request<sanlicensing::ListReservationsRequest>,
    ) -> Result<Response<sanlicensing::ListReservationsResponse>, Status> {
        let (call, message) = accept(request)?;
        let license_id = convert::license::decode_license_id(&message.license_id)?;
        let held = queries::reservations::list(
            &self.database,
            &call,
            license_id,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let reservations = held
            .reservations
            .iter()
            .map(|reservation| convert::issuance::encode_reservation(reservation, held.now))
            .collect();
        Ok(Response::new(sanlicensing::ListReservationsResponse {
            reservations,
            next_page_token: held.next_page_token,
        }))
    }

    async fn record_certificate(
        &self,
        request: Request<sanlicensing::RecordCertificateRequest>,
    ) -> Result<Response<sanlicensing::RecordCertificateResponse>, Status> {
        let (call, message) = accept(request)?;
        let certificate = convert::report::decode_record(&message, call.now)?;
        let once = Once {
            claim: replay::Claim::of(&call, &message)?,
            encode: convert::certificate::encode_recorded,
        };
        let scope = &call.caller.accounts;
        let origin = call.origin(&message.request_id);
        let answer = self
            .quota
            .record(scope, origin, call.now, certificate, once)
            .await?;
        let response = match answer {
            Answer::Kept(response) => stored::message(&response)?,
            Answer::Uncovered {
                certificate,
                reserved_under,
            } => {
                let work = RecordUnallocated {
                    call: &call,
                    request_id: &message.request_id,
                    certificate: &certificate,
                    reserved_under,
                };
                replay::once(&self.database, &call, &message, &work, |answer| {
                    convert::certificate::recorded(&answer, call.now)
                })
                .await?
            }
            Answer::Decided(_)
            | Answer::Released(_)
            | Answer::Recorded { .. }
            | Answer::Revoked(_)
            | Answer::RevocationPreview(_)
            | Answer::Allocated { .. }
            | Answer::Usage(_) => return Err(mismatched().into()),
        };
        Ok(Response::new(response))
    }

    async fn preview_revocation(
        &self,
        request: Request<sanlicensing::PreviewRevocationRequest>,
    ) -> Result<Response<sanlicensing::PreviewRevocationResponse>, Status> {
        let (call, message) = accept(request)?;
        let (license_id, ids) = convert::revocation::decode_preview(&message)?;
        let preview = queries::revocation_preview::get(&self.quota, &call, license_id, ids).await?;
        Ok(Response::new(convert::revocation::encode(&preview)))
    }

    async fn revoke_certificates(
        &self,
        request: Request<sanlicensing::RevokeCertificatesRequest>,
    ) -> Result<Response<sanlicensing::RevokeCertificatesResponse>, Status> {
        let (call, message) = accept(request)?;
        let needs_preview = revoke_certificates::needs_preview(&call.caller);
        let revocation = convert::revocation::decode_revoke(&message, needs_preview)?;
        let license_id = revocation.license_id;
        if message.validate_only {
            let ids = &revocation.ids;
            let (found, now) =
                queries::certificates::get_all(&self.database, &call, license_id, ids).await?;
            return Ok(Response::new(convert::certificate::encode_revoked(
                &found, now,
            )));
        }
        let command = revocation.into_command();
        let encode = convert::certificate::encode_revocation;
        let response = self
            .submit_once(&call, &message, license_id, command, encode)
            .await?;
        Ok(Response::new(response))
    }
}
