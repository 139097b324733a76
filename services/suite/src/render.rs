//! `licet render`: writes an invoice or a statement from a running Billing to standard output as a
//! page.

use std::io::Write;

use clap::{Args, Subcommand};
use licet_contracts::{
    billing::v1::{
        RenderInvoiceRequest, RenderStatementRequest, account_service_client::AccountServiceClient,
        invoice_service_client::InvoiceServiceClient,
    },
    types::v1::Period,
};
use licet_domain::clock::Instant;
use licet_runtime::{
    peer::PeerChannel, tls::TlsOptions, transport::MAX_MESSAGE_BYTES, wire::encode_time,
};

use crate::{CommandError, read_instant, service_error};

/// Settings of `licet render`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    document: Document,
    /// Billing's URL.
    #[arg(
        long,
        env = "LICET_BILLING_URL",
        default_value = "http://127.0.0.1:50052",
        global = true
    )]
    billing_url: String,
    #[command(flatten)]
    tls: TlsOptions,
}

#[derive(Subcommand, Debug)]
enum Document {
    /// An invoice with its credit notes.
    Invoice {
        /// The invoice's id, "inv_…".
        invoice_id: String,
    },
    /// An account's statement over a period.
    Statement {
        /// The account's id, "acc_…".
        account_id: String,
        /// Start of the period: a date, or an instant such as 2026-01-01T00:00:00Z.
        #[arg(long, value_parser = read_instant)]
        from: Instant,
        /// End of the period, exclusive: a date or an instant.
        #[arg(long, value_parser = read_instant)]
        to: Instant,
    },
}

/// Writes the page to standard output.
pub(crate) async fn run(options: &Options) -> Result<(), CommandError> {
    let tls = options.tls.open().await?;
    let channel = PeerChannel::open(&options.billing_url, "render", tls.as_ref())?;
    let content = match &options.document {
        Document::Invoice { invoice_id } => {
            let request = RenderInvoiceRequest {
                invoice_id: invoice_id.clone(),
            };
            let mut invoices =
                InvoiceServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
            let response = invoices.render_invoice(request).await;
            response
                .map_err(|status| service_error("Billing", &status))?
                .into_inner()
                .content
        }
        Document::Statement {
            account_id,
            from,
            to,
        } => {
            let request = RenderStatementRequest {
                account_id: account_id.clone(),
                period: Some(Period {
                    start_time: Some(encode_time(*from)),
                    end_time: Some(encode_time(*to)),
                }),
            };
            let mut accounts =
                AccountServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
            let response = accounts.render_statement(request).await;
            response
                .map_err(|status| service_error("Billing", &status))?
                .into_inner()
                .content
        }
    };
    std::io::stdout().write_all(&content)?;
    Ok(())
}
