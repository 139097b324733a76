//! `licet.sanlicensing.v1.LicenseService`.

use licet_contracts::sanlicensing::{
    v1 as sanlicensing, v1::license_service_server::LicenseService,
};
use licet_runtime::{
    caller::{Call, accept},
    database::Database,
    fault::Fault,
    joining::{Answer, join},
    operation::Operations,
    replay::{self, Accepted},
};
use prost::Message;
use tonic::{Request, Response, Status};

use crate::{
    convert::{self, license::LicenseView},
    peers::Billing,
    queries,
    use_cases::{
        accept_license, add_product, cancel_license, increase_quota, operation::LicenseOperation,
        quote_license, renew_license, withdraw_quote,
    },
};

/// Licences.
#[derive(Clone)]
pub(crate) struct LicenseRpc {
    /// The service's schema.
    pub(crate) database: Database,
    /// For prices and previews; what is charged goes through the operations.
    pub(crate) billing: Billing,
    /// What spans services.
    pub(crate) operations: Operations<LicenseOperation>,
}

impl LicenseRpc {
    /// The answer to an accepted request: finally, or by the licence while its operation goes on.
    async fn answer<R: Message + Default>(
        &self,
        call: &Call,
        accepted: Accepted<R>,
    ) -> Result<Answer<R, LicenseView>, Fault> {
        join(&self.operations, call, accepted, |id| {
            queries::licenses::find_under_way(&self.database, call, id)
        })
        .await
    }
}

#[tonic::async_trait]
impl LicenseService for LicenseRpc {
    async fn quote_license(
        &self,
        request: Request<sanlicensing::QuoteLicenseRequest>,
    ) -> Result<Response<sanlicensing::QuoteLicenseResponse>, Status> {
        let (call, message) = accept(request)?;
        let draft = convert::draft::decode_quote(&message, call.now)?;
        if message.validate_only {
            let response = quote_license::preview(&self.billing, &call, &draft).await?;
            return Ok(Response::new(response));
        }
        let priced = quote_license::price(&self.billing, &call, &draft).await?;
        let work = quote_license::QuoteLicense {
            call: &call,
            request_id: &message.request_id,
            draft: &draft,
            priced: &priced,
        };
        let response =
            replay::once(&self.database, &call, &message, &work, |response| response).await?;
        Ok(Response::new(response))
    }

    async fn withdraw_quote(
        &self,
        request: Request<sanlicensing::WithdrawQuoteRequest>,
    ) -> Result<Response<sanlicensing::WithdrawQuoteResponse>, Status> {
        let (call, message) = accept(request)?;
        let license_id = convert::license::decode_change(&message, &message.license_id)?;
        if message.validate_only {
            let response = withdraw_quote::preview(&self.database, &call, license_id).await?;
            return Ok(Response::new(response));
        }
        let work = withdraw_quote::WithdrawQuote {
            call: &call,
            request_id: &message.request_id,
            license_id,
        };
        let response =
            replay::once(&self.database, &call, &message, &work, |response| response).await?;
        Ok(Response::new(response))
    }

    async fn accept_license(
        &self,
        request: Request<sanlicensing::AcceptLicenseRequest>,
    ) -> Result<Response<sanlicensing::AcceptLicenseResponse>, Status> {
        let (call, message) = accept(request)?;
        let license_id = convert::license::decode_change(&message, &message.license_id)?;
        if message.validate_only {
            let response =
                accept_license::preview(&self.database, &self.billing, &call, license_id).await?;
            return Ok(Response::new(response));
        }
        let work = accept_license::AcceptLicense {
            call: &call,
            request_id: &message.request_id,
            license_id,
        };
        let accepted =
            replay::accept(&self.database, &call, &message, &work, |response| response).await?;
        let response = match self.answer(&call, accepted).await? {
            Answer::Final(response) => response,
            Answer::Pending(view) => accept_license::encode_pending(&view)?,
        };
        Ok(Response::new(response))
    }

    async fn get_license(
        &self,
        request: Request<sanlicensing::GetLicenseRequest>,
    ) -> Result<Response<sanlicensing::GetLicenseResponse>, Status> {
        let (call, message) = accept(request)?;
        let license_id = convert::license::decode_license_id(&message.license_id)?;
        let view = queries::licenses::get(&self.database, &call, license_id).await?;
        let license = Some(convert::license::encode(&view)?);
        Ok(Response::new(sanlicensing::GetLicenseResponse { license }))
    }

    async fn list_licenses(
        &self,
        request: Request<sanlicensing::ListLicensesRequest>,
    ) -> Result<Response<sanlicensing::ListLicensesResponse>, Status> {
        let (call, message) = accept(request)?;
        let filter = convert::license::decode_list(&message)?;
        let (views, next_page_token) = queries::licenses::list(
            &self.database,
            &call,
            &filter,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let licenses = views
            .iter()
            .map(convert::license::encode)
            .collect::<Result<_, _>>()?;
        Ok(Response::new(sanlicensing::ListLicensesResponse {
            licenses,
            next_page_token,
        }))
    }

    async fn increase_quota(
        &self,
        request: Request<sanlicensing::IncreaseQuotaRequest>,
    ) -> Result<Response<sanlicensing::IncreaseQuotaResponse>, Status> {
        let (call, message) = accept(request)?;
        let increase = convert::license::decode_increase(&message)?;
        if message.validate_only {
            let response =
                increase_quota::preview(&self.database, &self.billing, &call, increase).await?;
            return Ok(Response::new(response));
        }
        let work = increase_quota::IncreaseQuota {
            call: &call,
            request_id: &message.request_id,
            increase,
        };
        let accepted =
            replay::accept(&self.database, &call, &message, &work, |response| response).await?;
        let response = match self.answer(&call, accepted).await? {
            Answer::Final(response) => response,
            Answer::Pending(view) => increase_quota::encode_pending(&view)?,
        };
        Ok(Response::new(response))
    }

    async fn renew_license(
        &self,
        request: Request<sanlicensing::RenewLicenseRequest>,
    ) -> Result<Response<sanlicensing::RenewLicenseResponse>, Status> {
        let (call, message) = accept(request)?;
        let wish = convert::renewal::decode_renew(&message)?;
        if message.validate_only {
            let response =
                renew_license::preview(&self.database, &self.billing, &call, &wish).await?;
            return Ok(Response::new(response));
        }
        let work = renew_license::RenewLicense {
            call: &call,
            request_id: &message.request_id,
            wish: &wish,
        };
        let accepted =
            replay::accept(&self.database, &call, &message, &work, |response| response).await?;
        let response = match self.answer(&call, accepted).await? {
            Answer::Final(response) => response,
            Answer::Pending(view) => renew_license::encode_pending(&view)?,
        };
        Ok(Response::new(response))
    }

    async fn add_product(
        &self,
        request: Request<sanlicensing::AddProductRequest>,
    ) -> Result<Response<sanlicensing::AddProductResponse>, Status> {
        let (call, message) = accept(request)?;
        let addition = convert::product::decode_add(&message)?;
        let compared =
            add_product::compare(&self.database, &self.billing, &call, &addition).await?;
        if message.validate_only {
            let response =
                add_product::preview(&self.database, &call, &addition, &compared).await?;
            return Ok(Response::new(response));
        }
        let work = add_product::AddProduct {
            call: &call,
            request_id: &message.request_id,
            addition: &addition,
            compared: &compared,
        };
        let response =
            replay::once(&self.database, &call, &message, &work, |response| response).await?;
        Ok(Response::new(response))
    }

    async fn cancel_license(
        &self,
        request: Request<sanlicensing::CancelLicenseRequest>,
    ) -> Result<Response<sanlicensing::CancelLicenseResponse>, Status> {
        let (call, message) = accept(request)?;
        let cancellation = convert::license::decode_cancel(&message)?;
        if message.validate_only {
            let response = cancel_license::preview(&self.database, &call, &cancellation).await?;
            return Ok(Response::new(response));
        }
        let work = cancel_license::CancelLicense {
            call: &call,
            request_id: &message.request_id,
            cancellation: &cancellation,
        };
        let response =
            replay::once(&self.database, &call, &message, &work, |response| response).await?;
        Ok(Response::new(response))
    }
}
