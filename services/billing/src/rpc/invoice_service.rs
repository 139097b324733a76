//! `licet.billing.v1.InvoiceService`.

use std::sync::Arc;

use licet_contracts::billing::v1::{self as billing, invoice_service_server::InvoiceService};
use licet_runtime::{caller::accept, database::Database, fault::Fault, replay};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use crate::{
    convert, queries, rendering,
    use_cases::{
        charge_quotes::ChargeQuotes,
        issue_credit_note::{IssueCreditNote, Issued},
        pay_invoice::{Paid, PayInvoice},
    },
};

/// Charges, invoices and credit notes.
#[derive(Clone, Debug)]
pub(crate) struct InvoiceRpc {
    /// The service's schema.
    pub(crate) database: Database,
    /// Turns at charging, [`CHARGES_AT_ONCE`] of them.
    pub(crate) charging: Arc<Semaphore>,
}

/// Every charge holds the series of invoice numbers until its commit (BL-8), so more than these only
/// wait for one another inside the database, which is slower than to wait here.
pub(crate) const CHARGES_AT_ONCE: usize = 4;

#[tonic::async_trait]
impl InvoiceService for InvoiceRpc {
    async fn charge_quote(
        &self,
        request: Request<billing::ChargeQuoteRequest>,
    ) -> Result<Response<billing::ChargeQuoteResponse>, Status> {
        let (call, message) = accept(request)?;
        let charge = convert::invoice::decode_charge(&call, &message)?;
        let work = ChargeQuotes {
            call: &call,
            request_id: &message.request_id,
            charge: &charge,
        };
        if message.validate_only {
            let invoices = work.preview(&self.database.read()).await?;
            return Ok(Response::new(convert::invoice::encode_charge(&invoices)));
        }
        let _turn = self.charging.acquire().await.map_err(Fault::internal)?;
        let response = replay::once(&self.database, &call, &message, &work, |invoices| {
            convert::invoice::encode_charge(&invoices)
        })
        .await?;
        Ok(Response::new(response))
    }

    async fn charge_quotes(
        &self,
        request: Request<billing::ChargeQuotesRequest>,
    ) -> Result<Response<billing::ChargeQuotesResponse>, Status> {
        let (call, message) = accept(request)?;
        let charge = convert::invoice::decode_charges(&call, &message)?;
        let work = ChargeQuotes {
            call: &call,
            request_id: &message.request_id,
            charge: &charge,
        };
        if message.validate_only {
            let invoices = work.preview(&self.database.read()).await?;
            return Ok(Response::new(convert::invoice::encode_charges(&invoices)));
        }
        let _turn = self.charging.acquire().await.map_err(Fault::internal)?;
        let response = replay::once(&self.database, &call, &message, &work, |invoices| {
            convert::invoice::encode_charges(&invoices)
        })
        .await?;
        Ok(Response::new(response))
    }

    async fn pay_invoice(
        &self,
        request: Request<billing::PayInvoiceRequest>,
    ) -> Result<Response<billing::PayInvoiceResponse>, Status> {
        let (call, message) = accept(request)?;
        let payment = convert::invoice::decode_payment(&message)?;
        let work = PayInvoice {
            call: &call,
            request_id: &message.request_id,
            payment: &payment,
        };
        let encode = |paid: Paid| convert::invoice::encode_payment(&paid.invoice, paid.balance);
        if message.validate_only {
            let tx = self.database.read();
            return Ok(Response::new(encode(work.preview(&tx).await?)));
        }
        let response = replay::once(&self.database, &call, &message, &work, encode).await?;
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

    async fn render_invoice(
        &self,
        request: Request<billing::RenderInvoiceRequest>,
    ) -> Result<Response<billing::RenderInvoiceResponse>, Status> {
        let (call, message) = accept(request)?;
        let invoice_id = convert::invoice::decode_invoice_id(&message.invoice_id)?;
        let document = queries::documents::invoice(&self.database, &call, invoice_id).await?;
        Ok(Response::new(billing::RenderInvoiceResponse {
            content: rendering::invoice::render(&document)?,
            content_type: rendering::CONTENT_TYPE.to_owned(),
        }))
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

    async fn issue_credit_note(
        &self,
        request: Request<billing::IssueCreditNoteRequest>,
    ) -> Result<Response<billing::IssueCreditNoteResponse>, Status> {
        let (call, message) = accept(request)?;
        let goodwill = convert::credit_note::decode_issue(&message)?;
        let work = IssueCreditNote {
            call: &call,
            request_id: &message.request_id,
            goodwill: &goodwill,
        };
        if message.validate_only {
            let tx = self.database.read();
            let Issued { note, invoice } = work.preview(&tx).await?;
            let response = convert::credit_note::encode_issue(&note, &invoice);
            return Ok(Response::new(response));
        }
        let response = replay::once(&self.database, &call, &message, &work, |issued| {
            convert::credit_note::encode_issue(&issued.note, &issued.invoice)
        })
        .await?;
        Ok(Response::new(response))
    }

    async fn list_credit_notes(
        &self,
        request: Request<billing::ListCreditNotesRequest>,
    ) -> Result<Response<billing::ListCreditNotesResponse>, Status> {
        let (call, message) = accept(request)?;
        let filter = convert::credit_note::decode_list(&message)?;
        let (notes, next_page_token) = queries::charges::list_credit_notes(
            &self.database,
            &call,
            &filter,
            message.page_size,
            &message.page_token,
        )
        .await?;
        let credit_notes = notes.iter().map(convert::credit_note::encode).collect();
        Ok(Response::new(billing::ListCreditNotesResponse {
            credit_notes,
            next_page_token,
        }))
    }
}
