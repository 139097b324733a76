//! `licet.billing.v1.QuoteService`.

use licet_contracts::billing::v1::{self as pb, quote_service_server::QuoteService};
use licet_runtime::{caller::accept, database::Database, field::Fields, replay};
use tonic::{Request, Response, Status};

use crate::{convert::quote as convert, queries};

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
        request: Request<pb::CreateQuoteRequest>,
    ) -> Result<Response<pb::CreateQuoteResponse>, Status> {
        let (call, message) = accept(request)?;
        let work = convert::decode_create(&call, &message)?;
        let encode = |quote| pb::CreateQuoteResponse {
            quote: Some(convert::encode(&quote, call.now)),
        };
        if message.validate_only {
            let tx = self.database.read().await?;
            return Ok(Response::new(encode(work.preview(&tx).await?)));
        }
        let answer = replay::once(&self.database, &call, &message, &work, encode).await?;
        Ok(Response::new(answer))
    }

    async fn get_quote(
        &self,
        request: Request<pb::GetQuoteRequest>,
    ) -> Result<Response<pb::GetQuoteResponse>, Status> {
        let (call, message) = accept(request)?;
        let mut fields = Fields::new();
        let quote_id = fields.required("quote_id", &message.quote_id);
        let quote_id = fields.build(|| quote_id)?;
        let quote = queries::charges::get_quote(&self.database, &call, quote_id).await?;
        let quote = Some(convert::encode(&quote, call.now));
        Ok(Response::new(pb::GetQuoteResponse { quote }))
    }
}
