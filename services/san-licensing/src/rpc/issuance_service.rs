//! `licet.sanlicensing.v1.IssuanceService`.

use licet_contracts::sanlicensing::{
    v1 as sanlicensing, v1::issuance_service_server::IssuanceService,
};
use licet_domain::ids::LicenseId;
use licet_runtime::{
    caller::{Call, accept},
    database::Database,
    fault::Fault,
};
use tonic::{Request, Response, Status};

use crate::{
    convert, queries,
    quota::{Answer, Command, Quota},
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
    async fn submit(
        &self,
        call: &Call,
        license_id: LicenseId,
        request_id: &str,
        command: Command,
    ) -> Result<Answer, Fault> {
        let scope = &call.caller.accounts;
        let origin = call.origin(request_id);
        self.quota
            .submit(license_id, scope, origin, call.now, command)
            .await
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
        let answer = self
            .submit(&call, license_id, &message.request_id, command)
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
        self.submit(&call, license_id, &message.request_id, command)
            .await?;
        let (found, now) =
            queries::reservations::get(&self.database, &call, license_id, id).await?;
        let reservation = Some(convert::issuance::encode_reservation(&found, now));
        Ok(Response::new(sanlicensing::ReleaseReservationResponse {
            reservation,
        }))
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
        let license_id =
            queries::certificates::find_license(&self.database, &call, &certificate).await?;
        let command = Command::Record(certificate);
        let answer = self
            .submit(&call, license_id, &message.request_id, command)
            .await?;
        let Answer::Recorded {
            certificate,
            already_known,
            over_quota,
        } = answer
        else {
            return Err(mismatched().into());
        };
        Ok(Response::new(sanlicensing::RecordCertificateResponse {
            certificate: Some(convert::certificate::encode(&certificate, call.now)),
            already_known,
            over_quota,
        }))
    }

    async fn revoke_certificates(
        &self,
        request: Request<sanlicensing::RevokeCertificatesRequest>,
    ) -> Result<Response<sanlicensing::RevokeCertificatesResponse>, Status> {
        let (call, message) = accept(request)?;
        let revocation = convert::certificate::decode_revoke(&message)?;
        let license_id = revocation.license_id;
        let (found, now) = if message.validate_only {
            let ids = &revocation.ids;
            queries::certificates::get_all(&self.database, &call, license_id, ids).await?
        } else {
            let command = Command::Revoke {
                ids: revocation.ids,
                reason: revocation.reason,
            };
            let answer = self
                .submit(&call, license_id, &message.request_id, command)
                .await?;
            let Answer::Revoked(revoked) = answer else {
                return Err(mismatched().into());
            };
            (revoked, call.now)
        };
        let certificates = found
            .iter()
            .map(|certificate| convert::certificate::encode(certificate, now))
            .collect();
        Ok(Response::new(sanlicensing::RevokeCertificatesResponse {
            certificates,
        }))
    }
}
