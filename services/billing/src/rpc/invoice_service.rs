//! `licet.billing.v1.InvoiceService`.

use licet_contracts::billing::v1::{self as pb, invoice_service_server::InvoiceService};
use licet_runtime::{caller::accept, database::Database, field::Fields, replay};
use tonic::{Request, Response, Status};

use crate::{convert::invoice as convert, queries};

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
        request: Request<pb::ChargeQuoteRequest>,
    ) -> Result<Response<pb::ChargeQuoteResponse>, Status> {
        let (call, message) = accept(request)?;
        let work = convert::decode_charge(&call, &message)?;
        if message.validate_only {
            let tx = self.database.read().await?;
            let invoice = work.preview(&tx).await?;
            return Ok(Response::new(convert::encode_charge(&invoice)));
        }
        let answer = replay::once(&self.database, &call, &message, &work, |invoice| {
            convert::encode_charge(&invoice)
        });
        Ok(Response::new(answer.await?))
    }

    async fn get_invoice(
        &self,
        request: Request<pb::GetInvoiceRequest>,
    ) -> Result<Response<pb::GetInvoiceResponse>, Status> {
        let (call, message) = accept(request)?;
        let mut fields = Fields::new();
        let invoice_id = fields.required("invoice_id", &message.invoice_id);
        let invoice_id = fields.build(|| invoice_id)?;
        let invoice = queries::charges::get_invoice(&self.database, &call, invoice_id).await?;
        let invoice = Some(convert::encode(&invoice));
        Ok(Response::new(pb::GetInvoiceResponse { invoice }))
    }

    async fn list_invoices(
        &self,
        request: Request<pb::ListInvoicesRequest>,
    ) -> Result<Response<pb::ListInvoicesResponse>, Status> {
        let (call, message) = accept(request)?;
        let mut fields = Fields::new();
        let account_id = fields.optional("account_id", &message.account_id);
        let resource_id = fields.text("resource_id", &message.resource_id);
        let (account_id, resource_id) = fields.build(|| Ok((account_id?, resource_id?)))?;
        let (invoices, next_page_token) = queries::charges::list_invoices(
            &self.database,
            &call,
            account_id,
            Some(resource_id.as_str()).filter(|id| !id.is_empty()),
            message.page_size,
            &message.page_token,
        )
        .await?;
        let invoices = invoices.iter().map(convert::encode).collect();
        Ok(Response::new(pb::ListInvoicesResponse {
            invoices,
            next_page_token,
        }))
    }

    async fn list_credit_notes(
        &self,
        request: Request<pb::ListCreditNotesRequest>,
    ) -> Result<Response<pb::ListCreditNotesResponse>, Status> {
        let (call, message) = accept(request)?;
        let mut fields = Fields::new();
        let account_id = fields.optional("account_id", &message.account_id);
        let invoice_id = fields.optional("invoice_id", &message.invoice_id);
        let (account_id, invoice_id) = fields.build(|| Ok((account_id?, invoice_id?)))?;
        let (notes, next_page_token) = queries::charges::list_credit_notes(
            &self.database,
            &call,
            account_id,
            invoice_id,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let credit_notes = notes.iter().map(convert::encode_credit_note).collect();
        Ok(Response::new(pb::ListCreditNotesResponse {
            credit_notes,
            next_page_token,
        }))
    }
}
