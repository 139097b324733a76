//! `licet.sanlicensing.v1.IssuanceService`.

use licet_contracts::sanlicensing::{
    v1 as sanlicensing, v1::issuance_service_server::IssuanceService,
};
use licet_runtime::{caller::accept, database::Database, door, field::only, replay};
use tonic::{Request, Response, Status};

use crate::{
    convert::{
        self,
        once::{Respond as _, once, response},
    },
    queries,
    quota::{
        Quota,
        command::{Placement, Record, Release, Requester, Revoke},
    },
    use_cases::{
        authorize_issuance, record_certificate, record_unallocated::RecordUnallocated,
        release_reservation, revoke_certificates,
    },
};

/// Serves IssuanceService.
#[derive(Clone)]
pub(crate) struct IssuanceRpc {
    pub(crate) database: Database,
    pub(crate) quota: Quota,
}

#[tonic::async_trait]
impl IssuanceService for IssuanceRpc {
    async fn authorize_issuance(
        &self,
        request: Request<sanlicensing::AuthorizeIssuanceRequest>,
    ) -> Result<Response<sanlicensing::AuthorizeIssuanceResponse>, Status> {
        let (call, message) = accept(request)?;
        let (license_id, command) = convert::issuance::decode_authorize(&message, &call)?;
        let requester = Requester::of(&call, &message.request_id);
        let decision =
            authorize_issuance::authorize(&self.quota, requester, license_id, command).await?;
        Ok(Response::new(convert::issuance::encode_decision(&decision)))
    }

    async fn release_reservation(
        &self,
        request: Request<sanlicensing::ReleaseReservationRequest>,
    ) -> Result<Response<sanlicensing::ReleaseReservationResponse>, Status> {
        let (call, message) = accept(request)?;
        let (license_id, command) = convert::issuance::decode_release(&message)?;
        let requester = Requester::of(&call, &message.request_id);
        let release = once(&call, &message, command)?;
        let released =
            release_reservation::release(&self.quota, requester, license_id, release).await?;
        Ok(Response::new(response::<Release>(&released)?))
    }

    async fn list_reservations(
        &self,
        request: Request<sanlicensing::ListReservationsRequest>,
    ) -> Result<Response<sanlicensing::ListReservationsResponse>, Status> {
        let (call, license_id, page) = door::list(request, |_, message| {
            only("license_id", &message.license_id)
        })?;
        let held = queries::reservations::list(&self.database, &call, license_id, page).await?;
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
        let requester = Requester::of(&call, &message.request_id);
        let record = once(&call, &message, Record { certificate })?;
        let placement = record_certificate::record(&self.quota, requester, record).await?;
        Ok(Response::new(match placement {
            Placement::Counted(encoded) => response::<Record>(&encoded)?,
            Placement::Uncovered {
                certificate,
                reserved_under,
            } => {
                let work = RecordUnallocated {
                    call: &call,
                    request_id: &message.request_id,
                    certificate: &certificate,
                    reserved_under,
                };
                replay::once(&self.database, &call, &message, &work, |recorded| {
                    Ok(Record::respond(&recorded, call.now))
                })
                .await?
            }
        }))
    }

    async fn preview_revocation(
        &self,
        request: Request<sanlicensing::PreviewRevocationRequest>,
    ) -> Result<Response<sanlicensing::PreviewRevocationResponse>, Status> {
        let (call, (license_id, ids)) = door::read(request, |_, message| {
            convert::revocation::decode_preview(message)
        })?;
        let preview = queries::revocation_preview::get(&self.quota, &call, license_id, ids).await?;
        Ok(Response::new(convert::revocation::encode(&preview)))
    }

    async fn revoke_certificates(
        &self,
        request: Request<sanlicensing::RevokeCertificatesRequest>,
    ) -> Result<Response<sanlicensing::RevokeCertificatesResponse>, Status> {
        let (call, message) = accept(request)?;
        let needs_preview = !call.caller.is_machine();
        let (license_id, command) = convert::revocation::decode_revoke(&message, needs_preview)?;
        if message.validate_only {
            let (found, now) =
                queries::certificates::get_all(&self.database, &call, license_id, &command.ids)
                    .await?;
            return Ok(Response::new(convert::certificate::encode_revoked(
                &found, now,
            )));
        }
        let requester = Requester::of(&call, &message.request_id);
        let revoke = once(&call, &message, command)?;
        let revoked =
            revoke_certificates::revoke(&self.quota, requester, license_id, revoke).await?;
        Ok(Response::new(response::<Revoke>(&revoked)?))
    }
}
