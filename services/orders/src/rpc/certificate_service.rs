//! `licet.orders.v1.CertificateService`.

use licet_contracts::orders::{v1 as orders, v1::certificate_service_server::CertificateService};
use licet_runtime::{door, operation::Operations};
use tonic::{Request, Response, Status};

use crate::{convert, peers::Peers, queries, use_cases::PreviewContext};

/// Serves CertificateService.
#[derive(Clone)]
pub(crate) struct CertificateRpc {
    /// The database, and the peers for previews.
    pub(crate) context: PreviewContext,
    /// The durable operations.
    pub(crate) operations: Operations<Peers>,
}

#[tonic::async_trait]
impl CertificateService for CertificateRpc {
    async fn list_pending_issuance(
        &self,
        request: Request<orders::ListPendingIssuanceRequest>,
    ) -> Result<Response<orders::ListPendingIssuanceResponse>, Status> {
        let (call, account_id, page) = door::list(request, convert::certificate::decode_pending)?;
        let database = &self.context.database;
        let (waiting, next_page_token) =
            queries::orders::list_pending(database, &call, account_id, &page).await?;
        let pending = waiting
            .iter()
            .map(|order| convert::certificate::encode_pending(order, order.decide_at(call.now)));
        Ok(Response::new(orders::ListPendingIssuanceResponse {
            pending_issuances: pending.collect(),
            next_page_token,
        }))
    }

    async fn begin_issuance(
        &self,
        request: Request<orders::BeginIssuanceRequest>,
    ) -> Result<Response<orders::BeginIssuanceResponse>, Status> {
        door::begin(
            &self.operations,
            request,
            convert::certificate::decode_begin,
            |started| Ok(convert::certificate::encode_started(started)),
        )
        .await
    }

    async fn record_issuance(
        &self,
        request: Request<orders::RecordIssuanceRequest>,
    ) -> Result<Response<orders::RecordIssuanceResponse>, Status> {
        door::begin(
            &self.operations,
            request,
            convert::certificate::decode_issuance,
            |recorded| convert::certificate::encode_recorded(&recorded),
        )
        .await
    }

    async fn get_certificate(
        &self,
        request: Request<orders::GetCertificateRequest>,
    ) -> Result<Response<orders::GetCertificateResponse>, Status> {
        let (call, id) = door::read(request, convert::certificate::decode_get)?;
        let (found, now) = queries::certificates::get(&self.context.database, &call, id).await?;
        Ok(Response::new(orders::GetCertificateResponse {
            certificate: Some(convert::certificate::encode(&found, now)),
        }))
    }

    async fn list_certificates(
        &self,
        request: Request<orders::ListCertificatesRequest>,
    ) -> Result<Response<orders::ListCertificatesResponse>, Status> {
        let (call, filter, page) = door::list(request, convert::certificate::decode_list)?;
        let database = &self.context.database;
        let (found, next_page_token) =
            queries::certificates::list(database, &call, &filter, &page).await?;
        let certificates = found
            .iter()
            .map(|(certificate, now)| convert::certificate::encode(certificate, *now));
        Ok(Response::new(orders::ListCertificatesResponse {
            certificates: certificates.collect(),
            next_page_token,
        }))
    }

    async fn revoke_certificate(
        &self,
        request: Request<orders::RevokeCertificateRequest>,
    ) -> Result<Response<orders::RevokeCertificateResponse>, Status> {
        door::run_or_preview(
            &self.context.database,
            &self.context,
            request,
            convert::revocation::decode_revoke,
            |recorded| convert::revocation::encode_revoked(&recorded),
        )
        .await
    }
}
