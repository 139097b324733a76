//! `licet.billing.v1.QuoteService`.

use licet_contracts::billing::v1::{self as billing, quote_service_server::QuoteService};
use licet_runtime::{database::Database, door, field::only};
use tonic::{Request, Response, Status};

use crate::{convert, queries};

/// Quotes.
#[derive(Clone, Debug)]
pub(crate) struct QuoteRpc {
    /// The database of Billing.
    pub(crate) database: Database,
}

#[tonic::async_trait]
impl QuoteService for QuoteRpc {
    async fn create_quote(
        &self,
        request: Request<billing::CreateQuoteRequest>,
    ) -> Result<Response<billing::CreateQuoteResponse>, Status> {
        door::run_or_preview(
            &self.database,
            &self.database,
            request,
            convert::quote::decode_create,
            |(quote, now)| Ok(convert::quote::encode_created(&quote, now)),
        )
        .await
    }

    async fn get_quote(
        &self,
        request: Request<billing::GetQuoteRequest>,
    ) -> Result<Response<billing::GetQuoteResponse>, Status> {
        let (call, id) = door::read(request, |_, message| only("quote_id", &message.quote_id))?;
        let found = queries::charges::get_quote(&self.database, &call, id).await?;
        Ok(Response::new(billing::GetQuoteResponse {
            quote: Some(convert::quote::encode(&found, call.now)),
        }))
    }
}
