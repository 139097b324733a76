//! `licet.billing.v1.QuoteService`.

use licet_contracts::billing::v1::{self as billing, quote_service_server::QuoteService};
use licet_runtime::{caller::accept, database::Database, replay};
use tonic::{Request, Response, Status};

use crate::{convert, queries, use_cases::create_quote::CreateQuote};

/// Quotes.
#[derive(Clone, Debug)]
pub(crate) struct QuoteRpc {
    /// The service's schema.
    pub(crate) database: Database,
}

#[tonic::async_trait]
impl QuoteService for QuoteRpc {
    async fn create_quote(
        &self,
        request: Request<billing::CreateQuoteRequest>,
    ) -> Result<Response<billing::CreateQuoteResponse>, Status> {
        let (call, message) = accept(request)?;
        let inquiry = convert::quote::decode_create(&call, &message)?;
        let work = CreateQuote {
            call: &call,
            request_id: &message.request_id,
            inquiry: &inquiry,
        };
        let encode = |quote| billing::CreateQuoteResponse {
            quote: Some(convert::quote::encode(&quote, call.now)),
        };
        if message.validate_only {
            let quote = work.preview(self.database.read_alone()).await?;
            return Ok(Response::new(encode(quote)));
        }
        let response = replay::once(&self.database, &call, &message, &work, encode).await?;
        Ok(Response::new(response))
    }

    async fn get_quote(
        &self,
        request: Request<billing::GetQuoteRequest>,
    ) -> Result<Response<billing::GetQuoteResponse>, Status> {
        let (call, message) = accept(request)?;
        let quote_id = convert::quote::decode_quote_id(&message.quote_id)?;
        let quote = queries::charges::get_quote(&self.database, &call, quote_id).await?;
        let quote = Some(convert::quote::encode(&quote, call.now));
        Ok(Response::new(billing::GetQuoteResponse { quote }))
    }
}
