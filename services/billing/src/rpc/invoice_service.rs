//! `licet.billing.v1.InvoiceService`.

use std::sync::Arc;

use licet_contracts::{
    Mutation,
    billing::v1::{self as billing, invoice_service_server::InvoiceService},
};
use licet_runtime::{database::Database, door, fault::Fault, field::only};
use tokio::sync::{Semaphore, SemaphorePermit};
use tonic::{Request, Response, Status};

use super::numbers;
use crate::{
    convert::{self, Seller},
    queries, rendering,
};

/// Charges, invoices and credit notes.
#[derive(Clone, Debug)]
pub(crate) struct InvoiceRpc {
    /// The database of Billing.
    pub(crate) database: Database,
    /// Who issues invoices and credit notes.
    pub(crate) seller: Seller,
    /// Permits for charges, [`MAX_CONCURRENT_CHARGES`] of them.
    pub(crate) charge_permits: Arc<Semaphore>,
}

/// Charges that may run at once. Each waits for the series of invoice numbers (BL-8) before its commit, so more of them
/// would only take the database's connections from other calls.
pub(crate) const MAX_CONCURRENT_CHARGES: usize = 12;

impl InvoiceRpc {
    /// A permit for a charge; a preview needs none.
    async fn charge_permit(
        &self,
        message: &impl Mutation,
    ) -> Result<Option<SemaphorePermit<'_>>, Fault> {
        if message.is_validate_only() {
            return Ok(None);
        }
        let permit = self
            .charge_permits
            .acquire()
            .await
            .map_err(Fault::internal)?;
        Ok(Some(permit))
    }
}

#[tonic::async_trait]
impl InvoiceService for InvoiceRpc {
    async fn charge_quote(
        &self,
        request: Request<billing::ChargeQuoteRequest>,
    ) -> Result<Response<billing::ChargeQuoteResponse>, Status> {
        let _permit = self.charge_permit(request.get_ref()).await?;
        let mut response = door::run_or_preview(
            &self.database,
            &self.database,
            request,
            |call, message| convert::invoice::decode_charge(call, message, &self.seller),
            |invoices| Ok(convert::invoice::encode_charge(&invoices)),
        )
        .await?;
        numbers::add_to_invoices(&self.database, &mut response.get_mut().invoice).await?;
        Ok(response)
    }

    async fn charge_quotes(
        &self,
        request: Request<billing::ChargeQuotesRequest>,
    ) -> Result<Response<billing::ChargeQuotesResponse>, Status> {
        let _permit = self.charge_permit(request.get_ref()).await?;
        let mut response = door::run_or_preview(
            &self.database,
            &self.database,
            request,
            |call, message| convert::invoice::decode_charges(call, message, &self.seller),
            |invoices| Ok(convert::invoice::encode_charges(&invoices)),
        )
        .await?;
        numbers::add_to_invoices(&self.database, &mut response.get_mut().invoices).await?;
        Ok(response)
    }

    async fn forbid_charge(
        &self,
        request: Request<billing::ForbidChargeRequest>,
    ) -> Result<Response<billing::ForbidChargeResponse>, Status> {
        door::run(
            &self.database,
            request,
            |_, message| convert::invoice::decode_forbid_charge(message),
            |result| Ok(convert::invoice::encode_forbid_charge(&result)),
        )
        .await
    }

    async fn pay_invoice(
        &self,
        request: Request<billing::PayInvoiceRequest>,
    ) -> Result<Response<billing::PayInvoiceResponse>, Status> {
        door::run_or_preview(
            &self.database,
            &self.database,
            request,
            |_, message| convert::invoice::decode_payment(message),
            |paid| {
                Ok(convert::invoice::encode_payment(
                    &paid.invoice,
                    paid.balance,
                ))
            },
        )
        .await
    }

    async fn get_invoice(
        &self,
        request: Request<billing::GetInvoiceRequest>,
    ) -> Result<Response<billing::GetInvoiceResponse>, Status> {
        let (call, id) = door::read(request, |_, message| {
            only("invoice_id", &message.invoice_id)
        })?;
        let found = queries::charges::get_invoice(&self.database, &call, id).await?;
        Ok(Response::new(billing::GetInvoiceResponse {
            invoice: Some(convert::invoice::encode(&found)),
        }))
    }

    async fn render_invoice(
        &self,
        request: Request<billing::RenderInvoiceRequest>,
    ) -> Result<Response<billing::RenderInvoiceResponse>, Status> {
        let (call, id) = door::read(request, |_, message| {
            only("invoice_id", &message.invoice_id)
        })?;
        let found = queries::documents::invoice(&self.database, &call, id).await?;
        Ok(Response::new(billing::RenderInvoiceResponse {
            content: rendering::invoice::render(&found)?,
            content_type: rendering::CONTENT_TYPE.to_owned(),
        }))
    }

    async fn list_invoices(
        &self,
        request: Request<billing::ListInvoicesRequest>,
    ) -> Result<Response<billing::ListInvoicesResponse>, Status> {
        let (call, filter, page) =
            door::list(request, |_, message| convert::invoice::decode_list(message))?;
        let (found, next_page_token) =
            queries::charges::list_invoices(&self.database, &call, &filter, &page).await?;
        Ok(Response::new(billing::ListInvoicesResponse {
            invoices: found.iter().map(convert::invoice::encode).collect(),
            next_page_token,
        }))
    }

    async fn issue_credit_note(
        &self,
        request: Request<billing::IssueCreditNoteRequest>,
    ) -> Result<Response<billing::IssueCreditNoteResponse>, Status> {
        let mut response = door::run_or_preview(
            &self.database,
            &self.database,
            request,
            |call, message| convert::credit_note::decode_issue(call, message, &self.seller),
            |issued| {
                Ok(convert::credit_note::encode_issue(
                    &issued.note,
                    &issued.invoice,
                ))
            },
        )
        .await?;
        numbers::add_to_credit_notes(&self.database, &mut response.get_mut().credit_note).await?;
        Ok(response)
    }

    async fn list_credit_notes(
        &self,
        request: Request<billing::ListCreditNotesRequest>,
    ) -> Result<Response<billing::ListCreditNotesResponse>, Status> {
        let (call, filter, page) = door::list(request, |_, message| {
            convert::credit_note::decode_list(message)
        })?;
        let (found, next_page_token) =
            queries::charges::list_credit_notes(&self.database, &call, &filter, &page).await?;
        Ok(Response::new(billing::ListCreditNotesResponse {
            credit_notes: found.iter().map(convert::credit_note::encode).collect(),
            next_page_token,
        }))
    }
}
