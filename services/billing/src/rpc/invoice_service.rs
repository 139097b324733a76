//! `licet.billing.v1.InvoiceService`.

use licet_contracts::billing::v1::{self as billing, invoice_service_server::InvoiceService};
use licet_runtime::{caller::accept, database::Database, replay};
use tonic::{Request, Response, Status};

use crate::{convert, queries, use_cases::charge_quote::ChargeQuote};

/// Charges, invoices and credit notes.
#[derive(Clone, Debug)]
pub(crate) struct InvoiceRpc {
    /// The service's schema.
    pub(crate) database: Database,
}

#[tonic::async_trait]
impl InvoiceService for InvoiceRpc {
    async fn charge_quote(
        &self,
        request: Request<billing::ChargeQuoteRequest>,
    ) -> Result<Response<billing::ChargeQuoteResponse>, Status> {
        let (call, message) = accept(request)?;
        let charge = convert::invoice::decode_charge(&call, &message)?;
        let work = ChargeQuote {
            call: &call,
            request_id: &message.request_id,
            charge: &charge,
        };
        if message.validate_only {
            let tx = self.database.read().await?;
            let invoice = work.preview(&tx).await?;
            return Ok(Response::new(convert::invoice::encode_charge(&invoice)));
        }
        let response = replay::once(&self.database, &call, &message, &work, |invoice| {
            convert::invoice::encode_charge(&invoice)
        })
        .await?;
        Ok(Response::new(response))
    }

    async fn get_invoice(
        &self,
        request: Request<billing::GetInvoiceRequest>,
    ) -> Result<Response<billing::GetInvoiceResponse>, Status> {
        let (call, message) = accept(request)?;
        let invoice_id = convert::invoice::decode_invoice_id(&message.invoice_id)?;
        let invoice = queries::charges::get_invoice(&self.database, &call, invoice_id).await?;
        let invoice = Some(convert::invoice::encode(&invoice));
        Ok(Response::new(billing::GetInvoiceResponse { invoice }))
    }

    async fn list_invoices(
        &self,
        request: Request<billing::ListInvoicesRequest>,
    ) -> Result<Response<billing::ListInvoicesResponse>, Status> {
        let (call, message) = accept(request)?;
        let filter = convert::invoice::decode_list(&message)?;
        let (invoices, next_page_token) = queries::charges::list_invoices(
            &self.database,
            &call,
            &filter,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let invoices = invoices.iter().map(convert::invoice::encode).collect();
        Ok(Response::new(billing::ListInvoicesResponse {
            invoices,
            next_page_token,
        }))
    }

    async fn list_credit_notes(
        &self,
        request: Request<billing::ListCreditNotesRequest>,
    ) -> Result<Response<billing::ListCreditNotesResponse>, Status> {
        let (call, message) = accept(request)?;
        let filter = convert::invoice::decode_credit_note_list(&message)?;
        let (notes, next_page_token) = queries::charges::list_credit_notes(
            &self.database,
            &call,
            &filter,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let credit_notes = notes
            .iter()
            .map(convert::invoice::encode_credit_note)
            .collect();
        Ok(Response::new(billing::ListCreditNotesResponse {
            credit_notes,
            next_page_token,
        }))
    }
}
