//! `licet.sanlicensing.v1.LicenseService`.

use licet_contracts::sanlicensing::{
    v1 as sanlicensing, v1::license_service_server::LicenseService,
};
use licet_runtime::{door, field::only, operation::Operations};
use tonic::{Request, Response, Status};

use crate::{
    convert,
    peers::Billing,
    queries,
    use_cases::{
        Sources,
        add_product::{self, AddProduct},
        quote_license::{self, QuoteLicense},
    },
};

/// Serves LicenseService.
#[derive(Clone)]
pub(crate) struct LicenseRpc {
    pub(crate) sources: Sources,
    pub(crate) operations: Operations<Billing>,
}

#[tonic::async_trait]
impl LicenseService for LicenseRpc {
    async fn quote_license(
        &self,
        request: Request<sanlicensing::QuoteLicenseRequest>,
    ) -> Result<Response<sanlicensing::QuoteLicenseResponse>, Status> {
        let entry = door::enter(request, |call, message| {
            convert::draft::decode_quote(message, call.now)
        })?;
        let billing = &self.sources.billing;
        let priced = quote_license::price(billing, entry.call(), &entry.verb).await?;
        let entry = entry.map(|draft| QuoteLicense { draft, priced });
        let encode = |quoted| convert::draft::encode_quoted(&quoted);
        let response = entry.run_or_preview(&self.sources.database, &(), encode);
        Ok(Response::new(response.await?))
    }

    async fn withdraw_quote(
        &self,
        request: Request<sanlicensing::WithdrawQuoteRequest>,
    ) -> Result<Response<sanlicensing::WithdrawQuoteResponse>, Status> {
        door::run_or_preview(
            &self.sources.database,
            &self.sources.database,
            request,
            |_, message| convert::license::decode_withdraw(message),
            |view| convert::license::encode_withdrawn(&view),
        )
        .await
    }

    async fn accept_license(
        &self,
        request: Request<sanlicensing::AcceptLicenseRequest>,
    ) -> Result<Response<sanlicensing::AcceptLicenseResponse>, Status> {
        door::begin_or_preview(
            &self.operations,
            &self.sources,
            request,
            |_, message| convert::license::decode_accept(message),
            |sold| convert::license::encode_accepted(&sold),
        )
        .await
    }

    async fn get_license(
        &self,
        request: Request<sanlicensing::GetLicenseRequest>,
    ) -> Result<Response<sanlicensing::GetLicenseResponse>, Status> {
        let (call, license_id) = door::read(request, |_, message| {
            only("license_id", &message.license_id)
        })?;
        let view = queries::licenses::get(&self.sources.database, &call, license_id).await?;
        let license = Some(convert::license::encode(&view)?);
        Ok(Response::new(sanlicensing::GetLicenseResponse { license }))
    }

    async fn list_licenses(
        &self,
        request: Request<sanlicensing::ListLicensesRequest>,
    ) -> Result<Response<sanlicensing::ListLicensesResponse>, Status> {
        let (call, filter, page) =
            door::list(request, |_, message| convert::license::decode_list(message))?;
        let (views, next_page_token) =
            queries::licenses::list(&self.sources.database, &call, &filter, &page).await?;
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
        door::begin_or_preview(
            &self.operations,
            &self.sources,
            request,
            |_, message| convert::license::decode_increase(message),
            |sold| convert::license::encode_increased(&sold),
        )
        .await
    }

    async fn renew_license(
        &self,
        request: Request<sanlicensing::RenewLicenseRequest>,
    ) -> Result<Response<sanlicensing::RenewLicenseResponse>, Status> {
        door::begin_or_preview(
            &self.operations,
            &self.sources,
            request,
            |_, message| convert::renewal::decode_renew(message),
            |renewal| convert::renewal::encode_renewed(&renewal),
        )
        .await
    }

    async fn add_product(
        &self,
        request: Request<sanlicensing::AddProductRequest>,
    ) -> Result<Response<sanlicensing::AddProductResponse>, Status> {
        let entry = door::enter(request, |_, message| convert::product::decode_add(message))?;
        let compared = add_product::compare(&self.sources, entry.call(), &entry.verb).await?;
        let entry = entry.map(|addition| AddProduct { addition, compared });
        let database = &self.sources.database;
        let encode = |joined| convert::product::encode_added(&joined);
        let response = entry.run_or_preview(database, database, encode);
        Ok(Response::new(response.await?))
    }

    async fn cancel_license(
        &self,
        request: Request<sanlicensing::CancelLicenseRequest>,
    ) -> Result<Response<sanlicensing::CancelLicenseResponse>, Status> {
        door::run_or_preview(
            &self.sources.database,
            &self.sources.database,
            request,
            |_, message| convert::license::decode_cancel(message),
            |view| convert::license::encode_cancelled(&view),
        )
        .await
    }
}
