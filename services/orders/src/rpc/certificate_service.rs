//! `licet.orders.v1.CertificateService`.

use licet_contracts::orders::{v1 as orders, v1::certificate_service_server::CertificateService};
use licet_runtime::{
    caller::accept, database::Database, fault::Fault, joining::Answer, operation::Operations,
    replay,
};
use tonic::{Request, Response, Status};

use super::joining::join;
use crate::{
    convert, queries,
    use_cases::{
        begin_issuance::BeginIssuance,
        operation::OrderOperation,
        record_issuance::RecordIssuance,
        revoke_certificate::{self, RevokeCertificate},
    },
};

/// Certificates.
#[derive(Clone)]
pub(crate) struct CertificateRpc {
    /// The service's schema.
    pub(crate) database: Database,
    /// For orders that draw on a SAN licence.
    pub(crate) operations: Operations<OrderOperation>,
}

#[tonic::async_trait]
impl CertificateService for CertificateRpc {
    async fn list_pending_issuance(
        &self,
        request: Request<orders::ListPendingIssuanceRequest>,
    ) -> Result<Response<orders::ListPendingIssuanceResponse>, Status> {
        let (call, message) = accept(request)?;
        let account_id = convert::certificate::decode_pending(&message.account_id)?;
        let (waiting, next_page_token) = queries::orders::list_pending(
            &self.database,
            &call,
            account_id,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let pending_issuances = waiting
            .iter()
            .map(|order| convert::certificate::encode_pending(order, order.decide_at(call.now)))
            .collect();
        Ok(Response::new(orders::ListPendingIssuanceResponse {
            pending_issuances,
            next_page_token,
        }))
    }

    /// What is not decided yet has no response that might be taken for a grant.
    async fn begin_issuance(
        &self,
        request: Request<orders::BeginIssuanceRequest>,
    ) -> Result<Response<orders::BeginIssuanceResponse>, Status> {
        let (call, message) = accept(request)?;
        let wish = convert::san_licensing::decode_begin(&message)?;
        let work = BeginIssuance {
            call: &call,
            request_id: &message.request_id,
            wish: &wish,
        };
        let accepted =
            replay::accept(&self.database, &call, &message, &work, |response| response).await?;
        match join(&self.database, &self.operations, &call, accepted).await? {
            Answer::Final(response) => Ok(Response::new(response)),
            Answer::Pending((_, view)) => {
                let running = view.running.as_ref();
                let id =
                    running.map_or_else(String::new, |running| running.operation_id.to_string());
                Err(Fault::operation_in_progress(&view.order.id.to_string(), &id).into())
            }
        }
    }

    async fn record_issuance(
        &self,
        request: Request<orders::RecordIssuanceRequest>,
    ) -> Result<Response<orders::RecordIssuanceResponse>, Status> {
        let (call, message) = accept(request)?;
        let issuance = convert::certificate::decode_issuance(&message)?;
        let work = RecordIssuance {
            call: &call,
            request_id: &message.request_id,
            issuance: &issuance,
        };
        let accepted =
            replay::accept(&self.database, &call, &message, &work, |response| response).await?;
        let response = match join(&self.database, &self.operations, &call, accepted).await? {
            Answer::Final(response) => response,
            Answer::Pending((_, view)) => orders::RecordIssuanceResponse {
                certificate: None,
                order: Some(convert::order::encode(&view)?),
            },
        };
        Ok(Response::new(response))
    }

    async fn get_certificate(
        &self,
        request: Request<orders::GetCertificateRequest>,
    ) -> Result<Response<orders::GetCertificateResponse>, Status> {
        let (call, message) = accept(request)?;
        let id = convert::certificate::decode_certificate_id(&message.certificate_id)?;
        let (found, now) = queries::certificates::get(&self.database, &call, id).await?;
        let certificate = Some(convert::certificate::encode(&found, now));
        Ok(Response::new(orders::GetCertificateResponse {
            certificate,
        }))
    }

    async fn list_certificates(
        &self,
        request: Request<orders::ListCertificatesRequest>,
    ) -> Result<Response<orders::ListCertificatesResponse>, Status> {
        let (call, message) = accept(request)?;
        let filter = convert::certificate::decode_list(&message)?;
        let (found, next_page_token) = queries::certificates::list(
            &self.database,
            &call,
            &filter,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let certificates = found
            .iter()
            .map(|(certificate, now)| convert::certificate::encode(certificate, *now))
            .collect();
        Ok(Response::new(orders::ListCertificatesResponse {
            certificates,
            next_page_token,
        }))
    }

    async fn revoke_certificate(
        &self,
        request: Request<orders::RevokeCertificateRequest>,
    ) -> Result<Response<orders::RevokeCertificateResponse>, Status> {
        let (call, message) = accept(request)?;
        let wish = convert::revocation::decode_revoke(&message, &call.caller)?;
        if message.validate_only {
            let response = revoke_certificate::preview(&self.database, &call, &wish).await?;
            return Ok(Response::new(response));
        }
        let work = RevokeCertificate {
            call: &call,
            request_id: &message.request_id,
            wish: &wish,
        };
        let response =
            replay::once(&self.database, &call, &message, &work, |response| response).await?;
        Ok(Response::new(response))
    }
}
