//! `licet.sanlicensing.v1.UsageService`.

use std::sync::Arc;

use futures::{TryStreamExt, stream};
use licet_contracts::sanlicensing::{v1 as sanlicensing, v1::usage_service_server::UsageService};
use licet_domain::clock::Clock;
use licet_runtime::{database::Database, door, field::only};
use tonic::{Request, Response, Status, codegen::BoxStream};

use crate::{
    convert,
    queries::{self, usage::UsageCounter, watch::Watch},
    quota::Quota,
};

/// Serves UsageService.
#[derive(Clone)]
pub(crate) struct UsageRpc {
    pub(crate) database: Database,
    /// Knows the present usage.
    pub(crate) quota: Quota,
    /// Counts past and future usage.
    pub(crate) counter: UsageCounter,
    /// The clock of watches.
    pub(crate) clock: Arc<dyn Clock>,
}

#[tonic::async_trait]
impl UsageService for UsageRpc {
    async fn get_usage(
        &self,
        request: Request<sanlicensing::GetUsageRequest>,
    ) -> Result<Response<sanlicensing::GetUsageResponse>, Status> {
        let (call, (license_id, as_of)) =
            door::read(request, |_, message| convert::usage::decode_get(message))?;
        let usage = if let Some(at) = as_of {
            self.counter.get_at(&call, license_id, at).await?
        } else {
            queries::watch::get_now(&self.quota, &call, license_id).await?
        };
        let usage = Some(convert::usage::encode(&usage));
        Ok(Response::new(sanlicensing::GetUsageResponse { usage }))
    }

    async fn list_daily_usage(
        &self,
        request: Request<sanlicensing::ListDailyUsageRequest>,
    ) -> Result<Response<sanlicensing::ListDailyUsageResponse>, Status> {
        let (call, (license_id, days), page) = door::list(request, |_, message| {
            convert::usage::decode_list_daily(message)
        })?;
        let counter = &self.counter;
        let daily = counter.list_days(&call, license_id, days, page).await?;
        let days = daily
            .days
            .iter()
            .map(|(usage, quota)| convert::usage::encode_day(usage, *quota, daily.now))
            .collect();
        Ok(Response::new(sanlicensing::ListDailyUsageResponse {
            days,
            next_page_token: daily.next_page_token,
        }))
    }

    async fn watch_usage(
        &self,
        request: Request<sanlicensing::WatchUsageRequest>,
    ) -> Result<Response<BoxStream<sanlicensing::WatchUsageResponse>>, Status> {
        let (call, license_id) = door::read(request, |_, message| {
            only("license_id", &message.license_id)
        })?;
        let (quota, clock) = (self.quota.clone(), Arc::clone(&self.clock));
        let watch = Watch::begin(quota, clock, call.clone(), license_id).await?;
        // The stream advances only as it is read, so it ends when the caller leaves.
        let changes = stream::try_unfold((call, watch), |(call, watch)| async move {
            let next = async { watch.next().await.map_err(Status::from) };
            let next = call.within(next).await?;
            Ok::<_, Status>(next.map(|(usage, watch)| (usage, (call, watch))))
        });
        let responses = changes.map_ok(|usage| sanlicensing::WatchUsageResponse {
            usage: Some(convert::usage::encode(&usage)),
        });
        Ok(Response::new(Box::pin(responses)))
    }

    async fn list_unique_sans(
        &self,
        request: Request<sanlicensing::ListUniqueSansRequest>,
    ) -> Result<Response<sanlicensing::ListUniqueSansResponse>, Status> {
        let (call, filter, page) = door::list(request, |_, message| {
            convert::usage::decode_unique_sans(message)
        })?;
        let found = queries::sans::list(&self.database, &call, &filter, page).await?;
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
        let (call, filter, page) = door::list(request, |_, message| {
            convert::certificate::decode_list(message)
        })?;
        let listed = queries::certificates::list(&self.database, &call, &filter, page).await?;
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
