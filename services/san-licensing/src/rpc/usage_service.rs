//! `licet.sanlicensing.v1.UsageService`.

use licet_contracts::sanlicensing::{v1 as sanlicensing, v1::usage_service_server::UsageService};
use licet_runtime::{caller::accept, database::Database, fault::Fault};
use tonic::{Request, Response, Status};

use crate::{
    convert, queries,
    quota::{Answer, Command, Quota},
};

/// Usage.
#[derive(Clone)]
pub(crate) struct UsageRpc {
    /// The service's schema.
    pub(crate) database: Database,
    /// Where what is used now is known.
    pub(crate) quota: Quota,
}

#[tonic::async_trait]
impl UsageService for UsageRpc {
    async fn get_usage(
        &self,
        request: Request<sanlicensing::GetUsageRequest>,
    ) -> Result<Response<sanlicensing::GetUsageResponse>, Status> {
        let (call, message) = accept(request)?;
        let (license_id, as_of) = convert::usage::decode_get(&message)?;
        let usage = if let Some(at) = as_of {
            queries::usage::get_at(&self.database, &call, license_id, at).await?
        } else {
            let scope = &call.caller.accounts;
            let origin = call.origin("");
            let now = call.now;
            let answer = self
                .quota
                .submit(license_id, scope, origin, now, Command::Usage, None)
                .await?;
            let Answer::Usage(usage) = answer else {
                return Err(Fault::internal("the answer is to another command").into());
            };
            usage
        };
        let usage = Some(convert::usage::encode(&usage));
        Ok(Response::new(sanlicensing::GetUsageResponse { usage }))
    }

    async fn list_unique_sans(
        &self,
        request: Request<sanlicensing::ListUniqueSansRequest>,
    ) -> Result<Response<sanlicensing::ListUniqueSansResponse>, Status> {
        let (call, message) = accept(request)?;
        let filter = convert::usage::decode_unique_sans(&message)?;
        let found = queries::sans::list(
            &self.database,
            &call,
            &filter,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let multiplier = found.wildcard_multiplier;
        let unique_sans = found
            .sans
            .iter()
            .map(|found| convert::usage::encode_unique_san(found, multiplier))
            .collect();
        Ok(Response::new(sanlicensing::ListUniqueSansResponse {
            unique_sans,
            next_page_token: found.next_page_token,
        }))
    }

    async fn list_certificates(
        &self,
        request: Request<sanlicensing::ListCertificatesRequest>,
    ) -> Result<Response<sanlicensing::ListCertificatesResponse>, Status> {
        let (call, message) = accept(request)?;
        let filter = convert::certificate::decode_list(&message)?;
        let listed = queries::certificates::list(
            &self.database,
            &call,
            &filter,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let certificates = listed
            .certificates
            .iter()
            .map(|certificate| convert::certificate::encode(certificate, listed.now))
            .collect();
        Ok(Response::new(sanlicensing::ListCertificatesResponse {
            certificates,
            next_page_token: listed.next_page_token,
        }))
    }
}
